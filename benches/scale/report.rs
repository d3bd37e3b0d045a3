//! What was measured, as a table for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    count::{self, Counts},
    sample::Sample,
};

/// What each number is to be below.
#[derive(Clone, Copy, Debug, Serialize)]
struct Goals {
    /// The operator's memory with the largest number of clusters, in MiB.
    megabytes: f64,
    /// Requests besides watches, for each cluster and minute at rest.
    requests_at_rest: f64,
}

const GOALS: Goals = Goals { megabytes: 64.0, requests_at_rest: 1.0 };

/// Everything from one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    kubernetes: String,
    processors: usize,
    /// The one-minute load of the machine when the run began: above 1 somebody else was at work.
    load_before: Option<f64>,
    goals: Goals,
    /// From few clusters to many.
    pub(crate) sizes: Vec<Size>,
}

/// One number of clusters.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Size {
    /// How many.
    pub(crate) clusters: usize,
    /// Seconds from the first request for a cluster until all are ready.
    pub(crate) ready_seconds: f64,
    /// The operator's requests until nothing was left to do.
    pub(crate) requests: Counts,
    /// The operator before there was a cluster.
    pub(crate) started: Sample,
    /// The operator when nothing was left to do.
    pub(crate) settled: Sample,
    /// How long it was watched at rest.
    pub(crate) rest_seconds: f64,
    /// Its requests in that time.
    pub(crate) requests_at_rest: Counts,
    /// The operator afterwards.
    pub(crate) rested: Sample,
    /// Seconds that deleting all of them took.
    pub(crate) deleted_seconds: f64,
}

impl Report {
    pub(crate) fn new(kubernetes: &str) -> Self {
        let load = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            version: pgherd::VERSION,
            kubernetes: kubernetes.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load.split_whitespace().next().and_then(|number| number.parse().ok()),
            goals: GOALS,
            sizes: Vec::new(),
        }
    }

    /// The tables for people.
    pub(crate) fn table(&self) -> String {
        let load = self.load_before.map_or_else(|| "unknown".to_owned(), |load| load.to_string());
        let mut text = format!(
            "pgherd {} on Kubernetes {}, {} processors, load {load} before the run\n\n",
            self.version, self.kubernetes, self.processors
        );
        text.push_str(
            "Until all are ready   seconds  per cluster: s   requests   writes   CPU ms   deleted, s\n",
        );
        for size in &self.sizes {
            let each = |value: f64| value / number(size.clusters);
            writeln!(
                text,
                "  {:>4} clusters{:>15.1}{:>16.2}{:>11.1}{:>9.1}{:>9.1}{:>13.1}",
                size.clusters,
                size.ready_seconds,
                each(size.ready_seconds),
                each(float(count::besides_watches(&size.requests))),
                each(float(count::writes(&size.requests))),
                each((size.settled.cpu - size.started.cpu) * 1e3),
                size.deleted_seconds,
            )
            .ok();
        }
        text.push_str(
            "\nOperator, MiB          started   settled   at rest    own    peak   KiB per cluster\n",
        );
        for size in &self.sizes {
            let grown = float(size.rested.anonymous) - float(size.started.anonymous);
            writeln!(
                text,
                "  {:>4} clusters{:>15.1}{:>10.1}{:>10.1}{:>7.1}{:>8.1}{:>18.1}",
                size.clusters,
                mebibytes(size.started.resident),
                mebibytes(size.settled.resident),
                mebibytes(size.rested.resident),
                mebibytes(size.rested.anonymous),
                mebibytes(size.rested.peak),
                grown / 1024.0 / number(size.clusters),
            )
            .ok();
        }
        text.push_str("\nAt rest                seconds   requests   writes   watches   requests per cluster and minute   CPU ms per minute\n");
        for size in &self.sizes {
            writeln!(
                text,
                "  {:>4} clusters{:>15.0}{:>11}{:>9}{:>10}{:>34.3}{:>20.0}",
                size.clusters,
                size.rest_seconds,
                count::besides_watches(&size.requests_at_rest),
                count::writes(&size.requests_at_rest),
                count::watches(&size.requests_at_rest),
                size.rest_rate(),
                (size.rested.cpu - size.settled.cpu) * 1e3 * 60.0 / size.rest_seconds,
            )
            .ok();
        }
        self.goals(&mut text);
        text
    }

    fn goals(&self, text: &mut String) {
        let Some(largest) = self.sizes.iter().max_by_key(|size| size.clusters) else { return };
        let memory = mebibytes(largest.settled.resident.max(largest.rested.resident));
        let rate = self.sizes.iter().map(Size::rest_rate).fold(0.0, f64::max);
        let writes: u64 = self.sizes.iter().map(|size| count::writes(&size.requests_at_rest)).sum();
        writeln!(
            text,
            "\n  MiB resident with {} clusters {}",
            largest.clusters,
            below(memory, GOALS.megabytes)
        )
        .ok();
        writeln!(text, "  Requests per cluster and minute at rest {}", below(rate, GOALS.requests_at_rest))
            .ok();
        writeln!(text, "  Writes at rest none: {}", if writes == 0 { "met" } else { "MISSED" }).ok();
        text.push_str(
            "\nRequests of the operator for each cluster of the largest number, until all were ready\n",
        );
        let mut kinds: Vec<_> = largest.requests.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (what, count) in kinds {
            writeln!(text, "  {:>8.2}  {what}", float(*count) / number(largest.clusters)).ok();
        }
    }
}

impl Size {
    /// Requests besides watches, for each cluster and minute at rest.
    fn rest_rate(&self) -> f64 {
        float(count::besides_watches(&self.requests_at_rest)) * 60.0
            / self.rest_seconds
            / number(self.clusters)
    }
}

fn below(value: f64, goal: f64) -> String {
    let met = if value < goal { "met" } else { "MISSED" };
    format!("{value:.1}, below {goal}: {met}")
}

fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / 1024.0 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn number(value: usize) -> f64 {
    value as f64
}
