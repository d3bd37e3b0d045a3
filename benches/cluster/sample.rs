//! What a process of this machine has used, as the kernel sees it.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

/// Ticks of the times in `/proc`, the same on every Linux that Kubernetes runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What it has used by now.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    /// Memory of its own and mapped files that are in memory, in bytes.
    pub(crate) resident: u64,
    /// Of that its own.
    pub(crate) anonymous: u64,
    /// The most that was resident.
    pub(crate) peak: u64,
    /// What its container is charged, page cache included.
    pub(crate) container: Option<u64>,
    /// Processor time since it started, in seconds.
    pub(crate) cpu: f64,
}

impl Sample {
    /// Reads the folder of a process below `/proc`. What its container is charged isn't there.
    pub(crate) fn of(process: &Path) -> anyhow::Result<Self> {
        let status = fs_err::read_to_string(process.join("status"))?;
        let kib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            number.map(|number| number * 1024).with_context(|| format!("no {field} in /proc"))
        };
        Ok(Self {
            resident: kib("RssAnon")? + kib("RssFile")? + kib("RssShmem")?,
            anonymous: kib("RssAnon")?,
            peak: kib("VmHWM")?,
            container: None,
            cpu: cpu(process)?,
        })
    }
}

fn cpu(process: &Path) -> anyhow::Result<f64> {
    let stat = fs_err::read_to_string(process.join("stat"))?;
    // The name in parentheses may hold blanks; user and system time are the 12th and 13th field after it.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    anyhow::ensure!(ticks.len() == 2, "/proc has another form than expected");
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
