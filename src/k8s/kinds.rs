//! From the kind that an object says it is to the place in the API where it lives.

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
    discovery::{self, Scope},
};
use serde::{Deserialize, Serialize};

use super::{Doing as _, Error};

/// An object by kind, namespace and name, as records, plans and messages name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// Group and version, as in a manifest.
    pub api_version: String,
    /// Kind, as in a manifest.
    pub kind: String,
    /// Namespace, unless the object belongs to the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// The identity of an object; an object without a kind or a name has an empty one.
    #[must_use]
    pub fn of(object: &DynamicObject) -> Self {
        let types = object.types.clone().unwrap_or_default();
        Self {
            api_version: types.api_version,
            kind: types.kind,
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone().unwrap_or_default(),
        }
    }

    /// Group, version and kind.
    #[must_use]
    pub fn gvk(&self) -> GroupVersionKind {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }

    /// Whether both name the same object, whatever version of its kind they speak.
    #[must_use]
    pub fn same_object(&self, other: &Self) -> bool {
        self.gvk().group == other.gvk().group
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = self.kind.to_lowercase();
        match &self.namespace {
            Some(namespace) => write!(formatter, "{kind} {namespace}/{}", self.name),
            None => write!(formatter, "{kind} {}", self.name),
        }
    }
}

/// Kinds of Kubernetes itself that belong to the whole cluster. All its other kinds live in namespaces.
const CLUSTER_SCOPED: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
];

/// Groups of Kubernetes itself whose kinds pgherd handles. They are as old as the oldest supported server, so nobody has
/// to be asked about them, which saves a request for each kind.
const BUILT_IN: &[&str] = &[
    "",
    "apps",
    "batch",
    "policy",
    "networking.k8s.io",
    "coordination.k8s.io",
    "apiextensions.k8s.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// The API for objects of a kind, in a namespace if the kind has them.
///
/// # Errors
/// When the server doesn't know the kind.
pub async fn api(
    client: &Client,
    gvk: &GroupVersionKind,
    namespace: Option<&str>,
) -> Result<Api<DynamicObject>, Error> {
    let (resource, scope) = if BUILT_IN.contains(&gvk.group.as_str()) {
        let cluster = CLUSTER_SCOPED.contains(&(gvk.group.as_str(), gvk.kind.as_str()));
        (ApiResource::from_gvk(gvk), if cluster { Scope::Cluster } else { Scope::Namespaced })
    } else {
        let (resource, capabilities) =
            discovery::pinned_kind(client, gvk).await.doing(|| format!("find the kind {}", gvk.kind))?;
        (resource, capabilities.scope)
    };
    Ok(Api::dynamic(client.clone(), &resource, &scope).constrain(namespace.unwrap_or_default()))
}

/// The API that holds one object.
///
/// # Errors
/// When the server doesn't know its kind.
pub async fn api_of(client: &Client, id: &ObjectId) -> Result<Api<DynamicObject>, Error> {
    api(client, &id.gvk(), id.namespace.as_deref()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_people_name_them() {
        let mut id = ObjectId {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            namespace: Some("pgo".into()),
            name: "pgherd".into(),
        };
        assert_eq!(id.to_string(), "deployment pgo/pgherd");
        assert_eq!(id.gvk().group, "apps");
        id.namespace = None;
        assert_eq!(id.to_string(), "deployment pgherd");
    }
}
