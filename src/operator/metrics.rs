//! What the operator tells Prometheus about itself and its clusters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use super::{cluster::Outcome, positions::Positions, queue::Queue};

/// Upper bounds of the histograms of durations, in seconds: a look at a cluster at rest, a creation, a slow API server.
const BUCKETS: [f64; 8] = [0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The state of a cluster whose last reconciliation failed.
const FAILING: &str = "failing";

/// The operator's metrics.
pub(super) struct Metrics {
    registry: Registry,
    reconciliations: Family<OutcomeLabel, Counter>,
    errors: Family<CategoryLabel, Counter>,
    durations: Histogram,
    /// Clusters that wait to be looked at.
    pub(super) queue: Arc<Queue>,
    clusters: Family<OutcomeLabel, Gauge>,
    requests: Family<RequestLabels, Counter>,
    certificates: Family<CertificateLabel, Gauge>,
    /// Where instances are in the log.
    pub(super) positions: Arc<Positions>,
    /// How each cluster's last reconciliation ended, to count clusters by state.
    states: Mutex<HashMap<(String, String), &'static str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CategoryLabel {
    category: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pgherd");
        let histogram = || Histogram::new(BUCKETS);
        let reconciliations = Family::default();
        let errors = Family::default();
        let (durations, waits) = (histogram(), histogram());
        let running = Gauge::default();
        let clusters = Family::default();
        let requests = Family::default();
        let certificates = Family::default();
        let positions = Arc::new(Positions::default());
        let own = &mut registry;
        register(own, "reconciliations", "Reconciliations by how they ended", &reconciliations);
        register(own, "reconcile_errors", "Reconciliations that failed, by what failed", &errors);
        register(own, "reconcile_duration_seconds", "Time that a reconciliation took", &durations);
        register(own, "reconciliations_running", "Clusters that are being looked at", &running);
        register(own, "queue_duration_seconds", "Time that clusters waited to be looked at", &waits);
        register(own, "clusters", "Clusters by state", &clusters);
        register(own, "api_requests", "Requests to the API server, by verb and answer", &requests);
        let help = "When a certificate of the operator expires, in seconds since 1970";
        register(own, "certificate_expiry_seconds", help, &certificates);
        let queue = Arc::new(Queue::new(waits, running));
        registry.register_collector(Box::new(Arc::clone(&queue)));
        registry.register_collector(Box::new(Arc::clone(&positions)));
        let states = Mutex::default();
        Self {
            registry,
            reconciliations,
            errors,
            durations,
            queue,
            clusters,
            requests,
            certificates,
            positions,
            states,
        }
    }
}

/// Registers a metric under its name, with a sentence.
fn register(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register(name, help, metric.clone());
}

impl Metrics {
    /// Counts a reconciliation that ended with `outcome`.
    pub(super) fn reconciled(&self, namespace: &str, name: &str, outcome: &Outcome) {
        let state = match outcome {
            Outcome::Gone => "gone",
            Outcome::Ready => "ready",
            Outcome::Progressing => "progressing",
            Outcome::Deleting => "deleting",
            Outcome::Invalid => "invalid",
            Outcome::Paused => "paused",
            Outcome::NotOurs => "not_ours",
        };
        self.reconciliations.get_or_create(&OutcomeLabel { state }).inc();
        if *outcome == Outcome::Gone {
            self.gone(namespace, name);
        } else {
            self.is(namespace, name, state);
        }
    }

    /// Counts a reconciliation that failed.
    pub(super) fn failed(&self, namespace: &str, name: &str, category: &'static str) {
        self.errors.get_or_create(&CategoryLabel { category }).inc();
        self.is(namespace, name, FAILING);
    }

    /// Notes how long a reconciliation took, however it ended.
    pub(super) fn took(&self, duration: Duration) {
        self.durations.observe(duration.as_secs_f64());
    }

    /// Notes that a cluster doesn't exist any more.
    pub(super) fn gone(&self, namespace: &str, name: &str) {
        self.queue.forget(namespace, name);
        if let Some(state) = self.states().remove(&(namespace.to_owned(), name.to_owned())) {
            self.clusters.get_or_create(&OutcomeLabel { state }).dec();
        }
    }

    /// Notes that nobody looks after the clusters of a namespace any more.
    pub(super) fn left(&self, namespace: &str) {
        self.queue.leave(namespace);
        self.states().retain(|(of, _), state| {
            if of == namespace {
                self.clusters.get_or_create(&OutcomeLabel { state }).dec();
            }
            of != namespace
        });
    }

