//! What the operator tells Prometheus about itself and its clusters.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::cluster::Outcome;

/// Upper bounds of the histogram of durations, in seconds: a look at a cluster at rest, a creation, a slow API server.
const BUCKETS: [f64; 8] = [0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// The operator's metrics.
pub(super) struct Metrics {
    registry: Registry,
    reconciliations: Family<OutcomeLabel, Counter>,
    errors: Family<CategoryLabel, Counter>,
    durations: Histogram,
    clusters: Family<OutcomeLabel, Gauge>,
    certificates: Family<CertificateLabel, Gauge>,
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
struct CertificateLabel {
    certificate: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("pgherd");
        let reconciliations = Family::default();
        let errors = Family::default();
        let durations = Histogram::new(BUCKETS);
        let clusters = Family::default();
        registry.register("reconciliations", "Reconciliations by how they ended", reconciliations.clone());
        registry.register("reconcile_errors", "Reconciliations that failed, by what failed", errors.clone());
        registry.register("reconcile_duration_seconds", "Time that a reconciliation took", durations.clone());
        registry.register("clusters", "Clusters by state", clusters.clone());
        let certificates = Family::default();
        registry.register(
            "certificate_expiry_seconds",
            "When a certificate of the operator expires, in seconds since 1970",
            certificates.clone(),
        );
        let states = Mutex::default();
        Self { registry, reconciliations, errors, durations, clusters, certificates, states }
    }
}

impl Metrics {
    /// Counts a reconciliation that ended with `outcome`.
    pub(super) fn reconciled(&self, namespace: &str, name: &str, outcome: &Outcome, took: Duration) {
        let state = match outcome {
            Outcome::Gone => "gone",
            Outcome::Ready => "ready",
            Outcome::Progressing => "progressing",
            Outcome::Deleting => "deleting",
            Outcome::Invalid => "invalid",
            Outcome::Paused => "paused",
            Outcome::NotOurs => "not_ours",
        };
        self.durations.observe(took.as_secs_f64());
        self.reconciliations.get_or_create(&OutcomeLabel { state }).inc();
        let mut states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = (namespace.to_owned(), name.to_owned());
        let before = match outcome {
            Outcome::Gone => states.remove(&key),
            _ => states.insert(key, state),
        };
        if let Some(before) = before {
            self.clusters.get_or_create(&OutcomeLabel { state: before }).dec();
        }
        if *outcome != Outcome::Gone {
            self.clusters.get_or_create(&OutcomeLabel { state }).inc();
        }
    }

    /// Counts a reconciliation that failed.
    pub(super) fn failed(&self, category: &'static str) {
        self.errors.get_or_create(&CategoryLabel { category }).inc();
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
    use super::*;

    #[test]
    fn a_cluster_is_counted_once_in_its_last_state() {
        let metrics = Metrics::default();
        for outcome in [Outcome::Progressing, Outcome::Ready, Outcome::Ready] {
            metrics.reconciled("zoo", "rhino", &outcome, Duration::from_millis(3));
        }
        let text = metrics.text().unwrap();
        assert!(text.contains("pgherd_clusters{state=\"ready\"} 1"), "{text}");
        assert!(text.contains("pgherd_clusters{state=\"progressing\"} 0"), "{text}");
        assert!(text.contains("pgherd_reconciliations_total{state=\"ready\"} 2"), "{text}");
        metrics.reconciled("zoo", "rhino", &Outcome::Gone, Duration::from_millis(3));
        assert!(metrics.text().unwrap().contains("pgherd_clusters{state=\"ready\"} 0"));
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
}
