//! What the instances of a cluster may do in Kubernetes: the ServiceAccount, Role and RoleBinding that Patroni runs with.

use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
};

use super::{
    cluster::Cluster,
    meta::{self, Labels},
};

/// The account of the instances' pods.
#[must_use]
pub fn service_account(cluster: &Cluster) -> ServiceAccount {
    ServiceAccount {
        metadata: meta::object_meta(cluster, cluster.names.instance_access(), Labels::new(), &[]),
        image_pull_secrets: (!cluster.image_pull_secrets.is_empty())
            .then(|| cluster.image_pull_secrets.clone()),
        ..ServiceAccount::default()
    }
}

/// What Patroni needs to keep its state in Endpoints and to label the pod that leads.
#[must_use]
pub fn role(cluster: &Cluster) -> Role {
    Role {
        metadata: meta::object_meta(cluster, cluster.names.instance_access(), Labels::new(), &[]),
        rules: Some(instance_rules()),
    }
}

/// The rules of [`role`]. Whoever creates that Role must hold them too, since Kubernetes lets nobody give away more than
/// they have.
#[must_use]
pub fn instance_rules() -> Vec<PolicyRule> {
    vec![
        rule("", &["endpoints"], &["create", "deletecollection", "get", "list", "patch", "update", "watch"]),
        // OpenShift guards Endpoints that point at addresses of pods with a right of its own.
        rule("", &["endpoints/restricted"], &["create"]),
        rule("", &["pods"], &["get", "list", "patch", "watch"]),
        rule("", &["services"], &["create"]),
    ]
}

/// Gives [`role`] to [`service_account`].
#[must_use]
pub fn role_binding(cluster: &Cluster) -> RoleBinding {
    let name = cluster.names.instance_access();
    RoleBinding {
        metadata: meta::object_meta(cluster, name.clone(), Labels::new(), &[]),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject { kind: "ServiceAccount".to_owned(), name, ..Subject::default() }]),
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}
