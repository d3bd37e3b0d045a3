//! What the operator may do, and why. The Roles that are installed and the page in `docs/reference/` come from these
//! tables. There is no wildcard, no `bind` and no `escalate`; a Role for a database's pods grants only what the operator
//! holds itself.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{certificates, labels};
use crate::{
    certificates::Source,
    domain::names::{NamespaceName, ObjectName},
    inventory::{Installation, Inventory, NamespaceMode},
};

/// A right, with the reason why it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// Resources and subresources.
    pub resources: &'static [&'static str],
    /// What may be done to them.
    pub verbs: &'static [&'static str],
    /// Why.
    pub why: &'static str,
}

const MANAGE: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// Rights in each watched namespace.
pub const WATCHED: &[Permission] = &[
    Permission {
        group: "postgres-operator.crunchydata.com",
        resources: &["postgresclusters"],
        verbs: &["get", "list", "watch", "patch", "update"],
        why: "Sees what clusters are wanted, and holds their deletion until nothing of them is left.",
    },
    Permission {
        group: "postgres-operator.crunchydata.com",
        resources: &["postgresclusters/status"],
        verbs: &["patch"],
        why: "Tells the state of clusters.",
    },
    Permission {
        group: "postgres-operator.crunchydata.com",
        resources: &["postgresclusters/finalizers"],
        verbs: &["update"],
        why: "Makes clusters the owners of their objects, where the API server checks that right.",
    },
    Permission {
        group: "apps",
        resources: &["statefulsets", "deployments"],
        verbs: MANAGE,
        why: "Runs instances and poolers.",
    },
    Permission {
        group: "",
        resources: &["pods"],
        verbs: &["get", "list", "watch", "patch", "delete"],
        why: "Watches instances, restarts them, and lets Patroni label them with their roles.",
    },
    Permission {
        group: "",
        resources: &["pods/exec"],
        verbs: &["get", "create"],
        why: "Runs SQL and Patroni's commands inside instances, without opening a port to them.",
    },
    Permission {
        group: "",
        resources: &["services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims"],
        verbs: MANAGE,
        why: "Makes addresses, configuration, passwords, certificates, identities and volumes of clusters.",
    },
    Permission {
        group: "",
        resources: &["endpoints"],
        verbs: &["get", "list", "watch", "create", "patch", "update", "delete", "deletecollection"],
        why: "Patroni keeps its leader and its state in them; the operator removes them with the cluster.",
    },
    Permission {
        group: "",
        resources: &["endpoints/restricted"],
        verbs: &["create"],
        why: "OpenShift asks for it when Endpoints get addresses of pods.",
    },
    Permission {
        group: "rbac.authorization.k8s.io",
        resources: &["roles", "rolebindings"],
        verbs: MANAGE,
        why: "Lets each cluster's pods reach their own Endpoints and pods, and no more than this table.",
    },
    Permission {
        group: "policy",
        resources: &["poddisruptionbudgets"],
        verbs: MANAGE,
        why: "Keeps draining nodes from taking too many instances at once.",
    },
    Permission {
        group: "networking.k8s.io",
        resources: &["networkpolicies"],
        verbs: MANAGE,
        why: "Says what may talk to instances, with `network.policies`, and takes that back when it is turned off.",
    },
    Permission {
        group: "events.k8s.io",
        resources: &["events"],
        verbs: &["create", "patch"],
        why: "Tells what it does, and what is wrong with a cluster.",
    },
    Permission {
        group: "",
        resources: &["events"],
        verbs: &["create", "patch"],
        why: "The same, for clients of the older API.",
    },
];

/// Rights in the operator's own namespace.
pub const OWN: &[Permission] = &[
    Permission {
        group: "events.k8s.io",
        resources: &["events"],
        verbs: &["create", "patch"],
        why: "Tells what happens to the operator itself.",
    },
    Permission {
        group: "",
        resources: &["events"],
        verbs: &["create", "patch"],
        why: "The same, for clients of the older API.",
    },
];

/// Rights to the Lease that the newest operator of the installation holds, and to no other.
pub const OWN_LEASE: Permission = Permission {
    group: "coordination.k8s.io",
    resources: &["leases"],
    verbs: &["get", "list", "watch", "patch"],
    why: "Takes it when it starts, and sees by its name when another operator has taken over.",
};

/// Rights to the Secrets with the operator's own certificates, and to no others in its namespace.
pub const OWN_SECRETS: Permission = Permission {
    group: "",
    resources: &["secrets"],
    verbs: &["get", "list", "watch", "patch"],
    why: "Sees its certificate and its authority by their names, and renews them.",
};

/// Rights to the Secrets that images are pulled with, by name in the operator's namespace, when it follows namespaces by their
/// label.
pub const PULL_SECRETS: Permission = Permission {
    group: "",
    resources: &["secrets"],
    verbs: &["get", "list", "watch"],
    why: "Copies what images are pulled with to namespaces that gain the label.",
};

/// What a right can't be limited to by name.
pub const NEW_SECRETS: Permission = Permission {
    group: "",
    resources: &["secrets"],
    verbs: &["create"],
    why: "Makes these two Secrets when nobody did.",
};

