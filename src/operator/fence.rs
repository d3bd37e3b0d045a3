//! What keeps two operators of one installation apart: the newest process acts, every other one stops for good.
//!
//! A process writes its name into a Lease when it starts, and never renews it, so a fence costs no write at rest. Before each
//! look at a cluster, and before what can't be taken back, it reads the Lease: a process that lost its connection can't, and
//! does nothing; when the connection is back it sees who has come meanwhile. A watch on the Lease tells the same at once, so
//! that what is under way ends there, and a cluster at rest needs no look for it.
//!
//! There is no way back. If a process took the Lease again, two that run side by side would take turns.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher::watch_object},
};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::k8s::{self, Doing as _, Kind, OPERATOR, lease};

/// Waiting time after the first attempt to take the Lease that failed; it doubles up to the longest.
const SHORTEST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// The installation that an operator works for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The operator's namespace.
    pub namespace: String,
    /// The Lease in it that the newest operator holds.
    pub lease: String,
    /// What clusters carry that this installation follows.
    pub follower: String,
}

/// Why an operator may not act.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// A newer process is at work.
    #[error("another operator has taken over: {0}")]
    Superseded(String),
    /// There is nothing that could tell.
    #[error(
        "there is no lease {namespace}/{lease}, which keeps a second operator of this installation off; \
         `pgherd install` makes it, or apply what `pgherd render` prints"
    )]
    Missing {
        /// The operator's namespace.
        namespace: String,
        /// The Lease.
        lease: String,
    },
    /// It can't be read or written.
    #[error(transparent)]
    Request(#[from] k8s::Error),
}

/// Whether this process may act.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Not yet, and why, once there was an attempt.
    Waiting(Option<String>),
    /// It may, as far as is known.
    Held,
    /// Never again: somebody else does.
    Lost(String),
}

/// The fence around one process. Clones are the same fence.
#[derive(Clone)]
pub struct Fence {
    claim: Option<Arc<Claim>>,
    state: watch::Sender<State>,
}

struct Claim {
    leases: Api<Lease>,
    namespace: String,
    name: String,
    me: String,
}

/// Whose a Lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Mine,
    /// It was never taken, or made anew.
    Nobodys,
    Theirs(String),
}

impl Fence {
    /// The fence of a new process. An operator that works for no installation has none, since nobody could know of it.
    #[must_use]
    pub fn new(client: &Client, identity: Option<&Identity>) -> Self {
        let Some(Identity { namespace, lease, .. }) = identity else {
            return Self::none();
        };
        let claim = Claim {
            leases: Api::namespaced(client.clone(), namespace),
            namespace: namespace.clone(),
            name: lease.clone(),
            // In a pod the host has the pod's name. A container that starts again there is another process.
            me: format!("{}/{:08x}", lease::host(), rand::random::<u32>()),
        };
        Self { claim: Some(Arc::new(claim)), state: watch::Sender::new(State::Waiting(None)) }
    }

    /// A fence that keeps nobody off.
    pub(super) fn none() -> Self {
        Self { claim: None, state: watch::Sender::new(State::Held) }
    }

    /// Takes the Lease, trying again until that is done or `stop`.
    async fn take(&self, stop: &CancellationToken) {
        let Some(claim) = &self.claim else {
            tracing::warn!(
                "it works for no installation that has a name (--installation) and a namespace, so nothing keeps a second \
                 operator off its clusters"
            );
            return;
        };
        let mut retry = SHORTEST_RETRY;
        while let Some(taken) = stop.run_until_cancelled(claim.take()).await {
            match taken {
                Ok(before) => {
                    let before = before.unwrap_or_else(|| "nobody".to_owned());
                    tracing::info!("{} takes over from {before}", claim.me);
                    self.state.send_replace(State::Held);
                    return;
                }
                Err(error) => {
                    let why = error.to_string();
                    if *self.state.borrow() != State::Waiting(Some(why.clone())) {
                        tracing::warn!("no cluster is looked at: {why}; trying again");
                    }
                    self.state.send_replace(State::Waiting(Some(why)));
                }
            }
            stop.run_until_cancelled(tokio::time::sleep(retry)).await;
            retry = retry.saturating_mul(2).min(LONGEST_RETRY);
        }
    }

    /// Does `work` from when the Lease was taken, and ends it by `acting` when the Lease is lost. Ends with `stop`: a process that
    /// lost goes on saying so, since it would be started again if it ended, and take over.
    pub(super) async fn within(
        &self,
        stop: &CancellationToken,
        acting: &CancellationToken,
        work: impl Future<Output = ()>,
    ) {
        self.take(stop).await;
        if stop.is_cancelled() {
            return;
        }
        let give_up = async {
            self.lost().await;
            acting.cancel();
        };
        let guard = async {
            future::join(self.watch(), give_up).await;
            // What was begun is told to end, and waited for.
            future::pending::<()>().await;
        };
        tokio::select! {
            () = work => {}
            () = guard => {}
        }
        stop.cancelled().await;
    }

