//! The operator's process, as the machine sees it: a node of the cluster has to be this machine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use pgherd::roles::labels;

use crate::{sample::Sample, site::Site};

/// The process of an operator.
pub(crate) struct Operator {
    directory: PathBuf,
    cgroup: String,
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
        let sample =
            Sample::of(&self.directory).context("the operator was restarted while it was watched")?;
        Ok(Sample { container: self.charged(), ..sample })
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