/// Rights in the whole cluster when the operator follows namespaces by their label.
pub const SEE_NAMESPACES: &[Permission] = &[Permission {
    group: "",
    resources: &["namespaces"],
    verbs: &["get", "list", "watch"],
    why: "Sees which namespaces carry the installation's label.",
}];

/// Further rights in the whole cluster when the operator may make namespaces.
pub const MAKE_NAMESPACES: &[Permission] = &[Permission {
    group: "",
    resources: &["namespaces"],
    verbs: &["create"],
    why: "Makes the listed namespaces that don't exist.",
}];

/// The rights that an inventory asks for.
#[derive(Clone, Debug)]
pub struct Granted {
    /// In the whole cluster. Empty: there is no object for the whole cluster at all.
    pub cluster: Vec<Permission>,
    /// In each of [`Self::namespaces`].
    pub watched: Vec<Permission>,
    /// In the operator's own namespace.
    pub own: Vec<Permission>,
    /// Namespaces that get a role of their own.
    pub namespaces: Vec<NamespaceName>,
}

impl Granted {
    /// What follows from the mode of namespaces, and from who gives the operator its rights in them.
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        let mode = inventory.namespaces.mode;
        let everywhere = mode != NamespaceMode::Disabled && inventory.namespaces.reconcile_rbac;
        let mut cluster = Vec::new();
        if mode != NamespaceMode::Disabled {
            cluster.extend_from_slice(SEE_NAMESPACES);
        }
        if mode == NamespaceMode::Dynamic {
            cluster.extend_from_slice(MAKE_NAMESPACES);
        }
        if everywhere {
            cluster.extend_from_slice(WATCHED);
        }
        let namespaces = if everywhere { Vec::new() } else { inventory.watched().to_vec() };
        Self { cluster, watched: WATCHED.to_vec(), own: OWN.to_vec(), namespaces }
    }
}

/// A table as the rules of a Role.
#[must_use]
pub fn rules(permissions: &[Permission]) -> Vec<Value> {
    let rule = |permission: &Permission| {
        json!({
            "apiGroups": [permission.group],
            "resources": permission.resources,
            "verbs": permission.verbs,
        })
    };
    permissions.iter().map(rule).collect()
}

