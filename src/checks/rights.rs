//! What an installation asks of the API server, whether the caller may do it, and the roles that would allow it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
};
use serde_json::{Value, json};

use super::{Code, Finding, Outcome};
use crate::{
    inventory::Inventory,
    k8s::{
        Doing as _,
        access::{self, Need},
        clusters,
        kinds::ObjectId,
    },
    roles::permissions::{Granted, NEW_SECRETS, OWN_SECRETS, Permission},
};

/// Requests that are under way at once.
const PARALLEL: usize = 16;

/// What of the cluster decides which rights are needed.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// Whether the kinds of pgherd are served already. Then definitions need not be written.
    pub defined: bool,
    /// Namespaces that are known to exist, or that the caller may not look for. They need not be made.
    pub namespaces: BTreeSet<String>,
}

pub(super) async fn check(client: &Client, inventory: &Inventory, objects: &[DynamicObject]) -> Vec<Finding> {
    let situation = match situation(client, inventory).await {
        Ok(situation) => situation,
        Err(error) => return vec![Finding::unseen(Code::Rights, &error)],
    };
    let needs = needs(inventory, objects, &situation);
    let asked = needs.iter().map(|need| async move { (need, access::allowed(client, need).await) });
    let answers: Vec<_> = stream::iter(asked).buffered(PARALLEL).collect().await;
    let mut missing = Vec::new();
    for (need, answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(need.to_string()),
            Err(error) => return vec![Finding::unseen(Code::Rights, &error)],
        }
    }
    let count = needs.len();
    vec![if missing.is_empty() {
        Finding::ok(Code::Rights, format!("you may do all {count} things that this installation needs"))
    } else {
        Finding::failed(
            Code::Rights,
            format!("you may not do {} of {count} things that this installation needs", missing.len()),
            "`pgherd check --role -i FILE` prints roles that an administrator can apply for you.",
        )
        .with_details(missing)
    }]
}