    /// Looks on who has the Lease, until it is lost.
    async fn watch(&self) {
        let Some(claim) = &self.claim else { return future::pending().await };
        let mut states = watch_object(claim.leases.clone(), &claim.name).default_backoff().boxed();
        while let Some(state) = states.next().await {
            match state {
                Ok(Some(lease)) => {
                    if let Whose::Theirs(holder) = claim.whose(&lease) {
                        self.lose(&holder);
                        return;
                    }
                }
                Ok(None) => tracing::warn!("{}", claim.missing()),
                Err(error) => tracing::warn!("the operator's lease can't be watched: {error}; trying again"),
            }
        }
    }

    /// Makes sure that this process still is the one to act. A Lease that was made anew is taken again.
    ///
    /// # Errors
    /// When it isn't, or that can't be found out.
    pub async fn confirm(&self) -> Result<(), FenceError> {
        let Some(claim) = &self.claim else { return Ok(()) };
        if let Some(holder) = self.lost_to() {
            return Err(FenceError::Superseded(holder));
        }
        match claim.whose(&claim.read().await?) {
            Whose::Mine => Ok(()),
            Whose::Nobodys => {
                claim.take().await?;
                tracing::info!("{} has taken the lease, which was made anew", claim.me);
                Ok(())
            }
            Whose::Theirs(holder) => {
                self.lose(&holder);
                Err(FenceError::Superseded(holder))
            }
        }
    }

    /// Waits until the Lease was taken, by this process or by another one.
    pub(super) async fn settled(&self) {
        self.reach(|state| !matches!(state, State::Waiting(_))).await;
    }

    /// Waits until another process has taken over; never ends before.
    pub(super) async fn lost(&self) {
        self.reach(|state| matches!(state, State::Lost(_))).await;
    }

    /// Who has taken over.
    pub(super) fn lost_to(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Lost(holder) => Some(holder.clone()),
            State::Waiting(_) | State::Held => None,
        }
    }

    /// Why nothing is done, in words; nothing when something may be.
    pub(super) fn trouble(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Lost(holder) => Some(FenceError::Superseded(holder.clone()).to_string()),
            State::Waiting(why) => why.clone(),
            State::Held => None,
        }
    }

    async fn reach(&self, state: impl FnMut(&State) -> bool) {
        if self.state.subscribe().wait_for(state).await.is_err() {
            future::pending::<()>().await;
        }
    }

    fn lose(&self, holder: &str) {
        let told = self.state.send_replace(State::Lost(holder.to_owned()));
        if !matches!(told, State::Lost(_)) {
            tracing::warn!(
                "another operator has taken over: {holder}; this one does nothing any more. Delete its pod if it should \
                 start anew, and take over itself"
            );
        }
    }

    #[cfg(test)]
    pub(super) fn lost_for_test(holder: &str) -> Self {
        Self { claim: None, state: watch::Sender::new(State::Lost(holder.to_owned())) }
    }
}

impl Claim {
    async fn read(&self) -> Result<Lease, FenceError> {
        let Self { leases, namespace, name, .. } = self;
        let found = leases.get_opt(name).await.doing(|| format!("read lease {namespace}/{name}"))?;
        found.ok_or_else(|| self.missing())
    }

    /// Takes the Lease, whoever has it. Gives who had it.
    async fn take(&self) -> Result<Option<String>, FenceError> {
        let Self { leases, namespace, name, me } = self;
        loop {
            let lease = self.read().await?;
            let patch = json!({
                "metadata": { "resourceVersion": lease.resource_version() },
                "spec": taken(&lease, me, Timestamp::now()),
            });
            let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
            let written = leases.patch(name, &params, &Patch::Merge(&patch)).await.map(drop);
            match written.doing(|| format!("take lease {namespace}/{name}")) {
                Ok(()) => return Ok(lease::holder(&lease).filter(|holder| holder != me)),
                // Somebody else wrote meanwhile. Whoever is last is the newest.
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) if error.kind() == Kind::NotFound => return Err(self.missing()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn whose(&self, lease: &Lease) -> Whose {
        match lease::holder(lease) {
            None => Whose::Nobodys,
            Some(holder) if holder == self.me => Whose::Mine,
            Some(holder) => Whose::Theirs(holder),
        }
    }

    fn missing(&self) -> FenceError {
        FenceError::Missing { namespace: self.namespace.clone(), lease: self.name.clone() }
    }
}

/// What a Lease says once `me` has it.
fn taken(lease: &Lease, me: &str, now: Timestamp) -> LeaseSpec {
    let before = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_transitions: Some(before.unwrap_or_default().saturating_add(1)),
        acquire_time: Some(MicroTime(now)),
        ..LeaseSpec::default()
    }
}

#[cfg(test)]
mod tests;
