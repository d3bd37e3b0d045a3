use serde_json::{Value, json};

use super::*;
use crate::operator::test_support;

/// An instance as it is found: a StatefulSet and a pod, whose role and readiness the test chooses.
struct Found {
    name: &'static str,
    set: &'static str,
    role: &'static str,
    ready: bool,
}

fn objects(found: &[Found]) -> ClusterObjects {
    let mut objects = ClusterObjects::default();
    for Found { name, set, role, ready } in found {
        let labels = json!({
            labels::CLUSTER: "rhino", labels::INSTANCE: name, labels::INSTANCE_SET: set, labels::ROLE: role,
        });
        let stateful_set = json!({"metadata": {"name": name, "labels": labels}});
        objects.stateful_sets.insert((*name).to_owned(), parse(stateful_set));
        let pod = format!("{name}-0");
        let status = json!({"containerStatuses": [container("database", *ready, &json!({"running": {}}))]});
        objects.pods.insert(
            pod.clone(),
            parse(json!({
                "metadata": {"name": pod, "labels": labels}, "status": status,
            })),
        );
    }
    objects
}

fn parse<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn container(name: &str, ready: bool, state: &Value) -> Value {
    json!({"name": name, "ready": ready, "image": "", "imageID": "", "restartCount": 0, "state": state})
}

fn planned(replicas: usize, objects: &ClusterObjects) -> Plan {
    let mut spec = test_support::spec();
    spec["instances"][0]["replicas"] = json!(replicas);
    plan(&test_support::cluster_from(&spec), &observe(objects), &mut rand::rng())
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.keep.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_new_cluster_begins_with_its_startup_instance() {
    let plan = planned(3, &ClusterObjects::default());
    assert_eq!(plan.keep.len(), 3);
    let startup = test_support::cluster().names.startup_instance("herd");
    assert_eq!(plan.keep[0].0, startup);
    let distinct: BTreeSet<&str> = names(&plan).into_iter().collect();
    assert_eq!(distinct.len(), 3, "{distinct:?}");
}

#[test]
fn what_exists_is_kept_before_anything_is_made() {
    let found = [Found { name: "rhino-herd-aaaa", set: "herd", role: "master", ready: true }];
    let plan = planned(2, &objects(&found));
    assert_eq!(names(&plan)[0], "rhino-herd-aaaa");
    assert_eq!(plan.keep.len(), 2);
    assert!(plan.remove.is_empty());
}

#[test]
fn a_volume_without_a_stateful_set_gets_it_back() {
    let mut objects = ClusterObjects::default();
    objects.volume_claims.insert(
        "rhino-herd-zzzz-pgdata".into(),
        parse(json!({"metadata": {"name": "rhino-herd-zzzz-pgdata", "labels": {
            labels::INSTANCE: "rhino-herd-zzzz", labels::INSTANCE_SET: "herd", labels::ROLE: labels::ROLE_PGDATA,
        }}})),
    );
    assert_eq!(names(&planned(1, &objects)), ["rhino-herd-zzzz"]);
}

#[test]
fn the_primary_is_never_the_one_removed() {
    let found = [
        Found { name: "rhino-herd-aaaa", set: "herd", role: "replica", ready: true },
        Found { name: "rhino-herd-bbbb", set: "herd", role: "replica", ready: false },
        Found { name: "rhino-herd-cccc", set: "herd", role: "master", ready: true },
    ];
    let plan = planned(1, &objects(&found));
    assert_eq!(names(&plan), ["rhino-herd-cccc"]);
    let removed: Vec<&str> = plan.remove.iter().map(InstanceName::as_str).collect();
    assert_eq!(removed, ["rhino-herd-aaaa", "rhino-herd-bbbb"]);
}

#[test]
fn nothing_is_removed_while_no_primary_is_known() {
    let found = [
        Found { name: "rhino-herd-aaaa", set: "herd", role: "replica", ready: true },
        Found { name: "rhino-gone-bbbb", set: "gone", role: "replica", ready: true },
    ];
    let plan = planned(1, &objects(&found));
    assert_eq!(names(&plan), ["rhino-herd-aaaa"]);
    assert!(plan.remove.is_empty(), "{plan:?}");
}

#[test]
fn a_set_that_is_gone_goes_when_the_others_serve_and_its_primary_last() {
    let planned = |ready| {
        let found = [
            Found { name: "rhino-gone-aaaa", set: "gone", role: "master", ready: true },
            Found { name: "rhino-gone-bbbb", set: "gone", role: "replica", ready: true },
            Found { name: "rhino-herd-cccc", set: "herd", role: "replica", ready },
        ];
        let plan = planned(1, &objects(&found));
        assert_eq!(names(&plan), ["rhino-herd-cccc"]);
        assert_eq!(plan.leaving.as_ref().map(InstanceName::as_str), Some("rhino-gone-aaaa"));
        plan.remove.iter().map(InstanceName::to_string).collect::<Vec<_>>()
    };
    assert_eq!(planned(false), Vec::<String>::new());
    assert_eq!(planned(true), ["rhino-gone-bbbb"]);
}

#[test]
fn a_pod_tells_what_it_waits_for() {
    let waiting = |status: Value| pod_state(&parse(json!({"metadata": {}, "status": status}))).waiting;
    assert_eq!(
        waiting(json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
        ]})),
        Some("0/3 nodes are available".into())
    );
    let pulling = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    assert_eq!(
        waiting(json!({"containerStatuses": [container("database", false, &pulling)]})),
        Some("ImagePullBackOff: no such image".into())
    );
    let failed = json!({"terminated": {"exitCode": 1, "message": "the image lacks patroni\n"}});
    assert_eq!(
        waiting(json!({"initContainerStatuses": [container("postgres-startup", false, &failed)]})),
        Some("postgres-startup ended with exit code 1: the image lacks patroni".into())
    );
    let creating = json!({"waiting": {"reason": "ContainerCreating"}});
    assert_eq!(waiting(json!({"containerStatuses": [container("database", false, &creating)]})), None);
}

#[test]
fn a_label_alone_makes_no_primary() {
    let mut objects = objects(&[Found { name: "rhino-herd-aaaa", set: "herd", role: "master", ready: true }]);
    let pod = objects.pods.get_mut("rhino-herd-aaaa-0").unwrap();
    pod.status = parse(json!({"containerStatuses": [
        container("database", false, &json!({"waiting": {"reason": "CrashLoopBackOff"}}))
    ]}));
    assert!(!observe(&objects).values().any(Instance::primary));
}
