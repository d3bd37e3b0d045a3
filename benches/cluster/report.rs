//! What was measured, as a table for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{create::Phases, sample::Sample};

/// What each number is to be below.
#[derive(Clone, Copy, Debug, Serialize)]
struct Goals {
    /// Installing, as a multiple of the floor.
    install_ratio: f64,
    /// Installing, as a part of what Ansible takes.
    ansible_ratio: f64,
    /// Seconds from the request to a ready cluster.
    create_seconds: f64,
    /// The operator's memory with one cluster, in millions of bytes.
    operator_megabytes: f64,
    /// The operator's processor time until its first cluster is ready, in seconds.
    operator_cpu_seconds: f64,
}

const GOALS: Goals = Goals {
    install_ratio: 1.3,
    ansible_ratio: 0.1,
    create_seconds: 8.0,
    operator_megabytes: 25.0,
    operator_cpu_seconds: 0.8,
};

/// Everything from one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    version: &'static str,
    kubernetes: String,
    processors: usize,
    /// The one-minute load of the machine when the run began: above 1 somebody else was at work.
    load_before: Option<f64>,
    definitions_in_every_install: bool,
    goals: Goals,
    /// Installations of different sizes.
    pub(crate) installs: Vec<Installs>,
    /// What made the same objects.
    pub(crate) ansible: Ansible,
    /// Steps of each creation.
    pub(crate) create: Vec<Phases>,
    /// The operator's process.
    pub(crate) operator: Operator,
}

/// Installations of one size, in seconds each.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Installs {
    /// Namespaces for databases.
    pub(crate) namespaces: usize,
    /// Objects that are made.
    pub(crate) objects: usize,
    /// By kubectl.
    pub(crate) kubectl: Vec<f64>,
    /// By pgherd.
    pub(crate) pgherd: Vec<f64>,
    /// By Ansible.
    pub(crate) ansible: Vec<f64>,
}

/// Which Ansible it was, or why there was none.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ansible {
    /// The versions of Ansible and of what it needs.
    pub(crate) versions: Option<String>,
    /// Why it was left out.
    pub(crate) left_out: Option<String>,
}

/// The operator's process at four moments.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Operator {
    /// The installation is complete.
    pub(crate) started: Option<Sample>,
    /// Its first cluster is ready.
    pub(crate) ready: Option<Sample>,
    /// The cluster was at rest for a while.
    pub(crate) rested: Option<Sample>,
    /// How long.
    pub(crate) rest_seconds: u64,
    /// All clusters were created and deleted.
    pub(crate) ended: Option<Sample>,
}

impl Report {
    pub(crate) fn new(kubernetes: &str, definitions_in_every_install: bool) -> Self {
        let load = fs_err::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            version: pgherd::VERSION,
            kubernetes: kubernetes.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: load.split_whitespace().next().and_then(|number| number.parse().ok()),
            definitions_in_every_install,
            goals: GOALS,
            installs: Vec::new(),
            ansible: Ansible::default(),
            create: Vec::new(),
            operator: Operator::default(),
        }
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "pgherd {} on Kubernetes {}, {} processors, load {} before the run\n\n",
            self.version,
            self.kubernetes,
            self.processors,
            self.load_before.map_or_else(|| "unknown".to_owned(), |load| load.to_string())
        );
        for installs in &self.installs {
            installs.table(&self.ansible, &mut text);
        }
        if let Some(versions) = &self.ansible.versions {
            writeln!(text, "  Ansible is {versions}.").ok();
        }
        let made = if self.definitions_in_every_install { "made anew each time" } else { "there already" };
        writeln!(text, "  The definition of PostgresCluster was {made}.").ok();

        text.push_str("\nCreate one instance, seconds     min  median     max   runs   goal\n");
        let names = Phases::default().steps().map(|(name, _)| name);
        for (index, name) in names.into_iter().enumerate() {
            let values: Vec<f64> = self.create.iter().filter_map(|run| run.steps()[index].1).collect();
            let goal = match (name, median(&values)) {
                ("cluster ready", Some(median)) => below(median, GOALS.create_seconds),
                _ => String::new(),
            };
            row(&mut text, name, &values, &goal);
        }
        self.operator.table(&mut text);
        text
    }
}