/// The right to the operator's Lease as a rule of a Role.
#[must_use]
pub fn lease_rule(installation: &Installation) -> Value {
    let Permission { group, resources, verbs, .. } = OWN_LEASE;
    let names = [labels::operator_lease(installation)];
    json!({ "apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs })
}

/// The rights to Secrets in the operator's own namespace as the rules of a Role. `pull` are the names of those that images are
/// pulled with.
#[must_use]
pub fn secret_rules(inventory: &Inventory, pull: &[ObjectName]) -> Vec<Value> {
    let Permission { group, resources, verbs, .. } = OWN_SECRETS;
    let (home, policy) = (certificates::home(&inventory.installation), certificates::policy(&inventory.tls));
    let mut rules = Vec::new();
    let mut names = vec![home.authority_secret(), home.leaf_secret()];
    if let Source::Secret(theirs) = policy.source {
        names.remove(0);
        // The user's own is only read.
        let read: Vec<&str> = verbs.iter().copied().filter(|verb| *verb != "patch").collect();
        rules.push(json!({
            "apiGroups": [group], "resources": resources, "resourceNames": [theirs], "verbs": read,
        }));
    }
    rules.push(json!({
        "apiGroups": [group], "resources": resources, "resourceNames": names, "verbs": verbs,
    }));
    if inventory.namespaces.mode != NamespaceMode::Disabled && !pull.is_empty() {
        let Permission { group, resources, verbs, .. } = PULL_SECRETS;
        rules.push(json!({
            "apiGroups": [group], "resources": resources, "resourceNames": pull, "verbs": verbs,
        }));
    }
    rules.extend(self::rules(&[NEW_SECRETS]));
    rules
}

/// The reference page `docs/reference/permissions.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# What the operator may do\n\nThe installer gives the operator these rights and no others, none with a wildcard, \
         and neither `bind` nor\n`escalate`. Where it has them depends on two settings of the inventory:\n\n\
         | `namespaces.mode` | `namespaces.reconcile_rbac` | in the whole cluster | in each watched namespace |\n\
         | --- | --- | --- | --- |\n",
    );
    for mode in [NamespaceMode::Disabled, NamespaceMode::ReadOnly, NamespaceMode::Dynamic] {
        let see = match mode {
            NamespaceMode::Disabled => "nothing",
            NamespaceMode::ReadOnly => "sees namespaces",
            NamespaceMode::Dynamic => "sees and makes namespaces",
        };
        if mode == NamespaceMode::Disabled {
            writeln!(
                page,
                "| `{}` | `true` or `false` | {see} | databases, by a role in it |",
                mode.as_str()
            )
            .ok();
            continue;
        }
        writeln!(
            page,
            "| `{}` | `true` | {see}; databases | nothing more: the label is enough |",
            mode.as_str()
        )
        .ok();
        writeln!(page, "| `{}` | `false` | {see} | databases, by a role in it |", mode.as_str()).ok();
    }
    page.push_str(
        "\nRoles in namespaces are made by the installer for those that the inventory lists. For others, and where \
         `rbac.create`\nis `false`, `pgherd render access` prints what an administrator has to apply.\n",
    );
    let tables = [
        ("Databases", WATCHED),
        ("Sees namespaces", SEE_NAMESPACES),
        ("Makes namespaces", MAKE_NAMESPACES),
        ("In its own namespace", OWN),
        ("Its Lease, by name in its own namespace", &[OWN_LEASE]),
        ("Secrets with its certificates, by name in its own namespace", &[OWN_SECRETS, NEW_SECRETS]),
        ("Secrets to pull images with, by name in its own namespace", &[PULL_SECRETS]),
    ];
    for (title, table) in tables {
        write!(page, "\n## {title}\n\n| group | resources | verbs | why |\n| --- | --- | --- | --- |\n").ok();
        for permission in table {
            let Permission { group, resources, verbs, why } = permission;
            let group = if group.is_empty() { "core" } else { group };
            writeln!(page, "| {group} | {} | {} | {why} |", resources.join(", "), verbs.join(", ")).ok();
        }
    }
    page.push_str("\nOnly the right to create can't be limited to names. What `tls.authority_secret` names is only read. \
         Secrets to pull images\nwith are read in the modes `readonly` and `dynamic` only.\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(namespaces: &str) -> Granted {
        let minimal = include_str!("../../inventory/minimal.toml");
        let text = minimal.replace("[namespaces]", &format!("[namespaces]\n{namespaces}"));
        Granted::of(&Inventory::parse("minimal.toml", &text).unwrap())
    }

    #[test]
    fn the_mode_of_namespaces_decides_where_the_rights_are() {
        let disabled = granted("mode = \"disabled\"");
        assert!(disabled.cluster.is_empty());
        assert_eq!(disabled.namespaces.len(), 1);

        let readonly = granted("mode = \"readonly\"");
        assert_eq!(readonly.cluster.len(), SEE_NAMESPACES.len() + WATCHED.len());
        assert!(readonly.namespaces.is_empty());

        let prepared = granted("mode = \"readonly\"\nreconcile_rbac = false");
        assert_eq!(prepared.cluster.len(), SEE_NAMESPACES.len());
        assert_eq!(prepared.namespaces.len(), 1);

        let verbs = |granted: &Granted| -> Vec<&str> {
            let of_namespaces = |permission: &&Permission| permission.resources == ["namespaces"];
            granted
                .cluster
                .iter()
                .filter(of_namespaces)
                .flat_map(|permission| permission.verbs)
                .copied()
                .collect()
        };
        assert_eq!(verbs(&readonly), ["get", "list", "watch"]);
        assert_eq!(verbs(&granted("mode = \"dynamic\"")), ["get", "list", "watch", "create"]);
    }

    #[test]
    fn only_the_secrets_with_certificates_are_within_reach() {
        let minimal = include_str!("../../inventory/minimal.toml");
        let rules = |tls: &str| {
            let text = minimal.replace("[images]\n", &format!("{tls}\n[images]\n"));
            secret_rules(&Inventory::parse("minimal.toml", &text).unwrap(), &["pull".parse().unwrap()])
        };
        let named = |rules: &[Value]| -> Vec<(Value, Value)> {
            rules.iter().map(|rule| (rule["resourceNames"].clone(), rule["verbs"].clone())).collect()
        };
        let all = json!(["get", "list", "watch", "patch"]);
        let create = (Value::Null, json!(["create"]));
        let own = [(json!(["pgherd-ca", "pgherd-tls"]), all.clone()), create.clone()];
        assert_eq!(named(&rules("")), own);
        let theirs = (json!(["company"]), json!(["get", "list", "watch"]));
        let other = [theirs, (json!(["pgherd-tls"]), all), create];
        assert_eq!(named(&rules("[tls]\nauthority_secret = \"company\"\n")), other);

        let followed = minimal.replace("[namespaces]", "[namespaces]\nmode = \"readonly\"");
        let inventory = Inventory::parse("minimal.toml", &followed).unwrap();
        let pull = (json!(["pull"]), json!(["get", "list", "watch"]));
        assert_eq!(named(&secret_rules(&inventory, &["pull".parse().unwrap()]))[1], pull);
        assert_eq!(named(&secret_rules(&inventory, &[])), own);
    }

    #[test]
    fn no_right_is_a_blank_cheque() {
        for permission in WATCHED.iter().chain(OWN).chain(SEE_NAMESPACES).chain(MAKE_NAMESPACES).chain(&[
            OWN_LEASE,
            OWN_SECRETS,
            PULL_SECRETS,
            NEW_SECRETS,
        ]) {
            let words = || permission.resources.iter().chain(permission.verbs);
            assert!(words().all(|word| !word.contains('*') && !word.is_empty()), "{permission:?}");
            assert!(
                !words().any(|word| ["bind", "escalate", "impersonate"].contains(word)),
                "{permission:?}"
            );
            assert!(permission.why.ends_with('.'), "{permission:?}");
        }
    }
}
