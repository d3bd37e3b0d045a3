//! How long the queue of clusters to look at is. The library that keeps the queue doesn't tell, so this follows along: what is
//! asked for is waiting from then on, what is to be done later waits from then on, and what begins waits no more.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::{Resource, ResourceExt as _};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        MetricType,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
};

use crate::api::postgres_cluster::PostgresCluster;

/// Clusters by namespace and name, and since or from when each waits.
#[derive(Debug)]
pub(super) struct Queue {
    due: Mutex<HashMap<(String, String), Instant>>,
    /// How long clusters have waited.
    waits: Histogram,
    /// How many are being looked at.
    running: Gauge,
}

/// A look, until it is dropped.
pub(super) struct Look(Gauge);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Queue {
    /// An empty queue that tells these how long clusters wait, and how many are being looked at.
    pub(super) fn new(waits: Histogram, running: Gauge) -> Self {
        Self { due: Mutex::default(), waits, running }
    }

    /// A cluster is to be looked at now.
    pub(super) fn ask(&self, namespace: &str, name: &str) {
        self.later(namespace, name, Duration::ZERO);
    }

    /// A change of this object asks for a look at the clusters that own it.
    pub(super) fn ask_for_owners<K: Resource>(&self, object: &K) {
        let namespace = object.namespace().unwrap_or_default();
        let (kind, version) = (PostgresCluster::kind(&()), PostgresCluster::api_version(&()));
        for owner in object.owner_references() {
            if owner.kind == kind && owner.api_version == version {
                self.ask(&namespace, &owner.name);
            }
        }
    }

    /// A cluster is to be looked at after this time, unless it is earlier.
    pub(super) fn later(&self, namespace: &str, name: &str, wait: Duration) {
        let Some(at) = Instant::now().checked_add(wait) else { return };
        let mut due = self.due();
        let known = due.entry((namespace.to_owned(), name.to_owned())).or_insert(at);
        *known = at.min(*known);
    }

    /// A look at a cluster begins. What changes from now on asks for another one.
    pub(super) fn begin(&self, namespace: &str, name: &str) -> Look {
        if let Some(since) = self.due().remove(&(namespace.to_owned(), name.to_owned())) {
            self.waits.observe(since.elapsed().as_secs_f64());
        }
        self.running.inc();
        Look(self.running.clone())
    }

    /// A cluster doesn't exist any more.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.due().remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Nobody looks after the clusters of a namespace any more.
    pub(super) fn leave(&self, namespace: &str) {
        self.due().retain(|(of, _), _| of != namespace);
    }

    /// How many clusters wait, and for how long the first of them.
    fn waiting(&self) -> (u64, Duration) {
        let now = Instant::now();
        let waits: Vec<Duration> =
            self.due().values().filter_map(|since| now.checked_duration_since(*since)).collect();
        let count = u64::try_from(waits.len()).unwrap_or(u64::MAX);
        (count, waits.into_iter().max().unwrap_or_default())
    }

    fn due(&self) -> MutexGuard<'_, HashMap<(String, String), Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (count, longest) = self.waiting();
        let help = "Clusters that wait to be looked at";
        let length = encoder.encode_descriptor("queue_length", help, None, MetricType::Gauge)?;
        ConstGauge::new(count).encode(length)?;
        let help = "Time that the first of them has waited by now";
        let age = encoder.encode_descriptor("queue_age_seconds", help, None, MetricType::Gauge)?;
        ConstGauge::new(longest.as_secs_f64()).encode(age)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;

    fn queue() -> Queue {
        Queue::new(Histogram::new([1.0]), Gauge::default())
    }

    fn length(queue: &Queue) -> u64 {
        queue.waiting().0
    }

    #[test]
    fn a_cluster_waits_once_until_somebody_looks() {
        let queue = queue();
        queue.ask("zoo", "rhino");
        queue.ask("zoo", "rhino");
        queue.ask("zoo", "gnu");
        queue.ask("farm", "gnu");
        assert_eq!(length(&queue), 3);
        let look = queue.begin("zoo", "rhino");
        assert_eq!((length(&queue), queue.running.get()), (2, 1));
        queue.ask("zoo", "rhino");
        assert_eq!(length(&queue), 3, "what changes meanwhile has to be looked at again");
        drop(look);
        assert_eq!(queue.running.get(), 0);
        queue.forget("farm", "gnu");
        queue.leave("zoo");
        assert_eq!(length(&queue), 0);
    }

    #[test]
    fn what_is_to_be_done_later_waits_from_then_on() {
        let queue = queue();
        queue.later("zoo", "rhino", Duration::from_hours(6));
        assert_eq!(queue.waiting(), (0, Duration::ZERO));
        queue.ask("zoo", "rhino");
        queue.later("zoo", "rhino", Duration::from_hours(6));
        assert_eq!(length(&queue), 1, "the earlier one counts");
        queue.later("zoo", "gnu", Duration::MAX);
        assert_eq!(length(&queue), 1);
    }

    #[test]
    fn objects_ask_for_their_owners_only() {
        let queue = queue();
        let owned = |kind: &str, version: &str| -> Secret {
            let owner = json!({"apiVersion": version, "kind": kind, "name": "rhino", "uid": "1"});
            serde_json::from_value(json!({"metadata": {"namespace": "zoo", "ownerReferences": [owner]}}))
                .unwrap()
        };
        queue.ask_for_owners(&owned("Deployment", "apps/v1"));
        assert_eq!(length(&queue), 0);
        queue.ask_for_owners(&owned("PostgresCluster", "postgres-operator.crunchydata.com/v1beta1"));
        assert_eq!(length(&queue), 1);
    }
}
