use serde_json::json;

use super::*;
use crate::postgres::member::tests::pod;

fn picture(conditions: &serde_json::Value, pods: Vec<Pod>) -> Picture {
    let cluster = serde_json::from_value(json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1", "kind": "PostgresCluster",
        "metadata": {"name": "h", "generation": 2},
        "spec": {"postgresVersion": 17, "instances": [{"name": "00", "replicas": 3, "dataVolumeClaimSpec": {}}]},
        "status": {"conditions": conditions},
    }));
    Picture {
        name: "h".into(),
        cluster: Some(cluster.unwrap()),
        pods: pods.into_iter().map(|pod| (pod.name_any(), pod)).collect(),
        ..Picture::default()
    }
}

fn ready_condition(status: &str, message: &str, generation: i64) -> serde_json::Value {
    json!([{
        "type": "Ready", "status": status, "reason": "X", "message": message, "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }])
}

#[test]
fn a_cluster_that_nobody_looked_at_says_so() {
    assert_eq!(picture(&json!([]), Vec::new()).progress(), ["no operator has looked at it yet"]);
}

#[test]
fn progress_names_the_primary_and_what_the_others_wait_for() {
    let pods = vec![
        pod("h-00-aaaa", "master", true, &json!({"state": "running"})),
        pod("h-00-bbbb", "", false, &json!({"state": "creating replica"})),
    ];
    let picture = picture(&ready_condition("False", "1 of 3 instances are ready", 2), pods);
    assert_eq!(
        picture.progress(),
        [
            "primary h-00-aaaa ready, replicas 0 of 2 (h-00-bbbb: creating replica)",
            "1 of 3 instances are ready",
        ]
    );
}

#[test]
fn a_condition_about_an_older_description_says_nothing() {
    let cluster = picture(&ready_condition("True", "ready", 1), Vec::new()).cluster.unwrap();
    assert_eq!(current(&cluster, conditions::READY), None);
    let cluster = picture(&ready_condition("True", "ready", 2), Vec::new()).cluster.unwrap();
    assert_eq!(current(&cluster, conditions::READY), Some((true, "ready")));
}

#[test]
fn what_is_left_is_told_from_pods_to_volumes() {
    let mut picture = picture(&json!([]), vec![pod("h-00-aaaa", "master", true, &json!({}))]);
    assert_eq!(picture.remains()[0], "stopping h-00-aaaa-0");
    picture.pods.clear();
    picture.cluster = None;
    let volume = serde_json::from_value(json!({"metadata": {"name": "h-00-aaaa-pgdata"}})).unwrap();
    picture.volumes.insert("h-00-aaaa-pgdata".into(), volume);
    assert_eq!(picture.remains(), ["volumes h-00-aaaa-pgdata are being deleted"]);
}

#[test]
fn a_watch_that_begins_anew_has_lost_nothing() {
    let mut picture = picture(&json!([]), Vec::new());
    let cluster = picture.cluster.clone().unwrap();
    picture.listed = [true; 3];
    picture.note(Seen::Cluster(Watched::Init));
    assert!(picture.cluster.is_none() && !picture.listed[0]);
    picture.note(Seen::Cluster(Watched::InitApply(cluster)));
    picture.note(Seen::Cluster(Watched::InitDone));
    assert!(picture.cluster.is_some() && picture.listed[0]);
}

#[test]
fn a_pod_without_a_node_waits_for_its_volume() {
    let labels = json!({"postgres-operator.crunchydata.com/instance": "h-00-aaaa"});
    let pod =
        serde_json::from_value(json!({"metadata": {"name": "h-00-aaaa-0", "labels": labels}, "status": {}}));
    let mut picture = picture(&json!([]), vec![pod.unwrap()]);
    assert_eq!(picture.progress()[0], "no primary yet (h-00-aaaa: waiting for a node)");
    let claim = serde_json::from_value(
        json!({"metadata": {"name": "h-00-aaaa-pgdata"}, "status": {"phase": "Pending"}}),
    );
    picture.volumes.insert("h-00-aaaa-pgdata".into(), claim.unwrap());
    assert_eq!(picture.progress()[0], "no primary yet (h-00-aaaa: waiting for volume h-00-aaaa-pgdata)");
}
