//! The operator's own certificate: made when nobody made it, renewed before it expires, and served as soon as it changes.
//!
//! A watch on the two Secrets tells of every change, and a timer of what time brings about; nothing is asked for again and
//! again. Whatever is in the Secret is served, also while the authority can't be used.

use std::{sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watch_object},
    },
};
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    fence::{Fence, FenceError},
    metrics::Metrics,
};
use crate::{
    certificates::{Decision, Home, Policy, Stored, decide, store},
    k8s::Kind,
    pki::{Authority, Leaf, LeafRequest, Terms, Usage, not_after},
};

/// The longest time without a look at the clock, which may have been set since.
const LONGEST_SLEEP: Duration = Duration::from_hours(24);

/// How long until the next attempt after one that failed for another reason than a newer version of the Secret.
const RETRY: Duration = Duration::from_secs(10);

/// Whose certificates the operator keeps, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// Whose they are.
    pub home: Home,
    /// The rules.
    pub policy: Policy,
}

/// A configuration to begin with, until the certificate is there: it lets the kubelet ask for health, and is trusted by
/// nobody.
///
/// # Errors
/// When no certificate can be made.
pub(super) async fn provisional() -> std::io::Result<RustlsConfig> {
    let request = LeafRequest {
        common_name: "pgherd is starting".to_owned(),
        dns_names: Vec::new(),
        usage: Usage::Server,
    };
    let now = Timestamp::now();
    let leaf = Authority::generate("pgherd is starting", now, Terms::days(1))
        .and_then(|authority| authority.issue(&request, now, Terms::days(1)))
        .map_err(std::io::Error::other)?;
    let Leaf { certificate_pem, key_pem } = leaf;
    RustlsConfig::from_pem(certificate_pem.into_bytes(), key_pem.expose_secret().as_bytes().to_vec()).await
}

/// Keeps the certificates until it is told to stop.
pub(super) struct Keeper {
    /// Reads and writes the Secrets.
    pub client: Client,
    /// Whose certificates, and by which rules.
    pub certificates: Certificates,
    /// Whether this process is the one to write them.
    pub fence: Fence,
    /// What is served.
    pub tls: RustlsConfig,
    /// Told when certificates end.
    pub metrics: Arc<Metrics>,
    /// Told once a certificate from the Secret is served.
    pub certified: watch::Sender<bool>,
}

/// What has been seen so far.
#[derive(Default)]
struct Seen {
    stored: Stored,
    /// Whether the watches have told of each Secret, be it that there is none.
    authority_known: bool,
    leaf_known: bool,
    served: Option<Leaf>,
    trouble: Option<String>,
}

impl Keeper {
    /// Watches, decides, writes and serves.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Certificates { home, policy } = &self.certificates;
        let api = store::api(&self.client, home);
        let mut authorities = watched(api.clone(), &policy.authority_secret(home));
        let mut leaves = watched(api, &home.leaf_secret());
        let mut seen = Seen::default();
        let mut sleep = LONGEST_SLEEP;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(found) = authorities.next() => (seen.stored.authority, seen.authority_known) = (found, true),
                Some(found) = leaves.next() => (seen.stored.leaf, seen.leaf_known) = (found, true),
                () = tokio::time::sleep(sleep) => {}
            }
            sleep = self.look(&mut seen).await.min(LONGEST_SLEEP);
        }
    }

    /// Serves what is there and writes what should be. Gives the time after which to look again, if nothing happens before.
    async fn look(&self, seen: &mut Seen) -> Duration {
        if let Some(leaf) = seen.stored.leaf() {
            self.serve(leaf, &mut seen.served).await;
        }
        if !seen.authority_known || !seen.leaf_known {
            return LONGEST_SLEEP;
        }
        let stored = seen.stored.clone();
        let Certificates { home, policy } = &self.certificates;
        let now = Timestamp::now();
        let decision = match decide(home, policy, &stored, None, now) {
            Ok(decision) => decision,
            Err(error) => {
                seen.complain(error.to_string());
                return LONGEST_SLEEP;
            }
        };
        if let Ok(end) = not_after(decision.authorities.current.certificate_pem()) {
            self.metrics.certificate_expires("authority", end);
        }
        match self.write(&decision, &stored, seen).await {
            Ok(()) => {
                seen.trouble = None;
                decision.due.map_or(LONGEST_SLEEP, |due| until(now, due))
            }
            // Somebody else was quicker. The watch shows what they made of it.
            Err(FenceError::Request(error)) if error.kind() == Kind::Conflict => RETRY,
            // What they write is served here too.
            Err(FenceError::Superseded(_)) => LONGEST_SLEEP,
            Err(error) => {
                seen.complain(error.to_string());
                RETRY
            }
        }
    }

    async fn write(&self, decision: &Decision, stored: &Stored, seen: &mut Seen) -> Result<(), FenceError> {
        let home = &self.certificates.home;
        for (secret, live) in decision.writes(home, stored) {
            self.fence.settled().await;
            self.fence.confirm().await?;
            let name = secret.metadata.name.clone().unwrap_or_default();
            let written = store::write(&self.client, home, secret, live).await?;
            tracing::info!(secret = name, "wrote certificates");
            if name == home.leaf_secret() {
                seen.stored.leaf = Some(written);
                if let Some(leaf) = seen.stored.leaf() {
                    self.serve(leaf, &mut seen.served).await;
                }
            } else {
                seen.stored.authority = Some(written);
            }
        }
        Ok(())
    }

    /// Has the endpoint show the certificate of a Secret, unless it does already. One that can't be read changes nothing.
    async fn serve(&self, leaf: Leaf, served: &mut Option<Leaf>) {
        let same = |other: &Leaf| {
            other.certificate_pem == leaf.certificate_pem
                && other.key_pem.expose_secret() == leaf.key_pem.expose_secret()
        };
        if served.as_ref().is_some_and(same) {
            return;
        }
        let (certificate, key) = (leaf.certificate_pem.clone(), leaf.key_pem.expose_secret());
        match self.tls.reload_from_pem(certificate.into_bytes(), key.as_bytes().to_vec()).await {
            Ok(()) => {
                if let Ok(end) = not_after(&leaf.certificate_pem) {
                    self.metrics.certificate_expires("endpoint", end);
                    tracing::info!(until = %end, "serving a certificate");
                }
                *served = Some(leaf);
                self.certified.send_replace(true);
            }
            Err(error) => tracing::warn!("the certificate in its Secret can't be served: {error}"),
        }
    }
}

impl Seen {
    /// Says what is wrong, once.
    fn complain(&mut self, trouble: String) {
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::warn!("certificates can't be kept up to date: {trouble}");
            self.trouble = Some(trouble);
        }
    }
}

/// Every state of a Secret: none while it doesn't exist.
pub(super) fn watched(api: Api<Secret>, name: &str) -> impl Stream<Item = Option<Secret>> + Unpin + use<> {
    let name = name.to_owned();
    let states = watch_object(api, &name).default_backoff().filter_map(move |state| {
        let state = state.inspect_err(|error: &watcher::Error| {
            tracing::warn!(secret = name, "a Secret can't be watched: {error}; trying again");
        });
        std::future::ready(state.ok())
    });
    states.boxed()
}

fn until(now: Timestamp, due: Timestamp) -> Duration {
    // Never at once: the same moment again would decide the same again.
    Duration::try_from(now.duration_until(due)).unwrap_or_default().max(Duration::from_secs(1))
}