/// Finds out what of the cluster matters here.
///
/// # Errors
/// When the API server can't be asked.
pub async fn situation(client: &Client, inventory: &Inventory) -> Result<Situation, crate::k8s::Error> {
    let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    let mut namespaces = BTreeSet::new();
    for name in inventory.all_namespaces().into_iter().map(ToString::to_string) {
        match api.get_metadata_opt(&name).await.doing(|| format!("read namespace {name}")) {
            Ok(None) => {}
            Ok(Some(_)) => {
                namespaces.insert(name);
            }
            Err(error) if error.kind() == crate::k8s::Kind::Forbidden => {
                namespaces.insert(name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Situation { defined: clusters::defined(client).await?, namespaces })
}

/// Everything that an installation, a later change of it and its removal do. Pure.
#[must_use]
pub fn needs(inventory: &Inventory, objects: &[DynamicObject], situation: &Situation) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    let mut need = |namespace: Option<&str>, group: &str, resource: &str, verbs: &[&str]| {
        needs.extend(verbs.iter().map(|verb| Need {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: (*verb).to_owned(),
        }));
    };
    let home = inventory.installation.namespace.as_str();
    for id in objects.iter().map(ObjectId::of) {
        let ApiResource { group, plural: resource, .. } = ApiResource::from_gvk(&id.gvk());
        match id.kind.as_str() {
            // Definitions that are there are not written, and only who may write them compares them.
            "CustomResourceDefinition" if situation.defined => {}
            "CustomResourceDefinition" => {
                need(None, &group, &resource, &["get", "list", "watch", "create", "patch"]);
            }
            "Namespace" if situation.namespaces.contains(&id.name) => {}
            "Namespace" => need(None, &group, &resource, &["get", "create", "patch"]),
            // What is deleted is watched until it is gone.
            _ => need(
                id.namespace.as_deref(),
                &group,
                &resource,
                &["get", "list", "watch", "create", "patch", "delete"],
            ),
        }
    }
    // The record and certificates, the lease, and watching the operator start.
    need(Some(home), "", "secrets", &["get", "list", "watch", "create", "patch", "delete"]);
    need(
        Some(home),
        "coordination.k8s.io",
        "leases",
        &["get", "list", "watch", "create", "update", "delete"],
    );
    need(Some(home), "", "pods", &["list", "watch"]);
    need(Some(home), "", "events", &["list", "watch"]);
    // Nobody may give rights that they don't have.
    let granted = Granted::of(inventory);
    if inventory.rbac.create {
        let mut hold = |namespace: Option<&str>, permissions: &[Permission]| {
            for Permission { group, resources, verbs, .. } in permissions {
                for resource in *resources {
                    need(namespace, group, resource, verbs);
                }
            }
        };
        hold(None, &granted.cluster);
        hold(Some(home), &granted.own);
        hold(Some(home), &[OWN_SECRETS, NEW_SECRETS]);
        for namespace in &granted.namespaces {
            hold(Some(namespace.as_str()), &granted.watched);
        }
    }
    needs
}

/// What `check --probe` does beyond that. Pure.
#[must_use]
pub fn needs_of_probe(inventory: &Inventory) -> BTreeSet<Need> {
    let all: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
    let resources = [
        ("pods", all),
        ("secrets", all),
        ("persistentvolumeclaims", all),
        // Why something isn't bound or started.
        ("events", &["list", "watch"]),
    ];
    let of_namespace = |namespace: &str| {
        let need = |(resource, verb): (&str, &str)| Need {
            namespace: Some(namespace.to_owned()),
            group: String::new(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
        };
        let pairs =
            resources.iter().flat_map(|(resource, verbs)| verbs.iter().map(move |verb| (*resource, *verb)));
        pairs.map(need).collect::<Vec<_>>()
    };
    let mut needs: BTreeSet<Need> = inventory
        .all_namespaces()
        .into_iter()
        .flat_map(|namespace| of_namespace(namespace.as_ref()))
        .collect();
    // Whether a class says that its volumes grow.
    needs.insert(Need {
        namespace: None,
        group: "storage.k8s.io".to_owned(),
        resource: "storageclasses".to_owned(),
        verb: "list".to_owned(),
    });
    needs
}

/// Verbs by group and resource.
type Rules<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a str>>;

/// The roles that allow these things, with bindings to `user`: one for each namespace, and one for the whole cluster if
/// anything is needed there.
#[must_use]
pub fn roles(inventory: &Inventory, needs: &BTreeSet<Need>, user: &str) -> Vec<Value> {
    let name = format!("{}-installer", inventory.installation.name);
    let mut places: BTreeMap<Option<&str>, Rules<'_>> = BTreeMap::new();
    for need in needs {
        let rules = places.entry(need.namespace.as_deref()).or_default();
        rules.entry((&need.group, &need.resource)).or_default().push(&need.verb);
    }
    let subject = match user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, account)) => {
            json!({"kind": "ServiceAccount", "namespace": namespace, "name": account})
        }
        None => json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}),
    };
    let mut objects = Vec::new();
    for (namespace, rules) in places {
        let rules: Vec<Value> = rules
            .into_iter()
            .map(|((group, resource), verbs)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs}))
            .collect();
        let (role, binding, metadata) = if let Some(namespace) = namespace {
            ("Role", "RoleBinding", json!({"name": name, "namespace": namespace}))
        } else {
            let home = &inventory.installation.namespace;
            ("ClusterRole", "ClusterRoleBinding", json!({"name": format!("pgherd:{home}:{name}")}))
        };
        let version = "rbac.authorization.k8s.io/v1";
        let reference =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": metadata["name"]});
        objects.push(json!({"apiVersion": version, "kind": role, "metadata": metadata, "rules": rules}));
        objects.push(json!({
            "apiVersion": version, "kind": binding, "metadata": metadata, "roleRef": reference, "subjects": [subject],
        }));
    }
    objects
}

