//! Secrets to pull images with, in the namespaces that are followed. The installer puts them into the operator's namespace and
//! the listed ones; those that gain the label later, or are made later, get theirs here.
//!
//! They are written as the installer would write them, so that it finds what it would have made. Where a namespace loses the
//! label they stay: its databases go on, and their pods need them. An uninstall takes all of them back.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt as _,
    api::ObjectMeta,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::certificates::watched;
use crate::k8s::{
    self, Doing as _,
    apply::{Apply, INSTALLER},
};

/// How long until the next attempt after one that failed, such as for want of a right that somebody is about to give.
const RETRY: Duration = Duration::from_secs(15);

/// Which Secrets go along with databases, and whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullSecrets {
    /// The operator's namespace, where the originals are.
    pub home: String,
    /// The names. Those that the installer didn't make are somebody else's to bring, everywhere.
    pub names: Vec<String>,
    /// The label of what the installer made, and its value.
    pub membership: (&'static str, String),
}

/// The originals, by name.
pub(super) type Originals = BTreeMap<String, Secret>;

impl PullSecrets {
    fn ours(&self, secret: &Secret) -> bool {
        let (key, value) = &self.membership;
        secret.labels().get(*key) == Some(value)
    }

    /// Watches the originals and passes them on, until it is told to stop.
    pub(super) async fn watch(
        self,
        client: Client,
        originals: watch::Sender<Originals>,
        stop: CancellationToken,
    ) {
        let home: Api<Secret> = Api::namespaced(client, &self.home);
        let states = self.names.iter().map(|name| {
            let name = name.clone();
            watched(home.clone(), &name).map(move |state| (name.clone(), state)).boxed()
        });
        let mut states = stream::select_all(states);
        while let Some(Some((name, state))) = stop.run_until_cancelled(states.next()).await {
            let state = state.filter(|secret| self.ours(secret));
            originals.send_modify(|all| match state {
                Some(secret) => drop(all.insert(name, secret)),
                None => drop(all.remove(&name)),
            });
        }
    }
}

/// Copies them to one namespace.
pub(super) struct Copier {
    /// Reads and writes the Secrets.
    pub client: Client,
    /// Which.
    pub secrets: PullSecrets,
    /// The originals.
    pub originals: watch::Receiver<Originals>,
    /// Where to.
    pub place: String,
}

impl Copier {
    /// Copies what is missing or old, now and whenever an original or a copy changes, until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        if self.secrets.names.is_empty() || self.place == self.secrets.home {
            return;
        }
        let (key, value) = &self.secrets.membership;
        let copies: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client.clone(), &self.place);
        let config = watcher::Config::default().labels(&format!("{key}={value}"));
        // What is wrong is told when copying fails.
        let mut copies =
            watcher(copies, config).default_backoff().filter_map(async |event| event.ok()).boxed();
        let mut troubles: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let originals = self.originals.borrow_and_update().clone();
            troubles.retain(|name, _| originals.contains_key(name));
            for (name, original) in &originals {
                match self.copy(name, original).await {
                    Ok(()) => drop(troubles.remove(name)),
                    Err(error) => self.complain(&mut troubles, name, error.to_string()),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = self.originals.changed() => {}
                Some(_) = copies.next() => {}
                () = tokio::time::sleep(RETRY), if !troubles.is_empty() => {}
            }
        }
    }

    /// Says what is wrong, once.
    fn complain(&self, troubles: &mut BTreeMap<String, String>, name: &str, trouble: String) {
        if troubles.get(name) != Some(&trouble) {
            tracing::warn!(
                namespace = self.place,
                secret = name,
                "a Secret to pull images with can't be written: {trouble}; trying again"
            );
            troubles.insert(name.to_owned(), trouble);
        }
    }

    /// Writes the Secret, unless it is there as it should be, or somebody else's.
    async fn copy(&self, name: &str, original: &Secret) -> Result<(), k8s::Error> {
        let place = &self.place;
        let api: Api<Secret> = Api::namespaced(self.client.clone(), place);
        let live = api.get_opt(name).await.doing(|| format!("read secret {place}/{name}"))?;
        if live.as_ref().is_some_and(|live| !self.secrets.ours(live) || same(live, original)) {
            return Ok(());
        }
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(place.to_owned()),
            labels: original.metadata.labels.clone(),
            ..ObjectMeta::default()
        };
        let copy = Secret {
            metadata,
            type_: original.type_.clone(),
            data: original.data.clone(),
            ..Secret::default()
        };
        Apply { manager: INSTALLER, force: true }.run(&api, name, &copy).await?;
        tracing::info!(namespace = place, secret = name, "wrote a Secret to pull images with");
        Ok(())
    }
}

fn same(live: &Secret, original: &Secret) -> bool {
    live.data == original.data
        && live.type_ == original.type_
        && live.metadata.labels == original.metadata.labels
}
