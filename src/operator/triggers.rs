//! Which changes ask for a look at a cluster. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, core::PartialObjectMeta};

use super::cluster::instances::pod_state;
use crate::api::postgres_cluster::PostgresCluster;

/// What of a cluster's metadata asks for a look. Its status is the operator's own doing.
pub(super) fn description(cluster: &PartialObjectMeta<PostgresCluster>) -> Option<u64> {
    let meta = &cluster.metadata;
    hashed(&(
        meta.uid.as_deref(),
        meta.generation,
        meta.finalizers.as_deref(),
        &meta.labels,
        &meta.annotations,
        meta.deletion_timestamp.is_some(),
    ))
}

/// What of a pod asks for a look. Patroni writes into its annotations whenever the log grows; only what those say of the
/// instance's state counts. Of a pod that is stopping everything counts, its last trace included: a cluster that is being
/// deleted waits for just that.
pub(super) fn course(pod: &Pod) -> Option<u64> {
    let state = pod_state(pod);
    let trace = pod.resource_version().filter(|_| state.terminating);
    hashed(&(
        (pod.uid(), trace),
        pod.labels(),
        (state.primary, state.ready, state.running),
        (state.patroni_state, state.replication, state.timeline, state.pending_restart),
        state.waiting,
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of kube's predicates")]
pub(super) fn hashed(value: &impl Hash) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::labels;

    #[test]
    fn a_growing_log_asks_for_no_look_and_the_end_of_a_pod_for_one() {
        let pod = |status: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {
                    "name": "rhino-herd-abcd-0", "uid": "1",
                    "labels": {labels::CLUSTER: "rhino"},
                    "annotations": {"status": status},
                },
                "status": {"containerStatuses": [{
                    "name": "database", "ready": true, "image": "", "imageID": "", "restartCount": 0,
                    "state": {"running": {}},
                }]},
            }))
            .unwrap()
        };
        let mut stopping = pod("{}");
        stopping.metadata.deletion_timestamp = serde_json::from_value(json!("2026-03-01T12:00:00Z")).unwrap();
        stopping.metadata.resource_version = Some("1".into());
        let mut gone = stopping.clone();
        gone.metadata.resource_version = Some("2".into());
        assert_ne!(course(&stopping), course(&gone), "the end of a pod is a change");

        let before = course(&pod(r#"{"state":"running","xlog_location":1}"#));
        assert_eq!(before, course(&pod(r#"{"state":"running","xlog_location":2}"#)));
        for other in [
            r#"{"state":"stopping","xlog_location":2}"#,
            r#"{"state":"running","timeline":2,"xlog_location":2}"#,
            r#"{"state":"running","pending_restart":true,"xlog_location":2}"#,
            r#"{"state":"running","replication_state":"streaming","xlog_location":2}"#,
        ] {
            assert_ne!(before, course(&pod(other)), "{other}");
        }
    }
}