/// Whether a finding says that rights are missing.
#[must_use]
pub fn lacking(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.code == Code::Rights && finding.outcome == Outcome::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::{Catalogue, Files, Live, components};

    fn needed(change: &str, situation: &Situation) -> (Inventory, BTreeSet<Need>) {
        let minimal = include_str!("../../inventory/minimal.toml");
        // What follows the keys of the namespaces are tables of their own.
        let (namespaces, tables) = change.split_at(change.find('[').unwrap_or(change.len()));
        let text = minimal.replace("[namespaces]", &format!("[namespaces]\n{namespaces}")) + tables;
        let inventory = Inventory::parse("x", &text).unwrap();
        let (catalogue, live) = (Catalogue::load(None).unwrap(), Live::unseen(&inventory));
        let components =
            components(&catalogue, &inventory, &Files::default(), &live, jiff::Timestamp::UNIX_EPOCH)
                .unwrap();
        let objects: Vec<_> = components.into_iter().flat_map(|component| component.objects).collect();
        let needs = needs(&inventory, &objects, situation);
        (inventory, needs)
    }

    fn prepared() -> Situation {
        let namespaces = ["pgherd", "postgres-operator"].map(str::to_owned).into();
        Situation { defined: true, namespaces }
    }

    #[test]
    fn in_a_prepared_cluster_nothing_is_needed_outside_of_the_namespaces() {
        let (inventory, needs) = needed("mode = \"disabled\"", &prepared());
        assert!(needs.iter().all(|need| need.namespace.is_some()), "{needs:#?}");
        let kinds: Vec<Value> =
            roles(&inventory, &needs, "jane").iter().map(|object| object["kind"].clone()).collect();
        assert_eq!(kinds, ["Role", "RoleBinding", "Role", "RoleBinding"]);
    }

    #[test]
    fn a_probe_makes_pods_and_volumes_where_databases_will_be() {
        let (inventory, installing) = needed("mode = \"disabled\"", &prepared());
        let probing = needs_of_probe(&inventory);
        let text = "create persistentvolumeclaims in postgres-operator";
        let has = |needs: &BTreeSet<Need>| needs.iter().any(|need| need.to_string() == text);
        assert!(has(&probing), "{probing:#?}");
        let further: Vec<String> = probing.difference(&installing).map(ToString::to_string).collect();
        assert!(further.contains(&"list storageclasses.storage.k8s.io in the whole cluster".to_owned()));
    }

    #[test]
    fn policies_are_asked_for_by_the_name_that_the_api_has_for_them() {
        let (_, needs) = needed("mode = \"disabled\"\n[network]\npolicies = true", &prepared());
        let own =
            |need: &&Need| need.group == "networking.k8s.io" && need.namespace.as_deref() == Some("pgherd");
        assert!(needs.iter().any(|need| own(&need) && need.verb == "create"), "{needs:#?}");
        assert!(needs.iter().filter(own).all(|need| need.resource == "networkpolicies"), "{needs:#?}");
    }

    #[test]
    fn what_is_missing_in_the_cluster_has_to_be_made() {
        let (inventory, needs) = needed("mode = \"readonly\"", &Situation::default());
        let has = |text: &str| needs.iter().any(|need| need.to_string() == text);
        assert!(has("create customresourcedefinitions.apiextensions.k8s.io in the whole cluster"));
        assert!(has("create namespaces in the whole cluster"));
        assert!(has("create clusterroles.rbac.authorization.k8s.io in the whole cluster"));
        assert!(has("create pods/exec in the whole cluster"), "it gives this right to the operator");
        let roles = roles(&inventory, &needs, "system:serviceaccount:tools:installer");
        assert_eq!(roles[0]["kind"], "ClusterRole");
        assert_eq!(
            roles[1]["subjects"][0],
            json!({"kind": "ServiceAccount", "namespace": "tools", "name": "installer"})
        );
        let words = json!(roles).to_string();
        assert!(
            !words.contains("\"*\"") && !words.contains("escalate") && !words.contains("\"bind\""),
            "{words}"
        );
    }
}
