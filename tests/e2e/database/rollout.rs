//! Changes that need new pods, restarts, or another primary.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Event, Pod},
};
use kube::{
    Api, ResourceExt,
    api::ListParams,
    runtime::{WatchStreamExt as _, watcher},
};
use pgherd::{
    api::{conditions, postgres_cluster::PostgresCluster},
    k8s::{
        reasons,
        wait::{self, Look},
    },
};
use serde_json::json;

use super::{
    super::{
        cluster::{Installation, PATIENCE},
        databases::{PREFIX, condition_is, described},
        tunnel::Tunnel,
        visitor::Visitor,
    },
    life::until_sql,
};

#[tokio::test(flavor = "multi_thread")]
async fn new_pods_come_one_at_a_time_and_the_primary_is_the_last() {
    let Some(installation) = Installation::new("rolled").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 3)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");

    let mut description = described("rhino", 3);
    description["spec"]["instances"][0]["resources"] = json!({"limits": {"memory": "512Mi"}});
    description["spec"]["instances"][0]["metadata"] = json!({"labels": {"team": "keepers"}});
    let old = uids(&installation, "rhino").await;
    let (order, ()) =
        tokio::join!(replaced(&installation, "rhino", &old), installation.describe(&description));
    assert_eq!(order.last(), Some(&primary), "replicas go first: {order:?}");
    settled(&installation, "rhino").await;

    let next = installation.primary("rhino").await;
    assert_ne!(next, primary, "another instance has taken over before");
    assert_eq!(installation.sql(&next, "SELECT answer FROM kept"), "42");
    let pod = installation.pods().get(&primary).await.unwrap();
    assert_eq!(pod.labels().get("team").map(String::as_str), Some("keepers"));
    let told = events(&installation).await;
    assert!(told.contains("PrimaryMoved") && told.contains("PodReplaced"), "{told}");

    // A single instance has nobody to hand over to.
    installation.describe(&described("gnu", 1)).await;
    installation.ready("gnu").await;
    let mut description = described("gnu", 1);
    description["spec"]["image"] = json!("localhost/postgres:17-plain");
    let old = uids(&installation, "gnu").await;
    let (order, ()) = tokio::join!(replaced(&installation, "gnu", &old), installation.describe(&description));
    assert_eq!(order.len(), 1);
    settled(&installation, "gnu").await;
    for cluster in ["rhino", "gnu"] {
        installation.delete(cluster).await;
    }
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_for_a_switchover_is_answered_once() {
    let Some(installation) = Installation::new("switched").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let first = installation.primary("rhino").await;
    let pods = uids(&installation, "rhino").await;
    let second = pods.keys().find(|pod| **pod != first).unwrap().clone();
    let target = second.strip_suffix("-0").unwrap();

    let follow = ["wait", "--for=condition=Replicating", "--timeout=60s", "postgrescluster/rhino"];
    let replicating = installation.kubectl(&follow, "");
    assert_eq!(replicating.code, Some(0), "{replicating}");
    let timeline = leads(&installation, first.strip_suffix("-0").unwrap(), 1).await;
    follows(&installation, &second).await;
    ask(&installation, "once", target).await;
    handed_over(&installation, &first, &second).await;
    leads(&installation, target, timeline + 1).await;
    lag_is_served(&installation, first.strip_suffix("-0").unwrap()).await;
    let listed = installation.kubectl(&["get", "postgrescluster", "rhino", "-o", "wide"], "").stdout;
    for word in ["PRIMARY", "TIMELINE", "PROGRESS", target] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let told = events(&installation).await;
    assert!(told.contains("SwitchoverDone") && told.contains("\"once\""), "{told}");
    assert_eq!(uids(&installation, "rhino").await, pods, "no pod is replaced for that");

    ask(&installation, "wrong", "nobody").await;
    assert_eq!(installation.primary("rhino").await, second);
    let told = events(&installation).await;
    assert!(told.contains("SwitchoverFailed") && told.contains("there is no instance nobody"), "{told}");

    // Changing the rest of it asks for nothing.
    let back = first.strip_suffix("-0").unwrap();
    let settings = json!({"spec": {"patroni": {"switchover": {"enabled": true, "targetInstance": back}}}});
    installation.change("rhino", settings).await;
    installation.ready("rhino").await;
    assert_eq!(installation.primary("rhino").await, second);
    follows(&installation, &first).await;
    ask(&installation, "back", back).await;
    handed_over(&installation, &second, &first).await;

    // The same by the verbs, which say who could and wait for what comes of it.
    settled(&installation, "rhino").await;
    follows(&installation, &second).await;
    let of = |verb: &[&str]| installation.run(&[verb, &["rhino", "-n", &installation.databases]].concat());
    let listed = of(&["failover", "--query", "-o", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).expect(&listed.stdout);
    assert_eq!((&listed[0]["name"], &listed[0]["able"]), (&json!(target), &json!(true)), "{listed}");
    let refused = of(&["switchover", "--target", back, "-y"]);
    assert!(
        refused.stderr.contains("PG-CLUSTER-08") && refused.stderr.contains("is the primary"),
        "{refused}"
    );
    let done = of(&["switchover", "-y", "-o", "json"]);
    let taken: serde_json::Value = serde_json::from_str(&done.stdout).expect(&done.stdout);
    assert_eq!((&taken["from"], &taken["to"]), (&json!(back), &json!(target)), "{done}");
    handed_over(&installation, &first, &second).await;
    settled(&installation, "rhino").await;
    follows(&installation, &first).await;
    let done = of(&["failover", "--target", back, "-y"]);
    assert_eq!(done.code, Some(0), "{done}");
    handed_over(&installation, &second, &first).await;
    leads(&installation, back, timeline + 4).await;
    let told = events(&installation).await;
    assert!(!told.contains("PrimaryChanged"), "each was asked for: {told}");
    installation.delete("rhino").await;
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_with_other_defaults_replaces_no_pod() {
    let Some(installation) = Installation::new("renewed").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;
    let operator = installation.start_operator();
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let pods = uids(&installation, "rhino").await;
    operator.kill();

    let image = "localhost/postgres:17-plain";
    let operator = installation.start_operator_with(image);
    let sets: Api<StatefulSet> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    for pod in pods.keys() {
        let name = pod.strip_suffix("-0").unwrap();
        let look = |found: Option<&StatefulSet>| match found.filter(|set| newest(set, image)) {
            Some(_) => Look::Done(()),
            None => Look::Waiting(format!("{name} is as the first operator made it")),
        };
        wait::until(&sets, name, PATIENCE, look, |_| {}).await.unwrap();
    }
    // By the time this change is through, the operator has looked at the new StatefulSets, too.
    installation.change("rhino", json!({"spec": {"users": [{"name": "keeper"}]}})).await;
    installation.ready("rhino").await;
    settled(&installation, "rhino").await;
    assert_eq!(uids(&installation, "rhino").await, pods);
    installation.delete("rhino").await;
    drop(operator);
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_need_a_restart_get_one_and_pods_stay() {
    let Some(installation) = Installation::new("restarted").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let pods = uids(&installation, "rhino").await;
    // Up: replicas first. Down: the primary first, or replicas would keep the old value.
    for connections in ["120", "80"] {
        let mut description = described("rhino", 2);
        description["spec"]["config"] = json!({"parameters": {"max_connections": connections}});
        let pending = |cluster: &PostgresCluster| {
            let message = condition_is(cluster, conditions::PENDING_RESTART, "True")?;
            if message.starts_with("max_connections: ") { Ok(()) } else { Err(message) }
        };
        tokio::join!(installation.until("rhino", pending), installation.describe(&description));
        for pod in pods.keys() {
            until_sql_again(&installation, pod, "SHOW max_connections", connections).await;
        }
        settled(&installation, "rhino").await;
        let nothing = |cluster: &PostgresCluster| {
            condition_is(cluster, conditions::PENDING_RESTART, "True").map_or(Ok(()), Err)
        };
        installation.until("rhino", nothing).await;
    }
    assert_eq!(uids(&installation, "rhino").await, pods);
    let told = events(&installation).await;
    assert!(told.contains("Restarted") && told.contains("max_connections"), "{told}");
    let primary = installation.primary("rhino").await;
    until_sql(&installation, &primary, "SELECT count(*) FROM pg_stat_replication", "1").await;
    installation.delete("rhino").await;
    installation.uninstall();
}

/// While the operator can't reach the API server, the description asks for new pods and another instance takes over. Back again,
/// it goes by who leads then.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_was_away_replaces_todays_primary_last() {
    let Some(installation) = Installation::new("returned").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;
    let tunnel = Tunnel::open(&installation.cluster.kubeconfig).await;
    let through = installation.sandbox.file("tunnel.conf", &tunnel.kubeconfig);
    let _operator = installation.start_operator_through(&through, "localhost/postgres:17", "operator.log");
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let before = installation.primary("rhino").await;
    let old = uids(&installation, "rhino").await;
    let today = old.keys().find(|name| **name != before).unwrap();
    follows(&installation, today).await;

    tunnel.cut();
    let mut description = described("rhino", 2);
    description["spec"]["instances"][0]["metadata"] = json!({"labels": {"team": "keepers"}});
    installation.describe(&description).await;
    let candidate = format!("--candidate={today}");
    let ask = ["patronictl", "switchover", "--scheduled=now", "--force", &candidate, "rhino-ha"];
    let ran = installation.kubectl(&[&["exec", &before, "-c", "database", "--"], &ask[..]].concat(), "");
    assert!(ran.stdout.contains("Successfully switched over"), "{ran}");
    handed_over(&installation, &before, today).await;
    assert_eq!(uids(&installation, "rhino").await, old, "nobody replaces pods meanwhile");

    let (order, ()) = tokio::join!(replaced(&installation, "rhino", &old), async { tunnel.mend() });
    assert_eq!(order, [before, today.clone()]);
    settled(&installation, "rhino").await;
    installation.delete("rhino").await;
    installation.uninstall();
}

/// The pods of a cluster by name, with what tells them from later ones of that name.
pub(super) async fn uids(installation: &Installation, name: &str) -> BTreeMap<String, String> {
    let selector = format!("{PREFIX}/cluster={name},{PREFIX}/instance");
    let pods = installation.pods().list(&ListParams::default().labels(&selector)).await.unwrap();
    pods.iter().map(|pod| (pod.name_any(), pod.uid().unwrap())).collect()
}

/// Watches until every pod of `old` has a ready successor, and returns the order in which they were taken away. None may
/// go before all others are ready.
async fn replaced(installation: &Installation, name: &str, old: &BTreeMap<String, String>) -> Vec<String> {
    let watched = watcher::Config::default().labels(&format!("{PREFIX}/cluster={name},{PREFIX}/instance"));
    let mut events = std::pin::pin!(watcher(installation.pods(), watched).default_backoff());
    let mut present: BTreeMap<String, Pod> = BTreeMap::new();
    let mut order = Vec::new();
    let follow = async {
        while let Some(event) = events.next().await {
            let pod = match event {
                Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => pod,
                Ok(watcher::Event::Delete(pod)) => {
                    present.remove(&pod.name_any());
                    continue;
                }
                _ => continue,
            };
            let name = pod.name_any();
            let leaving = pod.metadata.deletion_timestamp.is_some();
            if leaving && old.get(&name) == pod.uid().as_ref() && !order.contains(&name) {
                let others = old.keys().filter(|other| **other != name);
                let down: Vec<&String> =
                    others.filter(|other| !present.get(*other).is_some_and(serves)).collect();
                assert!(down.is_empty(), "{name} goes while {down:?} is down, after {order:?}");
                order.push(name.clone());
            }
            present.insert(name, pod);
            let done = |(name, uid): (&String, &String)| {
                present.get(name).is_some_and(|pod| serves(pod) && pod.uid().as_ref() != Some(uid))
            };
            if old.iter().all(done) {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(3 * PATIENCE, follow).await;
    assert!(ended.is_ok(), "of {old:?} only these were replaced: {order:?}");
    order
}

fn serves(pod: &Pod) -> bool {
    reasons::ready(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether a StatefulSet has this image in its template, and its controller knows.
fn newest(set: &StatefulSet, image: &str) -> bool {
    let status = set.status.as_ref();
    let template = set.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let mut containers = template.into_iter().flat_map(|spec| &spec.containers);
    containers.any(|container| container.image.as_deref() == Some(image))
        && status.and_then(|status| status.observed_generation) == set.metadata.generation
}

/// Waits until nothing is on its way any more.
pub(super) async fn settled(installation: &Installation, name: &str) {
    let look = |cluster: &PostgresCluster| {
        condition_is(cluster, conditions::READY, "True")?;
        match condition_is(cluster, conditions::PROGRESSING, "True") {
            Ok(message) => Err(message),
            Err(_) => Ok(()),
        }
    };
    installation.until(name, look).await;
}

/// Asks for a switchover to an instance, and waits until that is answered.
async fn ask(installation: &Installation, value: &str, target: &str) {
    let annotation = format!("{PREFIX}/trigger-switchover");
    let request = json!({
        "metadata": {"annotations": {&annotation: value}},
        "spec": {"patroni": {"switchover": {"enabled": true, "targetInstance": target}}},
    });
    installation.change("rhino", request).await;
    let look = |cluster: &PostgresCluster| {
        let patroni = cluster.status.as_ref().and_then(|status| status.patroni.as_ref());
        let answered = patroni.and_then(|patroni| patroni.switchover.as_deref());
        if answered == Some(value) { Ok(()) } else { Err(format!("the last request is {answered:?}")) }
    };
    installation.until("rhino", look).await;
    settled(installation, "rhino").await;
}

/// Waits until Patroni tells that a replica streams: it looks every ten seconds, and until then nobody may ask it to take over.
async fn follows(installation: &Installation, replica: &str) {
    let streams = |pod: &Pod| {
        let told = pod.annotations().get("status").is_some_and(|status| status.contains("\"streaming\""));
        pod.name_any() == replica && serves(pod) && told
    };
    installation.until_pod("rhino", streams).await;
}

/// Waits until the status says that this instance leads, on this timeline or a later one. Returns the timeline.
async fn leads(installation: &Installation, instance: &str, timeline: i64) -> i64 {
    let look = |cluster: &PostgresCluster| {
        let patroni = cluster.status.as_ref().and_then(|status| status.patroni.as_ref());
        let seen = patroni.and_then(|patroni| Some((patroni.primary.as_deref()?, patroni.timeline?)));
        match seen {
            Some((primary, now)) if primary == instance && now >= timeline => Ok(now),
            other => Err(format!("{other:?} instead of {instance} on {timeline}")),
        }
    };
    installation.until("rhino", look).await
}

/// Asks the operator for its metrics until they tell how far a replica is behind.
async fn lag_is_served(installation: &Installation, replica: &str) {
    let visitor = Visitor::of(installation);
    let bundle = installation.succeed(&["certs", "export"]).stdout;
    let labels =
        format!("{{namespace=\"{}\",cluster=\"rhino\",instance=\"{replica}\"}} ", installation.databases);
    let sample = |metrics: &str, name: &str| {
        let begin = format!("{name}{labels}");
        metrics.lines().find_map(|line| line.strip_prefix(&begin)?.parse::<u64>().ok())
    };
    let begun = std::time::Instant::now();
    loop {
        let metrics = visitor.metrics(&bundle).await;
        let told = |name: &str| sample(&metrics, name);
        if told("pgherd_replication_lag_bytes").is_some() && told("pgherd_instance_primary") == Some(0) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{labels}: {metrics}");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

/// Waits until the labels follow the leader's lock.
async fn handed_over(installation: &Installation, from: &str, to: &str) {
    let role = format!("{PREFIX}/role");
    for (name, expected) in [(to, "master"), (from, "replica")] {
        let is = |pod: &Pod| {
            let now = pod.labels().get(&role).map(String::as_str);
            pod.name_any() == name && now == Some(expected) && serves(pod)
        };
        installation.until_pod("rhino", is).await;
    }
}

/// Asks until a pod answers as expected, also while it restarts.
async fn until_sql_again(installation: &Installation, pod: &str, sql: &str, expected: &str) {
    let begun = std::time::Instant::now();
    let command = ["exec", "-i", pod, "-c", "database", "--", "psql", "-XAtqw", "-U", "postgres"];
    loop {
        let ran = installation.kubectl(&command, sql);
        if ran.code == Some(0) && ran.stdout.trim() == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{sql} in {pod}: {ran}");
        tokio::task::yield_now().await;
    }
}

/// What was told of the clusters of the namespace, a line for each event.
pub(super) async fn events(installation: &Installation) -> String {
    let events: Api<Event> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let list = events.list(&ListParams::default()).await.unwrap();
    let line = |event: &Event| {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}: {}\n", text(&event.reason), text(&event.message))
    };
    list.iter().map(line).collect()
}
