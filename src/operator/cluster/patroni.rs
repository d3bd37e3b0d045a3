//! What Patroni keeps in the Kubernetes API: the system identifier, and the configuration that every instance follows.

use k8s_openapi::api::core::v1::Endpoints;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{Story, error::Error};
use crate::{
    desired::{Cluster, text::patroni},
    k8s::{OPERATOR, cluster_objects::ClusterObjects},
};

const CONFIG: &str = "config";
const INITIALIZE: &str = "initialize";

/// The system identifier of the database, once there is one.
#[must_use]
pub(super) fn system_identifier(cluster: &Cluster, objects: &ClusterObjects) -> Option<String> {
    annotation(cluster, objects, INITIALIZE).filter(|identifier| !identifier.is_empty())
}

/// Gives Patroni the configuration that the cluster asks for, when it has another one. Patroni sees the write at once and
/// reloads or marks a restart as pending by itself.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn apply_configuration(
    client: &Client,
    cluster: &Cluster,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<(), Error> {
    // Before it is initialized the configuration comes from the bootstrap section, and nobody else may write here.
    let Some(stored) = annotation(cluster, objects, CONFIG) else { return Ok(()) };
    let wanted = patroni::dynamic(cluster);
    if serde_json::from_str::<Value>(&stored).is_ok_and(|stored| stored == wanted) {
        return Ok(());
    }
    let api: Api<Endpoints> = Api::namespaced(client.clone(), &cluster.namespace);
    let patch = json!({ "metadata": { "annotations": { CONFIG: serde_json::to_string(&wanted)? } } });
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    api.patch_metadata(&cluster.names.patroni_config(), &params, &Patch::Merge(&patch)).await?;
    story.tell("ConfigurationChanged", "Configure", "gave Patroni a new configuration".to_owned());
    Ok(())
}

fn annotation(cluster: &Cluster, objects: &ClusterObjects, key: &str) -> Option<String> {
    let endpoints = objects.endpoints.get(&cluster.names.patroni_config())?;
    endpoints.metadata.annotations.as_ref()?.get(key).cloned()
}
