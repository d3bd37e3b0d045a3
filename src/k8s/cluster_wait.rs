//! Waiting until a database cluster is ready or gone, on watches, with what the operator, the pods and the warnings about
//! them say meanwhile.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    runtime::watcher::{self, Event as Watched},
};

use super::{
    Error,
    cluster_objects::selector,
    clusters, reasons,
    watching::{keep, watch},
};
use crate::{
    api::{conditions, postgres_cluster::PostgresCluster},
    domain::cluster_names::InstanceName,
    postgres::member::{self, Member, Role},
};

/// Why waiting ended otherwise than hoped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterWaitError {
    /// The operator doesn't follow the description.
    #[error("{0}")]
    Refused(String),
    /// Somebody deleted the cluster.
    #[error("it was deleted")]
    Deleted,
    /// Time is up.
    #[error("{}", seen.join("; "))]
    Timeout {
        /// What was seen last, most telling first.
        seen: Vec<String>,
    },
    /// It can't be watched.
    #[error(transparent)]
    Watch(#[from] Error),
}

#[expect(clippy::large_enum_variant, reason = "one value at a time, consumed at once")]
enum Seen {
    Cluster(Watched<PostgresCluster>),
    Pod(Watched<Pod>),
    Event(Watched<Event>),
    Volume(Watched<PersistentVolumeClaim>),
}

/// What the watches have shown so far.
#[derive(Default)]
struct Picture {
    name: String,
    cluster: Option<PostgresCluster>,
    pods: BTreeMap<String, Pod>,
    events: BTreeMap<String, Event>,
    volumes: BTreeMap<String, PersistentVolumeClaim>,
    /// Whether the cluster, pods and volumes are listed; until then, also when a watch begins anew, it says nothing that
    /// something isn't there.
    listed: [bool; 3],
}

/// Waits until a cluster is ready as it is described now.
///
/// # Errors
/// When it is refused or deleted, time is up, or it can't be watched.
pub async fn ready(
    client: &Client,
    namespace: &str,
    name: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<PostgresCluster, ClusterWaitError> {
    let look = |picture: &Picture| {
        let Some(cluster) = &picture.cluster else {
            return picture.listed[0].then_some(Err(ClusterWaitError::Deleted));
        };
        if cluster.metadata.deletion_timestamp.is_some() {
            return Some(Err(ClusterWaitError::Deleted));
        }
        match (current(cluster, conditions::ACCEPTED), current(cluster, conditions::READY)) {
            (Some((false, message)), _) => Some(Err(ClusterWaitError::Refused(message.to_owned()))),
            (_, Some((true, _))) => Some(Ok(cluster.clone())),
            _ => None,
        }
    };
    wait(client, namespace, name, timeout, look, Picture::progress, tell).await
}

/// Waits until nothing is left of a cluster that is being deleted: itself, its pods, its volumes.
///
/// # Errors
/// When time is up, or it can't be watched.
pub async fn gone(
    client: &Client,
    namespace: &str,
    name: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<(), ClusterWaitError> {
    let look = |picture: &Picture| {
        // One without a deletion timestamp is another one that somebody made meanwhile.
        let lingers = picture.cluster.as_ref().is_some_and(|it| it.metadata.deletion_timestamp.is_some());
        let empty = picture.pods.is_empty() && picture.volumes.is_empty();
        let successor = picture.cluster.is_some() && !lingers;
        (picture.listed == [true; 3] && !lingers && (empty || successor)).then_some(Ok(()))
    };
    wait(client, namespace, name, timeout, look, Picture::remains, tell).await
}

async fn wait<T>(
    client: &Client,
    namespace: &str,
    name: &str,
    timeout: Duration,
    look: impl Fn(&Picture) -> Option<Result<T, ClusterWaitError>>,
    reasons: fn(&Picture) -> Vec<String>,
    tell: impl Fn(&str),
) -> Result<T, ClusterWaitError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let volumes: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let instances = watcher::Config::default().labels(&clusters::instances(name));
    let warnings = watcher::Config::default().fields("type=Warning");
    let belongings = watcher::Config::default().labels(&selector(name));
    let mut all = stream::select_all([
        watch(&clusters::api(client, Some(namespace)), by_name, Seen::Cluster),
        watch(&pods, instances, Seen::Pod),
        watch(&events, warnings, Seen::Event),
        watch(&volumes, belongings, Seen::Volume),
    ]);
    let mut picture = Picture { name: name.to_owned(), ..Picture::default() };
    let watching = async {
        while let Some(seen) = all.next().await {
            picture.note(seen?);
            if let Some(outcome) = look(&picture) {
                return outcome;
            }
            if picture.listed == [true; 3] {
                tell(&reasons(&picture).swap_remove(0));
            }
        }
        Err(ClusterWaitError::Timeout { seen: vec!["the watch ended".to_owned()] })
    };
    match tokio::time::timeout(timeout, watching).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ClusterWaitError::Timeout { seen: reasons(&picture) }),
    }
}

