//! What the operator may do, and why. The Roles that are installed and the page in `docs/reference/` come from these
//! tables. There is no wildcard, no `bind` and no `escalate`; a Role for a database's pods grants only what the operator
//! holds itself.

use std::fmt::Write as _;

use serde_json::{Value, json};

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
    Permission { group: "apps", resources: &["statefulsets"], verbs: MANAGE, why: "Runs instances." },
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
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &["get", "create", "update", "patch", "watch"],
        why: "Makes sure that one operator is at work.",
    },
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

/// The reference page `docs/reference/permissions.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# What the operator may do\n\nThe installer gives the operator these rights and no others. It has none outside \
         these namespaces, none with a\nwildcard, and neither `bind` nor `escalate`.\n",
    );
    for (title, table) in [("In each watched namespace", WATCHED), ("In its own namespace", OWN)] {
        write!(page, "\n## {title}\n\n| group | resources | verbs | why |\n| --- | --- | --- | --- |\n").ok();
        for permission in table {
            let Permission { group, resources, verbs, why } = permission;
            let group = if group.is_empty() { "core" } else { group };
            writeln!(page, "| {group} | {} | {} | {why} |", resources.join(", "), verbs.join(", ")).ok();
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_right_is_a_blank_cheque() {
        for permission in WATCHED.iter().chain(OWN) {
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