    fn is(&self, namespace: &str, name: &str, state: &'static str) {
        let before = self.states().insert((namespace.to_owned(), name.to_owned()), state);
        if let Some(state) = before {
            self.clusters.get_or_create(&OutcomeLabel { state }).dec();
        }
        self.clusters.get_or_create(&OutcomeLabel { state }).inc();
    }

    fn states(&self) -> MutexGuard<'_, HashMap<(String, String), &'static str>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request to the API server. Without a code there was no answer.
    pub(super) fn requested(&self, verb: &'static str, code: Option<u16>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.requests.get_or_create(&RequestLabels { verb, code }).inc();
    }

    /// Notes when one of the operator's certificates expires.
    pub(super) fn certificate_expires(&self, certificate: &'static str, end: Timestamp) {
        self.certificates.get_or_create(&CertificateLabel { certificate }).set(end.as_second());
    }

    /// All metrics in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// When a metric can't be written.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use kube::runtime::watcher;

    use super::*;
    use crate::operator::positions::{Follower, tests::at};

    #[test]
    fn a_cluster_is_counted_once_in_its_last_state() {
        let metrics = Metrics::default();
        for outcome in [Outcome::Progressing, Outcome::Ready, Outcome::Ready] {
            metrics.reconciled("zoo", "rhino", &outcome);
        }
        let counts = |state: &str, count| {
            let text = metrics.text().unwrap();
            assert!(text.contains(&format!("pgherd_clusters{{state=\"{state}\"}} {count}")), "{text}");
        };
        counts("ready", 1);
        counts("progressing", 0);
        assert!(metrics.text().unwrap().contains("pgherd_reconciliations_total{state=\"ready\"} 2"));
        metrics.failed("zoo", "rhino", "api");
        counts("ready", 0);
        counts("failing", 1);
        metrics.reconciled("zoo", "rhino", &Outcome::Ready);
        metrics.reconciled("zoo", "rhino", &Outcome::Gone);
        metrics.gone("zoo", "rhino");
        counts("ready", 0);
        counts("failing", 0);
        metrics.reconciled("zoo", "rhino", &Outcome::Ready);
        metrics.reconciled("farm", "rhino", &Outcome::Ready);
        metrics.left("zoo");
        counts("ready", 1);
    }

    #[test]
    fn the_end_of_a_certificate_is_told_in_unix_time() {
        let metrics = Metrics::default();
        metrics.certificate_expires("endpoint", Timestamp::from_second(1_800_000_000).unwrap());
        metrics.certificate_expires("endpoint", Timestamp::from_second(1_900_000_000).unwrap());
        let text = metrics.text().unwrap();
        let line = "pgherd_certificate_expiry_seconds{certificate=\"endpoint\"} 1900000000";
        assert!(text.contains(line), "{text}");
    }

    /// The metrics with at least one sample of each, and what keeps them there.
    fn filled() -> (Metrics, Follower) {
        let metrics = Metrics::default();
        metrics.reconciled("zoo", "rhino", &Outcome::Ready);
        metrics.failed("zoo", "rhino", "api");
        metrics.took(Duration::from_millis(3));
        drop(metrics.queue.begin("zoo", "rhino"));
        metrics.requested("get", Some(200));
        metrics.certificate_expires("endpoint", Timestamp::UNIX_EPOCH);
        let mut follower = metrics.positions.follower();
        follower.see(&watcher::Event::Apply(at("a", "master", 2)));
        follower.see(&watcher::Event::Apply(at("b", "replica", 1)));
        (metrics, follower)
    }

    /// The page for users has each metric with its type and labels, and no other.
    #[test]
    fn the_page_lists_what_there_is() {
        let (metrics, _kept) = filled();
        let text = metrics.text().unwrap();
        let mut present = BTreeMap::new();
        for line in text.lines() {
            if let Some((name, type_)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
                let total = if type_ == "counter" { "_total" } else { "" };
                let sample = |line: &&str| line.starts_with(&format!("{name}{total}{{"));
                let labels =
                    text.lines().find(sample).and_then(|line| line.split_once('{')?.1.split_once('}'));
                let labels: BTreeSet<String> = labels
                    .map(|(labels, _)| labels.split(',').filter_map(|label| label.split_once('=')))
                    .into_iter()
                    .flatten()
                    .map(|(label, _)| label.to_owned())
                    .collect();
                present.insert(format!("{name}{total}"), (type_.to_owned(), labels));
            }
        }
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let page = fs_err::read_to_string(page).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `pgherd_"));
        let listed: BTreeMap<String, (String, BTreeSet<String>)> = rows
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                let labels = cells[3].split(", ").map(|label| label.trim_matches('`').to_owned());
                let labels = labels.filter(|label| !label.is_empty()).collect();
                (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
            })
            .collect();
        assert_eq!(listed, present);
    }
}
