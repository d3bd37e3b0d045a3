//! What Patroni keeps in the Kubernetes API: the system identifier, and the configuration that every instance follows.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Endpoints, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use super::{
    Story,
    error::{Error, ignore_missing},
    instances::pod_state,
};
use crate::{
    api::labels,
    desired::{Cluster, text::patroni},
    k8s::{
        OPERATOR,
        cluster_objects::{ClusterObjects, selector},
    },
};

const CONFIG: &str = "config";
const INITIALIZE: &str = "initialize";
const LEADER: &str = "leader";

/// Patroni's word for an instance that runs no PostgreSQL and does nothing about it.
const IDLE: &str = "stopped";

/// The system identifier of the database, once there is one.
#[must_use]
pub(super) fn system_identifier(cluster: &Cluster, objects: &ClusterObjects) -> Option<String> {
    annotation(cluster, objects, INITIALIZE).filter(|identifier| !identifier.is_empty())
}

/// The pod that holds the leader's lock, or held it last. Labels follow a moment later.
#[must_use]
pub(super) fn leader(lock: Option<&Endpoints>) -> Option<&str> {
    let holder = lock?.metadata.annotations.as_ref()?.get(LEADER)?;
    Some(holder.as_str()).filter(|holder| !holder.is_empty())
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

/// Lets another instance make the database when the one that had begun to was killed.
///
/// Patroni leaves an empty system identifier before it calls `initdb` and fills it in when there is a database, before there
/// is a leader. As long as it is empty all others wait, also for one that is gone, and the one that comes back in its place
/// waits as well. It can be taken away once nobody is left who could have written it: no pod that existed by then. Both
/// times are the API server's.
///
/// Pods that existed by then and do nothing, for as long as Patroni gives a silent leader, are replaced: the one whose
/// processes were killed, and those that wait for it. They have no data. If one had begun after all, it begins again.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn free_initialization(
    client: &Client,
    cluster: &Cluster,
    objects: &ClusterObjects,
    now: Timestamp,
    story: &mut Story,
) -> Result<(), Error> {
    let Some((kept, begun)) = initialization(cluster, objects) else { return Ok(()) };
    // Read after the store was: who wrote there is among them or gone.
    let pods: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let instances =
        ListParams::default().labels(&format!("{},{}", selector(&cluster.name), labels::INSTANCE));
    let present = pods.list(&instances).await?.items;
    let lease = SignedDuration::from_secs(cluster.patroni.leader_lease_seconds.into());
    match holders(&present, begun, now.duration_since(begun) > lease) {
        Holders::None => {
            let api: Api<Endpoints> = Api::namespaced(client.clone(), &cluster.namespace);
            let patch = json!({ "metadata": {
                "resourceVersion": kept.resource_version(),
                "annotations": { INITIALIZE: null },
            } });
            let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
            api.patch_metadata(&kept.name_any(), &params, &Patch::Merge(&patch)).await?;
            let note = "whoever made the database was killed; the next instance begins anew";
            story.tell("InitializationRepeated", "Initialize", note.to_owned());
        }
        Holders::Idle(idle) => {
            for pod in &idle {
                let params = DeleteParams {
                    preconditions: Some(Preconditions { uid: pod.uid(), resource_version: None }),
                    ..DeleteParams::default()
                };
                ignore_missing(pods.delete(&pod.name_any(), &params).await)?;
            }
            let names: Vec<String> = idle.iter().map(|pod| pod.name_any()).collect();
            let note = format!("nobody makes the database; replacing {}", names.join(", "));
            story.tell("InitializationInterrupted", "Initialize", note);
        }
        Holders::Busy => {}
    }
    Ok(())
}

/// Patroni's store and when it was written that some instance makes the database, while that isn't done.
fn initialization<'a>(cluster: &Cluster, objects: &'a ClusterObjects) -> Option<(&'a Endpoints, Timestamp)> {
    let store = objects.endpoints.get(&cluster.names.patroni_config())?;
    if !store.annotations().get(INITIALIZE)?.is_empty() {
        return None;
    }
    if leader(objects.endpoints.get(&cluster.names.leader())).is_some() {
        return None;
    }
    let field = format!("f:{INITIALIZE}");
    let written = store.managed_fields().iter().filter(|entry| {
        entry
            .fields_v1
            .as_ref()
            .is_some_and(|fields| !fields.0["f:metadata"]["f:annotations"][&field].is_null())
    });
    Some((store, written.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()?))
}

/// Pods that may have begun to make the database.
#[derive(Debug, PartialEq)]
enum Holders<'a> {
    /// There is none.
    None,
    /// One may still be at it.
    Busy,
    /// None of these is at it.
    Idle(Vec<&'a Pod>),
}

/// Times are whole seconds, so one of the same second counts as before.
fn holders(pods: &[Pod], begun: Timestamp, overdue: bool) -> Holders<'_> {
    let old = |pod: &&Pod| pod.creation_timestamp().is_none_or(|created| created.0 <= begun);
    let old: Vec<&Pod> = pods.iter().filter(old).collect();
    let idle = |pod: &&Pod| {
        let state = pod_state(pod);
        !state.terminating && (!state.running || state.patroni_state.as_deref() == Some(IDLE))
    };
    if old.is_empty() {
        Holders::None
    } else if overdue && old.iter().all(idle) {
        Holders::Idle(old)
    } else {
        Holders::Busy
    }
}

fn annotation(cluster: &Cluster, objects: &ClusterObjects, key: &str) -> Option<String> {
    let endpoints = objects.endpoints.get(&cluster.names.patroni_config())?;
    endpoints.metadata.annotations.as_ref()?.get(key).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(created: &str, state: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "rhino-herd-abcd-0", "creationTimestamp": created,
                "annotations": {"status": json!({"state": state}).to_string()},
            },
            "status": {"containerStatuses": [{
                "name": "database", "ready": false, "image": "", "imageID": "", "restartCount": 0,
                "state": {"running": {}},
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_nobody_holds_any_more_is_freed() {
        let begun = "2026-03-01T12:00:00Z".parse().unwrap();
        let (same, after) = ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z");
        let seen = |pods: &[Pod], overdue| match holders(pods, begun, overdue) {
            Holders::None => "none",
            Holders::Busy => "busy",
            Holders::Idle(_) => "idle",
        };
        assert_eq!(seen(&[], false), "none");
        assert_eq!(seen(&[pod(after, "stopped"), pod(after, "stopped")], false), "none");
        assert_eq!(seen(&[pod(same, "stopped")], false), "busy", "it may have written just now");
        assert_eq!(seen(&[pod(same, "stopped"), pod(after, "stopped")], true), "idle");
        assert_eq!(seen(&[pod(same, "stopped"), pod(same, "initializing new cluster")], true), "busy");
        let mut leaving = pod(same, "stopped");
        leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
        assert_eq!(seen(&[leaving], true), "busy", "its processes may still run");
    }
}