fn bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
}

/// Notes whether a list is complete.
fn listing<K>(complete: &mut bool, event: &Watched<K>) {
    match event {
        Watched::Init => *complete = false,
        Watched::InitDone => *complete = true,
        _ => {}
    }
}

/// Whether a volume is deleted with its cluster; one that somebody took out of it stays.
#[must_use]
pub fn goes_with_its_cluster(claim: &PersistentVolumeClaim) -> bool {
    let kind = <PostgresCluster as kube::Resource>::kind(&());
    claim.metadata.deletion_timestamp.is_some()
        || claim.owner_references().iter().any(|owner| owner.kind == kind)
}

/// A condition that is about the description as it is now.
fn current<'a>(cluster: &'a PostgresCluster, type_: &str) -> Option<(bool, &'a str)> {
    let condition = conditions::find_condition(&cluster.status.as_ref()?.conditions, type_)?;
    let now = condition.observed_generation >= cluster.metadata.generation;
    now.then_some((condition.status == "True", condition.message.as_str()))
}

impl Picture {
    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Cluster(event) => {
                listing(&mut self.listed[0], &event);
                match event {
                    Watched::InitApply(it) | Watched::Apply(it) => self.cluster = Some(it),
                    Watched::Init | Watched::Delete(_) => self.cluster = None,
                    Watched::InitDone => {}
                }
            }
            Seen::Pod(event) => {
                listing(&mut self.listed[1], &event);
                keep(&mut self.pods, event);
            }
            Seen::Event(event) => keep(&mut self.events, event),
            Seen::Volume(event) => {
                listing(&mut self.listed[2], &event);
                keep(&mut self.volumes, event);
                self.volumes.retain(|_, claim| goes_with_its_cluster(claim));
            }
        }
    }

    fn members(&self) -> Vec<Member> {
        let pods: Vec<Pod> = self.pods.values().cloned().collect();
        let mut members = member::members(&pods);
        // A pod gets its node together with its volume, and the scheduler doesn't say that it waits for that.
        for member in members.iter_mut().filter(|member| member.state == reasons::NO_NODE) {
            let claim = InstanceName::existing(&member.name).data_volume();
            if self.volumes.get(&claim).is_some_and(|claim| !bound(claim)) {
                member.state = format!("waiting for volume {claim}");
            }
        }
        members
    }

    /// How far the cluster has come and what it waits for, in one sentence; then everything else that helps to find out
    /// why it takes.
    fn progress(&self) -> Vec<String> {
        let members = self.members();
        let waiting: Vec<&Member> = members.iter().filter(|member| !member.ready).collect();
        let told = self.cluster.as_ref().and_then(|cluster| current(cluster, conditions::READY));
        let mut seen = vec![match (members.first(), told) {
            (None, None) => "no operator has looked at it yet".to_owned(),
            (None, Some((_, message))) => message.to_owned(),
            (Some(first), told) => self.how_far(&members, first, &waiting, told.map(|(_, message)| message)),
        }];
        let mut add = |text: String, message: &str| {
            if !seen.iter().any(|earlier| earlier.contains(message)) {
                seen.push(text);
            }
        };
        for member in waiting {
            add(format!("{}: {}", member.name, member.state), &member.state);
        }
        if let Some((_, message)) = told {
            add(message.to_owned(), message);
        }
        for (name, reason, message) in self.warnings() {
            add(format!("{name}: {reason}: {message}"), message);
        }
        seen
    }

    fn how_far(&self, members: &[Member], first: &Member, waiting: &[&Member], told: Option<&str>) -> String {
        let sets = self.cluster.iter().flat_map(|cluster| &cluster.spec.instances);
        let wanted: usize = sets.map(|set| usize::try_from(set.replicas).unwrap_or(0)).sum();
        let primary = Some(first).filter(|member| member.role == Some(Role::Primary) && member.ready);
        let ready = members.iter().filter(|member| member.ready).count();
        match (primary, waiting) {
            (Some(primary), []) if ready >= wanted => {
                told.map_or_else(|| format!("primary {} ready", primary.name), str::to_owned)
            }
            (Some(primary), waiting) => {
                let detail = waiting
                    .first()
                    .map_or_else(String::new, |member| format!(" ({}: {})", member.name, member.state));
                let (done, all) = (ready.saturating_sub(1), wanted.saturating_sub(1));
                format!("primary {} ready, replicas {done} of {all}{detail}", primary.name)
            }
            (None, [first, ..]) => format!("no primary yet ({}: {})", first.name, first.state),
            (None, []) => told.unwrap_or("no primary yet").to_owned(),
        }
    }

    /// Warnings about the cluster, and about what is named after it, the newest first and each said once.
    fn warnings(&self) -> Vec<(&str, &str, &str)> {
        let mut events: Vec<&Event> = self.events.values().filter(|event| self.concerns(event)).collect();
        events.sort_by_key(|event| {
            let series = event.series.as_ref().and_then(|series| series.last_observed_time.clone());
            let micro = series.or_else(|| event.event_time.clone()).map(|time| time.0);
            std::cmp::Reverse(event.last_timestamp.as_ref().map(|time| time.0).or(micro))
        });
        let said = events.into_iter().filter_map(|event| {
            let message = event.message.as_deref()?.trim();
            // The kubelet repeats a container's state in a word, which a warning before it has told at length.
            let terse = message.strip_prefix("Error: ").is_some_and(|word| !word.contains(' '));
            let name = event.involved_object.name.as_deref().unwrap_or_default();
            (!terse).then(|| (name, event.reason.as_deref().unwrap_or("Warning"), message))
        });
        said.take(5).collect()
    }

    fn concerns(&self, event: &Event) -> bool {
        let about = &event.involved_object;
        let (Some(name), Some(cluster)) = (about.name.as_deref(), &self.cluster) else { return false };
        let ours = name == self.name
            || self.pods.contains_key(name)
            || self.volumes.contains_key(name)
            || self.pods.keys().any(|pod| pod.strip_suffix("-0") == Some(name));
        // Events outlive what they are about.
        let born = cluster.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let happened =
            event.last_timestamp.as_ref().map(|time| time.0).or(event.event_time.as_ref().map(|time| time.0));
        ours && happened >= born
    }

    /// What is left of a cluster that is being deleted.
    fn remains(&self) -> Vec<String> {
        let mut seen = Vec::new();
        if let Some(cluster) = &self.cluster {
            let pods: Vec<&str> = self.pods.keys().map(String::as_str).collect();
            seen.push(match (pods.as_slice(), cluster.finalizers()) {
                ([], []) => "the cluster is being deleted".to_owned(),
                ([], holders) => format!("the cluster is held by {}", holders.join(", ")),
                (pods, _) => format!("stopping {}", pods.join(", ")),
            });
        } else if !self.pods.is_empty() {
            seen.push(format!("stopping {}", self.pods.keys().cloned().collect::<Vec<_>>().join(", ")));
        }
        if seen.is_empty() || self.pods.is_empty() {
            let volumes: Vec<String> = self.volumes.keys().cloned().collect();
            if !volumes.is_empty() {
                seen.push(format!("volumes {} are being deleted", volumes.join(", ")));
            }
        }
        seen.extend(self.pods.values().filter_map(reasons::why_not_ready));
        if seen.is_empty() {
            seen.push("the cluster is being deleted".to_owned());
        }
        seen
    }
}

#[cfg(test)]
#[path = "cluster_wait/tests.rs"]
mod tests;
