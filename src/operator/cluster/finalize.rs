//! Taking a cluster down in order. What pgherd made goes with its owner; what Patroni made has none, and would come back if
//! it were removed while an instance still runs.

use std::fmt::Debug;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{Endpoints, PersistentVolumeClaim, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Story,
    error::{Error, ignore_missing},
    follower::{Whose, whose},
};
use crate::{
    api::{labels, postgres_cluster::PostgresCluster},
    domain::cluster_names::ClusterNames,
    k8s::{OPERATOR, cluster_objects::selector},
};

/// How far a removal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Pods are still stopping; their end is watched for.
    Waiting,
    /// Nothing is left that the garbage collector can't remove.
    Done,
}

/// Makes sure that a cluster can't disappear before it was taken down, and writes on it who follows it, in one request.
/// Returns the resource as it is afterwards.
///
/// # Errors
/// When the API server refuses or can't be reached, or somebody else, such as another operator, was quicker.
pub(super) async fn protect(
    client: &Client,
    resource: PostgresCluster,
    follower: Option<&str>,
) -> Result<PostgresCluster, Error> {
    let mut metadata = json!({});
    if !resource.finalizers().iter().any(|finalizer| finalizer == labels::FINALIZER) {
        let mut finalizers = resource.finalizers().to_vec();
        finalizers.push(labels::FINALIZER.to_owned());
        metadata["finalizers"] = json!(finalizers);
    }
    if let (Some(follower), Whose::Nobodys) = (follower, whose(&resource, follower)) {
        metadata["annotations"] = json!({ labels::FOLLOWED_BY: follower });
    }
    if metadata == json!({}) {
        return Ok(resource);
    }
    Ok(change(client, &resource, metadata).await?.unwrap_or(resource))
}

/// Goes on with taking a cluster down.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn take_down(
    client: &Client,
    resource: &PostgresCluster,
    story: &mut Story,
) -> Result<Progress, Error> {
    if !resource.finalizers().iter().any(|finalizer| finalizer == labels::FINALIZER) {
        return Ok(Progress::Done);
    }
    let namespace = resource.namespace().unwrap_or_default();
    let name = resource.name_any();
    let of_cluster = ListParams::default().labels(&selector(&name));
    let keep = resource.annotations().get(labels::KEEP_VOLUMES).is_some_and(|value| value == "true");
    if keep {
        release_volumes(client, &namespace, &of_cluster).await?;
    }

    let poolers = stop::<Deployment>(client, &namespace, &of_cluster).await?;
    let instances = stop::<StatefulSet>(client, &namespace, &of_cluster).await?;
    if poolers || instances {
        story.tell("Deleting", "Delete", "stopping all instances".to_owned());
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    if !pods.list_metadata(&of_cluster).await?.items.is_empty() {
        return Ok(Progress::Waiting);
    }

    let endpoints: Api<Endpoints> = Api::namespaced(client.clone(), &namespace);
    let of_patroni = format!("{},{}={}", selector(&name), labels::PATRONI, ClusterNames::new(&name).leader());
    endpoints.delete_collection(&DeleteParams::default(), &ListParams::default().labels(&of_patroni)).await?;

    let others: Vec<String> =
        resource.finalizers().iter().filter(|finalizer| *finalizer != labels::FINALIZER).cloned().collect();
    change(client, resource, json!({ "finalizers": others })).await?;
    let volumes = if keep { "volumes are kept" } else { "volumes go with the cluster" };
    story.tell("Deleted", "Delete", format!("all instances are stopped; {volumes}"));
    Ok(Progress::Done)
}

/// Deletes what would make pods anew. Tells whether there was any.
async fn stop<K>(client: &Client, namespace: &str, of_cluster: &ListParams) -> Result<bool, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let owners: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut stopping = false;
    for owner in owners.list_metadata(of_cluster).await? {
        if owner.metadata.deletion_timestamp.is_none() {
            stopping = true;
            ignore_missing(owners.delete(&owner.name_any(), &DeleteParams::background()).await)?;
        }
    }
    Ok(stopping)
}

/// Takes volumes out of the cluster's possession, so that the garbage collector leaves them. Their labels stay: a cluster of
/// the same name comes back to its data.
async fn release_volumes(client: &Client, namespace: &str, of_cluster: &ListParams) -> Result<(), Error> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    for claim in claims.list_metadata(of_cluster).await? {
        if claim.owner_references().is_empty() {
            continue;
        }
        let patch = json!({
            "metadata": { "ownerReferences": null, "resourceVersion": claim.resource_version() },
        });
        let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
        ignore_missing(claims.patch_metadata(&claim.name_any(), &params, &Patch::Merge(&patch)).await)?;
    }
    Ok(())
}

/// Changes a resource's metadata, unless somebody else has changed the resource meanwhile. None when it is gone.
async fn change(
    client: &Client,
    resource: &PostgresCluster,
    mut metadata: Value,
) -> Result<Option<PostgresCluster>, Error> {
    let api: Api<PostgresCluster> =
        Api::namespaced(client.clone(), &resource.namespace().unwrap_or_default());
    metadata["resourceVersion"] = json!(resource.resource_version());
    let patch = json!({ "metadata": metadata });
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    Ok(ignore_missing(api.patch(&resource.name_any(), &params, &Patch::Merge(&patch)).await)?)
}
