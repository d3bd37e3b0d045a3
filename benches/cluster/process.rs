//! The operator's process, as the machine sees it: a node of the cluster has to be this machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use pgherd::roles::labels;
use serde::Serialize;

use crate::site::Site;

/// Ticks of the times in `/proc`, the same on every Linux that Kubernetes runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process of an operator.
pub(crate) struct Operator {
    directory: PathBuf,
    cgroup: String,
}

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

/// Looks for the operator among the processes of this machine: in the control group of its pod.
pub(crate) async fn find(site: &Site) -> anyhow::Result<Option<Operator>> {
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), site.home());
    let selector = labels::selector(&labels::operator_selector(&site.inventory.installation));
    let list = pods.list(&ListParams::default().labels(&selector)).await?;
    let uid = list.items.first().and_then(kube::ResourceExt::uid).context("the operator has no pod")?;
    for entry in fs_err::read_dir("/proc")? {
        let directory = entry?.path();
        // A process may end while it is looked at.
        let name = fs_err::read_to_string(directory.join("comm")).unwrap_or_default();
        if name.trim() != "pgherd" {
            continue;
        }
        let cgroup = fs_err::read_to_string(directory.join("cgroup")).unwrap_or_default();
        if cgroup.contains(&uid) || cgroup.contains(&uid.replace('-', "_")) {
            return Ok(Some(Operator { directory, cgroup }));
        }
    }
    Ok(None)
}

impl Operator {
    /// What it has used by now.
    pub(crate) fn sample(&self) -> anyhow::Result<Sample> {
        let status = fs_err::read_to_string(self.directory.join("status"))
            .context("the operator was restarted while it was watched")?;
        let kib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            number.map(|number| number * 1024).with_context(|| format!("no {field} in /proc"))
        };
        Ok(Sample {
            resident: kib("RssAnon")? + kib("RssFile")? + kib("RssShmem")?,
            anonymous: kib("RssAnon")?,
            peak: kib("VmHWM")?,
            container: self.charged(),
            cpu: self.cpu()?,
        })
    }

    fn cpu(&self) -> anyhow::Result<f64> {
        let stat = fs_err::read_to_string(self.directory.join("stat"))?;
        // The name in parentheses may hold blanks; user and system time are the 12th and 13th field after it.
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: Vec<f64> =
            after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        anyhow::ensure!(ticks.len() == 2, "/proc has another form than expected");
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    /// Memory that the control group is charged, in version 1 and 2 of control groups.
    fn charged(&self) -> Option<u64> {
        let path = |controller: &str| {
            self.cgroup.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                controllers.split(',').any(|name| name == controller).then(|| path.trim_start_matches('/'))
            })
        };
        let root = Path::new("/sys/fs/cgroup");
        let file = match path("memory") {
            Some(path) => root.join("memory").join(path).join("memory.usage_in_bytes"),
            None => root.join(path("")?).join("memory.current"),
        };
        fs_err::read_to_string(file).ok()?.trim().parse().ok()
    }
}
