//! A Lease that keeps two installers of one installation apart.
//!
//! Whoever holds it renews it every few seconds. It may be taken over when it was not renewed for its duration while
//! *we* looked on, so clocks that disagree do no harm, or at once when its holder was a process of this machine that has
//! ended, so that a killed installer doesn't delay the next one.

use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams, Preconditions},
    runtime::watcher::{self, watcher},
};
use tokio::{sync::watch, task::JoinHandle};

use super::{Doing as _, Error, Kind};

const DURATION: Duration = Duration::from_secs(12);
const RENEWAL: Duration = Duration::from_secs(4);
/// Which process holds the Lease, in terms that only the same machine understands.
const PROCESS: &str = "pgherd.io/process";

/// Why the Lease can't be had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody holds it and is alive.
    #[error("{holder} is at work on this installation")]
    Held {
        /// Who says so.
        holder: String,
    },
    /// It can't be read or written.
    #[error(transparent)]
    Request(#[from] Error),
}

/// The Lease, while it is held.
#[derive(Debug)]
pub struct Held {
    api: Api<Lease>,
    name: String,
    uid: Option<String>,
    renewing: JoinHandle<()>,
    lost: watch::Receiver<bool>,
}

/// Takes the Lease, waiting for as long as it takes to tell a living holder from a dead one. `tell` gets who holds it.
///
/// # Errors
/// When a living holder has it, or it can't be written.
pub async fn acquire(
    client: &Client,
    namespace: &str,
    name: &str,
    user: &str,
    tell: impl Fn(&str),
) -> Result<Held, LeaseError> {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let process = process();
    loop {
        let mut lease = describe(name, user, process.as_deref());
        let attempt = match api.get_opt(name).await.doing(|| format!("read lease {namespace}/{name}"))? {
            None => api.create(&PostParams::default(), &lease).await,
            Some(existing) => {
                if let Some(holder) = holder(&existing)
                    && !ended_here(&existing)
                {
                    tell(&format!("{holder} holds the lease {name}; looking whether it is alive"));
                    silent(&api, name, &existing).await.map_err(|()| LeaseError::Held { holder })?;
                }
                lease.metadata.resource_version = existing.metadata.resource_version;
                api.replace(name, &PostParams::default(), &lease).await
            }
        };
        match attempt.doing(|| format!("take lease {namespace}/{name}")) {
            Ok(lease) => return Ok(Held::keep(api, lease)),
            // Another one was quicker, or the holder let go: look again.
            Err(error) if matches!(error.kind(), Kind::Conflict | Kind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Held {
    fn keep(api: Api<Lease>, lease: Lease) -> Self {
        let (name, uid) = (lease.name_any(), lease.uid());
        let (losing, lost) = watch::channel(false);
        let renewing = tokio::spawn(renew(api.clone(), lease, losing));
        Self { api, name, uid, renewing, lost }
    }

    /// Waits until the Lease is lost to somebody else; never ends while it is held.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the Lease back by deleting it.
    ///
    /// # Errors
    /// When it can't be deleted. That it is gone, or somebody else's by now, is no error.
    pub async fn release(self) -> Result<(), Error> {
        self.renewing.abort();
        let mine = Preconditions { uid: self.uid.clone(), resource_version: None };
        let parameters = DeleteParams::default().preconditions(mine);
        let deleted = self.api.delete(&self.name, &parameters).await.map(drop);
        match deleted.doing(|| format!("delete lease {}", self.name)) {
            Err(error) if !matches!(error.kind(), Kind::NotFound | Kind::Conflict) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(api: Api<Lease>, mut lease: Lease, losing: watch::Sender<bool>) {
    let mut interval = tokio::time::interval(RENEWAL);
    interval.tick().await;
    loop {
        interval.tick().await;
        if let Some(spec) = &mut lease.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match api.replace(&lease.name_any(), &PostParams::default(), &lease).await {
            Ok(renewed) => lease = renewed,
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
                losing.send_replace(true);
                return;
            }
            // A server that is away for a moment may still get the next renewal in time.
            Err(error) => tracing::debug!(%error, "the lease could not be renewed"),
        }
    }
}

/// Looks on for the Lease's duration; an error if it was renewed meanwhile.
async fn silent(api: &Api<Lease>, name: &str, seen: &Lease) -> Result<(), ()> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let known = seen.resource_version();
    let mut stream = watcher(api.clone(), config).boxed();
    let renewed = async {
        while let Some(event) = stream.next().await {
            match event {
                Ok(watcher::Event::Apply(lease) | watcher::Event::InitApply(lease))
                    if lease.resource_version() != known =>
                {
                    return true;
                }
                // Given back while we looked on.
                Ok(watcher::Event::Delete(_)) => return false,
                _ => {}
            }
        }
        false
    };
    match tokio::time::timeout(DURATION, renewed).await {
        Ok(true) => Err(()),
        Ok(false) | Err(_) => Ok(()),
    }
}

fn describe(name: &str, user: &str, process: Option<&str>) -> Lease {
    let now = MicroTime(Timestamp::now());
    let annotations = process.map(|process| [(PROCESS.to_owned(), process.to_owned())].into());
    let host = host();
    Lease {
        metadata: ObjectMeta { name: Some(name.to_owned()), annotations, ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(format!("{user}@{host}/{}", std::process::id())),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }),
    }
}

/// Who holds a Lease.
#[must_use]
pub fn holder(lease: &Lease) -> Option<String> {
    lease.spec.as_ref()?.holder_identity.clone().filter(|holder| !holder.is_empty())
}

/// What this machine is called; in a pod, what the pod is.
#[must_use]
pub fn host() -> String {
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if host.trim().is_empty() { "unknown".to_owned() } else { host.trim().to_owned() }
}

/// Boot, process namespace, process and its start: together they are never used twice.
fn process() -> Option<String> {
    describe_process(std::process::id())
}

fn describe_process(pid: u32) -> Option<String> {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs_err::read_link("/proc/self/ns/pid").ok()?;
    let status = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name in parentheses may hold blanks; the start time is the 20th field after it.
    let start = status.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
    Some(format!("{}/{}/{pid}/{start}", boot.trim(), namespace.display()))
}

/// Whether the holder was a process of this machine that has ended. A holder elsewhere answers no.
fn ended_here(lease: &Lease) -> bool {
    let Some(theirs) = lease.annotations().get(PROCESS) else { return false };
    let Some(ours) = process() else { return false };
    let scope = |process: &str| process.splitn(3, '/').take(2).map(str::to_owned).collect::<Vec<_>>();
    let Some(pid) = theirs.split('/').nth(2).and_then(|pid| pid.parse().ok()) else { return false };
    scope(theirs) == scope(&ours) && describe_process(pid).as_deref() != Some(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_ended_here_is_told_from_one_that_runs() {
        let mine = describe("l", "me", process().as_deref());
        assert!(!ended_here(&mine));
        let mut gone = process().unwrap();
        gone.push('0');
        assert!(ended_here(&describe("l", "me", Some(&gone))));
        assert!(!ended_here(&describe("l", "me", Some("another-boot/pid:[1]/1/1"))));
        assert!(!ended_here(&describe("l", "me", None)));
    }
}
