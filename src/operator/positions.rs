//! Where instances are in the write-ahead log, for the metrics. It comes with the watch on pods that is there anyway: Patroni
//! tells it in an annotation whenever the log grows. Nobody looks at a cluster for that, and nothing is asked for or written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt as _, runtime::watcher};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::{
    api::labels,
    postgres::member::{Member, Role, behind},
};

/// Pods by namespace and name.
type Pods = BTreeMap<(String, String), Position>;

/// Where one instance is.
#[derive(Debug)]
struct Position {
    cluster: String,
    instance: String,
    role: Option<Role>,
    timeline: Option<u64>,
    /// In bytes from the log's beginning.
    place: Option<u64>,
}

impl Position {
    fn of(pod: &Pod) -> Option<((String, String), Self)> {
        let cluster = pod.labels().get(labels::CLUSTER)?.clone();
        let member = Member::of(pod)?;
        let place = member.position();
        let Member { name: instance, role, timeline, .. } = member;
        Some((key(pod), Self { cluster, instance, role, timeline, place }))
    }
}

fn key(pod: &Pod) -> (String, String) {
    (pod.namespace().unwrap_or_default(), pod.name_any())
}

/// What all watches on pods have told.
#[derive(Debug, Default)]
pub(super) struct Positions {
    watches: Mutex<Vec<Weak<Mutex<Pods>>>>,
}

/// What one watch on pods tells. When the watch ends, so does what it has told.
#[derive(Debug)]
pub(super) struct Follower {
    pods: Arc<Mutex<Pods>>,
    /// What a list that isn't complete yet has told.
    listed: Pods,
}

impl Positions {
    /// What a new watch will tell.
    pub(super) fn follower(&self) -> Follower {
        let pods = Arc::default();
        let mut watches = locked(&self.watches);
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&pods));
        Follower { pods, listed: Pods::new() }
    }
}

impl Follower {
    /// Takes note of what a watch tells.
    pub(super) fn see(&mut self, event: &watcher::Event<Pod>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(pod) => self.listed.extend(Position::of(pod)),
            // What isn't in the list went away unseen.
            watcher::Event::InitDone => *locked(&self.pods) = std::mem::take(&mut self.listed),
            watcher::Event::Apply(pod) => locked(&self.pods).extend(Position::of(pod)),
            watcher::Event::Delete(pod) => {
                locked(&self.pods).remove(&key(pod));
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A metric with a sample for each instance that `value` knows something of.
struct Metric {
    name: &'static str,
    help: &'static str,
    value: fn(&Position, Option<u64>) -> Option<u64>,
}

const METRICS: [Metric; 3] = [
    Metric {
        name: "replication_lag_bytes",
        help: "Bytes of the write-ahead log that a replica has yet to replay",
        value: |own, primary| {
            let replica = own.place.filter(|_| own.role == Some(Role::Replica))?;
            Some(behind(primary?, replica))
        },
    },
    Metric {
        name: "instance_primary",
        help: "Whether an instance leads (1) or follows (0)",
        value: |own, _| own.role.map(|role| u64::from(role == Role::Primary)),
    },
    Metric {
        name: "instance_timeline",
        help: "Timeline of an instance; each time another one takes over, a new one begins",
        value: |own, _| own.role.and(own.timeline),
    },
];

impl Collector for Positions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let watches: Vec<_> = locked(&self.watches).iter().filter_map(Weak::upgrade).collect();
        for Metric { name, help, value } in METRICS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for watch in &watches {
                let pods = locked(watch);
                let primaries: BTreeMap<(&str, &str), u64> = pods
                    .iter()
                    .filter(|(_, pod)| pod.role == Some(Role::Primary))
                    .filter_map(|((namespace, _), pod)| {
                        Some(((namespace.as_str(), pod.cluster.as_str()), pod.place?))
                    })
                    .collect();
                for ((namespace, _), pod) in &*pods {
                    let primary = primaries.get(&(namespace.as_str(), pod.cluster.as_str()));
                    let Some(value) = value(pod, primary.copied()) else { continue };
                    let labels = [
                        ("namespace", namespace.as_str()),
                        ("cluster", pod.cluster.as_str()),
                        ("instance", pod.instance.as_str()),
                    ];
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};
    use serde_json::json;

    use super::*;
    use crate::postgres::member::tests::pod;

    /// A pod of the cluster `rhino` in the namespace `zoo` that is at a place in the log.
    pub(crate) fn at(instance: &str, role: &str, position: u64) -> Pod {
        let status = json!({"state": "running", "timeline": 2, "xlog_location": position});
        let mut pod = pod(instance, role, true, &status);
        pod.metadata.namespace = Some("zoo".to_owned());
        pod.labels_mut().insert(labels::CLUSTER.to_owned(), "rhino".to_owned());
        pod
    }

    fn text(positions: &Arc<Positions>) -> String {
        let mut registry = Registry::with_prefix("pgherd");
        registry.register_collector(Box::new(Arc::clone(positions)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    fn lag(instance: &str, bytes: u64) -> String {
        format!(
            "pgherd_replication_lag_bytes{{namespace=\"zoo\",cluster=\"rhino\",instance=\"{instance}\"}} {bytes}\n"
        )
    }

    #[test]
    fn replicas_tell_how_far_behind_they_are_as_long_as_they_are_there() {
        let positions = Arc::new(Positions::default());
        let mut follower = positions.follower();
        follower.see(&watcher::Event::Init);
        follower.see(&watcher::Event::InitApply(at("a", "master", 1000)));
        follower.see(&watcher::Event::InitApply(at("b", "replica", 900)));
        assert!(!text(&positions).contains('{'), "half a list is none");
        follower.see(&watcher::Event::InitDone);
        let seen = text(&positions);
        assert!(seen.contains(&lag("b", 100)) && !seen.contains(&lag("a", 0)), "{seen}");
        let labels = r#"{namespace="zoo",cluster="rhino",instance="a"}"#;
        assert!(seen.contains(&format!("pgherd_instance_primary{labels} 1\n")), "{seen}");
        assert!(seen.contains(&format!("pgherd_instance_timeline{labels} 2\n")), "{seen}");

        follower.see(&watcher::Event::Apply(at("a", "master", 5000)));
        assert!(text(&positions).contains(&lag("b", 4100)));
        follower.see(&watcher::Event::Delete(at("b", "replica", 900)));
        assert!(!text(&positions).contains("instance=\"b\""));

        // What went away while nobody watched isn't in the next list.
        follower.see(&watcher::Event::Apply(at("b", "replica", 900)));
        follower.see(&watcher::Event::Init);
        follower.see(&watcher::Event::InitApply(at("a", "master", 5000)));
        assert!(text(&positions).contains(&lag("b", 4100)), "it may still be there");
        follower.see(&watcher::Event::InitDone);
        assert!(!text(&positions).contains("instance=\"b\""));
        drop(follower);
        assert!(!text(&positions).contains('{'), "nobody looks after the namespace any more");
    }

    #[test]
    fn without_a_primary_nobody_knows_how_far_behind_a_replica_is() {
        let positions = Arc::new(Positions::default());
        let mut follower = positions.follower();
        follower.see(&watcher::Event::Apply(at("b", "replica", 900)));
        let mut other = at("a", "master", 1000);
        other.metadata.namespace = Some("farm".to_owned());
        follower.see(&watcher::Event::Apply(other));
        let seen = text(&positions);
        assert!(!seen.contains("lag_bytes{"), "{seen}");
    }
}
