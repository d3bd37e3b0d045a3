use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::postgres_cluster::PostgresCluster,
    cli::verbs::show::view::{self, Seen},
    pki::{Authority, LeafRequest, Terms, Usage},
    postgres::member::tests::pod,
};

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-01T00:05:10Z";

fn cluster(conditions: &Value, spec: &Value) -> PostgresCluster {
    let mut cluster = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1", "kind": "PostgresCluster",
        "metadata": {"name": "hippo", "namespace": "orders"},
        "spec": {"postgresVersion": 17, "image": "localhost/postgres:17",
            "instances": [{"name": "00", "replicas": 2, "dataVolumeClaimSpec": {}}]},
        "status": {"conditions": conditions, "instances": [{"name": "00", "replicas": 2, "readyReplicas": 1}]},
    });
    let more = spec.as_object().cloned().unwrap_or_default();
    cluster["spec"].as_object_mut().unwrap().extend(more);
    serde_json::from_value(cluster).unwrap()
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW})
}

fn claim(name: &str) -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": name}, "status": {"capacity": {"storage": "20Gi"}}
    }))
    .unwrap()
}

fn service(name: &str, spec: &Value) -> Service {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

#[test]
fn a_cluster_that_is_well() {
    let now: Timestamp = NOW.parse().unwrap();
    let authority = Authority::generate("a", now, Terms::days(1000)).unwrap();
    let request = LeafRequest { common_name: "c".into(), dns_names: vec!["c".into()], usage: Usage::Server };
    let leaf = authority.issue(&request, now, Terms::days(364)).unwrap();
    let pods = [
        pod(
            "hippo-00-x7k2",
            "master",
            true,
            &json!({"state": "running", "timeline": 3, "xlog_location": 50_000}),
        ),
        pod(
            "hippo-00-m4qd",
            "replica",
            true,
            &json!({
            "state": "running", "replication_state": "streaming", "timeline": 3, "xlog_location": 37_712}),
        ),
    ];
    let services = [
        service("hippo-primary", &json!({})),
        service("hippo-replicas", &json!({})),
        service("hippo-ha", &json!({"type": "NodePort", "ports": [{"port": 5432, "nodePort": 30001}]})),
        service("hippo-pods", &json!({})),
    ];
    let volumes = [claim("hippo-00-x7k2-pgdata"), claim("hippo-00-m4qd-pgdata")];
    let seen = Seen {
        pods: &pods,
        volumes: &volumes,
        services: &services,
        certificate: Some(&leaf.certificate_pem),
    };
    let cluster = cluster(&json!([condition("Ready", "True", "Ready", "all is well")]), &json!({}));
    insta::assert_snapshot!(detail(&view::detail(&cluster, &seen, now), now));
}

#[test]
fn a_cluster_that_is_not() {
    let waiting = json!({"state": "running", "pending_restart": true,
        "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": "200"}}});
    let pods = [
        pod("hippo-00-x7k2", "master", true, &waiting),
        pod("hippo-00-m4qd", "", false, &json!({"state": "creating replica"})),
        serde_json::from_value(json!({
            "metadata": {"name": "hippo-00-92fz-0", "labels": {"postgres-operator.crunchydata.com/instance": "hippo-00-92fz"}},
            "status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient memory. preemption: not eligible."}]},
        }))
        .unwrap(),
    ];
    let conditions = json!([
        condition("Accepted", "True", "Valid", ""),
        condition("Ready", "False", "InstancesNotReady", "1 of 2 instances are ready"),
        condition("Replicating", "True", "Streaming", "1 of 1 replicas stream"),
        condition("PersistentVolumeResizing", "False", "NotPossible", "volumes can't shrink to 1Gi"),
        condition("PendingRestart", "True", "ParametersChanged", "max_connections: in force after a restart"),
        condition("Progressing", "False", "Paused", "spec.paused is set"),
    ]);
    let seen = Seen { pods: &pods, ..Seen::default() };
    let view = view::detail(&cluster(&conditions, &json!({"paused": true})), &seen, NOW.parse().unwrap());
    insta::assert_snapshot!(detail(&view, LATER.parse().unwrap()));
    insta::assert_json_snapshot!(view);
}

#[test]
fn what_is_under_way_is_told_and_a_restart_only_once() {
    let conditions = json!([
        condition("Progressing", "True", "RollingUpdate", "waiting: hippo-00-m4qd is not well"),
        condition("PersistentVolumeResizing", "True", "Resizing", "hippo-00-m4qd-pgdata grows to 2Gi"),
        condition("PendingRestart", "True", "ParametersChanged", "max_connections: in force after a restart"),
    ]);
    let view = view::detail(&cluster(&conditions, &json!({})), &Seen::default(), NOW.parse().unwrap());
    let types: Vec<&str> = view.summary.conditions.iter().map(|trouble| trouble.type_.as_str()).collect();
    assert_eq!(types, ["Progressing", "PersistentVolumeResizing", "PendingRestart"]);
    let text = detail(&view, LATER.parse().unwrap());
    assert!(text.contains("RollingUpdate for 5 min: waiting: hippo-00-m4qd is not well"), "{text}");
    // Without pods nobody knows the values; the condition has the names.
    assert!(text.contains("PendingRestart") && !text.contains("Pending  "), "{text}");
}

#[test]
fn states_have_their_words() {
    let state = |conditions: Value, spec: Value| view::summary(&cluster(&conditions, &spec)).state;
    assert_eq!(state(json!([]), json!({})), "not looked at yet");
    assert_eq!(
        state(json!([condition("Ready", "False", "Shutdown", "")]), json!({"shutdown": true})),
        "stopped"
    );
    assert_eq!(state(json!([condition("Accepted", "False", "Invalid", "")]), json!({})), "refused");
}

#[test]
fn a_list_has_a_line_for_each() {
    let summaries = [view::summary(&cluster(&json!([condition("Ready", "True", "Ready", "")]), &json!({})))];
    insta::assert_snapshot!(list(&summaries, true));
    assert_eq!(list(&[], false), "");
}