impl Installs {
    fn table(&self, ansible: &Ansible, text: &mut String) {
        let namespaces = if self.namespaces == 1 { "one namespace" } else { "namespaces" };
        let count = if self.namespaces == 1 { String::new() } else { format!("{} ", self.namespaces) };
        writeln!(text, "Install {} objects, {count}{namespaces} for databases", self.objects).ok();
        text.push_str("  seconds                       min  median     max   runs   goal\n");
        row(text, "kubectl apply and wait", &self.kubectl, "");
        row(text, "pgherd install", &self.pgherd, "");
        match &ansible.left_out {
            None => row(text, "ansible", &self.ansible, ""),
            Some(reason) => {
                writeln!(text, "  {:<26}   left out: {reason}", "ansible").ok();
            }
        }
        ratio(text, "pgherd to kubectl", &self.pgherd, &self.kubectl, GOALS.install_ratio);
        ratio(text, "pgherd to ansible", &self.pgherd, &self.ansible, GOALS.ansible_ratio);
        text.push('\n');
    }
}

impl Operator {
    fn table(&self, text: &mut String) {
        let moments = [
            ("installed", self.started),
            ("first cluster ready", self.ready),
            ("at rest since", self.rested),
            ("all clusters deleted", self.ended),
        ];
        if moments.iter().all(|(_, sample)| sample.is_none()) {
            text.push_str("\nThe operator's process was not on this machine.\n");
            return;
        }
        text.push_str("\nOperator, MB                resident     own    peak  container   CPU seconds\n");
        for (name, sample) in moments {
            let Some(sample) = sample else { continue };
            let name = match name {
                "at rest since" => format!("{} s later, at rest", self.rest_seconds),
                other => other.to_owned(),
            };
            let container =
                sample.container.map_or_else(String::new, |bytes| format!("{:.1}", megabytes(bytes)));
            writeln!(
                text,
                "  {name:<26}{:>8.1}{:>8.1}{:>8.1}{container:>11}{:>14.2}",
                megabytes(sample.resident),
                megabytes(sample.anonymous),
                megabytes(sample.peak),
                sample.cpu
            )
            .ok();
        }
        if let Some(ready) = self.ready {
            let memory = below(megabytes(ready.resident), GOALS.operator_megabytes);
            let cpu = below(ready.cpu, GOALS.operator_cpu_seconds);
            writeln!(text, "  With one cluster: MB resident {memory}; CPU seconds from its start {cpu}").ok();
        }
        if let Some((ready, rested)) = self.ready.zip(self.rested) {
            let used = rested.cpu - ready.cpu;
            writeln!(text, "  At rest: {used:.2} CPU seconds in {} s", self.rest_seconds).ok();
        }
    }
}

fn row(text: &mut String, name: &str, values: &[f64], goal: &str) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.first(), median(values), sorted.last()) {
        (Some(min), Some(median), Some(max)) => {
            let line = format!("  {name:<26}{min:>8.2}{median:>8.2}{max:>8.2}{:>7}   {goal}", values.len());
            writeln!(text, "{}", line.trim_end()).ok();
        }
        _ => {
            writeln!(text, "  {name:<26}   not seen").ok();
        }
    }
}

/// The medians of two ways as a ratio, which is to be below a goal.
fn ratio(text: &mut String, name: &str, own: &[f64], other: &[f64], goal: f64) {
    let Some((own, other)) = median(own).zip(median(other)) else { return };
    let ratio = own / other;
    let goal = below(ratio, goal);
    writeln!(text, "  {name:<26}{:>16}             {goal}", format!("{ratio:.2}x")).ok();
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

fn below(value: f64, goal: f64) -> String {
    let met = if value < goal { "met" } else { "MISSED" };
    format!("below {goal}: {met}")
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
