//! The instances of a cluster: which there are, in what state, and which there should be.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ContainerStatus, PersistentVolumeClaim, Pod},
};
use kube::ResourceExt;
use rand::rngs::ThreadRng;
use serde::Deserialize;

use crate::{
    api::labels,
    desired::{cluster::Cluster, pod::DATABASE_CONTAINER},
    domain::cluster_names::InstanceName,
    k8s::cluster_objects::ClusterObjects,
};

/// Annotation in which Patroni tells what an instance does.
const PATRONI_STATUS: &str = "status";

/// Patroni's word for a replica that gets what the primary writes while it is written.
const STREAMING: &str = "streaming";

/// One instance, as it was seen.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// The set that it belongs to.
    pub set: String,
    /// Its pod, where there is one.
    pub pod: Option<PodState>,
    /// Whether its StatefulSet exists. One without is a volume that waits for it.
    pub has_stateful_set: bool,
    /// Whether its pod was made from the current StatefulSet.
    pub updated: bool,
}

/// What is known of an instance's pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each seen at another place")]
pub struct PodState {
    /// Patroni has made it the leader.
    pub primary: bool,
    /// Its readiness probe succeeds.
    pub ready: bool,
    /// The database container runs.
    pub running: bool,
    /// It is on its way out.
    pub terminating: bool,
    /// Patroni's word for what PostgreSQL does, such as `running` or `creating replica`.
    pub patroni_state: Option<String>,
    /// Patroni's word for how a replica gets what the primary writes, such as `streaming`.
    pub replication: Option<String>,
    /// The timeline that PostgreSQL is on.
    pub timeline: Option<i64>,
    /// Parameters that wait for PostgreSQL to be restarted. Older versions of Patroni give no names: there is none then.
    pub pending_restart: Option<BTreeSet<String>>,
    /// Why it isn't ready, as far as Kubernetes knows.
    pub waiting: Option<String>,
}

/// Patroni's annotation, as far as it is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PatroniStatus {
    state: Option<String>,
    replication_state: Option<String>,
    timeline: Option<i64>,
    pending_restart: bool,
    pending_restart_reason: serde_json::Map<String, serde_json::Value>,
}

impl Instance {
    /// What is said of an instance without a pod.
    pub const NO_POD: &str = "its pod is not created yet";

    /// What an instance that isn't ready does or waits for.
    #[must_use]
    pub fn doing(&self) -> String {
        let Some(pod) = &self.pod else { return Self::NO_POD.to_owned() };
        let said = pod.waiting.clone().or_else(|| pod.patroni_state.clone());
        said.unwrap_or_else(|| if pod.terminating { "stopping".to_owned() } else { "starting".to_owned() })
    }

    /// Whether PostgreSQL serves on this instance.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.pod.as_ref().is_some_and(|pod| pod.ready && !pod.terminating)
    }

    /// Whether this is a replica that gets what the primary writes while it is written.
    #[must_use]
    pub fn streams(&self) -> bool {
        let streaming = |pod: &PodState| pod.replication.as_deref() == Some(STREAMING);
        !self.primary() && self.ready() && self.pod.as_ref().is_some_and(streaming)
    }

    /// Whether this is the instance that accepts writes.
    #[must_use]
    pub fn primary(&self) -> bool {
        self.pod.as_ref().is_some_and(|pod| pod.primary && pod.running && !pod.terminating)
    }
}

/// All instances of a cluster, by name. A volume counts as an instance even when its StatefulSet is gone, so that the
/// StatefulSet comes back to its data.
#[must_use]
pub fn observe(objects: &ClusterObjects) -> BTreeMap<InstanceName, Instance> {
    let mut instances: BTreeMap<InstanceName, Instance> = BTreeMap::new();
    for stateful_set in objects.stateful_sets.values() {
        let Some((name, set)) = identity(stateful_set.labels()) else { continue };
        let pod = objects.pods.get(&name.pod());
        instances.insert(
            name.clone(),
            Instance {
                set,
                pod: pod.map(pod_state),
                has_stateful_set: stateful_set.metadata.deletion_timestamp.is_none(),
                updated: pod.is_none_or(|pod| is_updated(stateful_set, pod)),
                name,
            },
        );
    }
    for claim in objects.volume_claims.values() {
        if !is_data_volume(claim) {
            continue;
        }
        let Some((name, set)) = identity(claim.labels()) else { continue };
        let pod = objects.pods.get(&name.pod()).map(pod_state);
        instances.entry(name.clone()).or_insert(Instance {
            name,
            set,
            pod,
            has_stateful_set: false,
            updated: true,
        });
    }
    instances
}

fn identity(labels: &BTreeMap<String, String>) -> Option<(InstanceName, String)> {
    Some((InstanceName::existing(labels.get(labels::INSTANCE)?), labels.get(labels::INSTANCE_SET)?.clone()))
}

fn is_data_volume(claim: &PersistentVolumeClaim) -> bool {
    claim.metadata.deletion_timestamp.is_none()
        && claim.labels().get(labels::ROLE).is_some_and(|role| role == labels::ROLE_PGDATA)
}

fn is_updated(stateful_set: &StatefulSet, pod: &Pod) -> bool {
    let wanted = stateful_set.status.as_ref().and_then(|status| status.update_revision.as_ref());
    let current = pod.labels().get("controller-revision-hash");
    let observed = stateful_set.status.as_ref().and_then(|status| status.observed_generation);
    observed >= stateful_set.metadata.generation && wanted == current
}

/// What a pod's status, labels and annotations say.
#[must_use]
pub fn pod_state(pod: &Pod) -> PodState {
    let status = pod.status.clone().unwrap_or_default();
    let database =
        status.container_statuses.iter().flatten().find(|container| container.name == DATABASE_CONTAINER);
    let patroni: PatroniStatus = pod
        .annotations()
        .get(PATRONI_STATUS)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let running = database
        .is_some_and(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
    PodState {
        primary: pod.labels().get(labels::ROLE).is_some_and(|role| role == labels::ROLE_PATRONI_LEADER),
        ready: database.is_some_and(|container| container.ready),
        running,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        patroni_state: patroni.state.filter(|_| running),
        replication: patroni.replication_state.filter(|_| running),
        timeline: patroni.timeline.filter(|timeline| running && *timeline > 0),
        pending_restart: (running && patroni.pending_restart)
            .then(|| patroni.pending_restart_reason.into_iter().map(|(name, _)| name).collect()),
        waiting: waiting_reason(&status),
    }
}

/// Why a pod doesn't run: it can't be scheduled, or one of its containers waits or failed.
fn waiting_reason(status: &k8s_openapi::api::core::v1::PodStatus) -> Option<String> {
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .and_then(|condition| condition.message.clone());
    let mut containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    unscheduled.or_else(|| containers.find_map(container_reason))
}

fn container_reason(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    if let Some(terminated) =
        state.terminated.as_ref().filter(|terminated| terminated.exit_code != 0).or(last)
    {
        // Once it runs again its last end is history.
        if state.running.is_none() {
            let message = terminated.message.as_deref().map_or("", str::trim);
            let separator = if message.is_empty() { "" } else { ": " };
            return Some(format!(
                "{} ended with exit code {}{separator}{message}",
                container.name, terminated.exit_code
            ));
        }
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    // The ordinary course of things needs no words.
    if matches!(reason, "PodInitializing" | "ContainerCreating") && waiting.message.is_none() {
        return None;
    }
    let message = waiting.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    Some(format!("{reason}{message}"))
}

/// What should become of the instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Instances to build, with the index of their set.
    pub keep: Vec<(InstanceName, usize)>,
    /// Instances to remove, with their volumes.
    pub remove: Vec<InstanceName>,
    /// The primary, where its set is gone: it is removed once another instance has taken over.
    pub leaving: Option<InstanceName>,
}

/// Decides which instances a cluster has. Existing ones are kept before new ones are made, and the primary before all
/// others. Nothing is removed while no primary is known: which of the volumes holds the newest data is unknown then. A set
/// that is gone goes when all others serve: they may be meant to take its place.
#[must_use]
pub fn plan(cluster: &Cluster, observed: &BTreeMap<InstanceName, Instance>, rng: &mut ThreadRng) -> Plan {
    let primary = observed.values().find(|instance| instance.primary()).map(|instance| &instance.name);
    let mut plan = Plan::default();
    let mut taken: BTreeSet<InstanceName> = observed.keys().cloned().collect();
    for (index, set) in cluster.sets.iter().enumerate() {
        let mut existing: Vec<&Instance> =
            observed.values().filter(|instance| instance.set == set.name).collect();
        // Those worth keeping come first: the primary, those that serve, those that are being built, bare volumes.
        existing.sort_by_key(|instance| {
            (!instance.primary(), !instance.ready(), !instance.has_stateful_set, instance.name.clone())
        });
        for (position, instance) in existing.into_iter().enumerate() {
            if position < set.replicas || primary.is_none() {
                plan.keep.push((instance.name.clone(), index));
            } else {
                plan.remove.push(instance.name.clone());
            }
        }
        while plan.keep.iter().filter(|(_, of)| *of == index).count() < set.replicas {
            let stable = cluster.names.startup_instance(&set.name);
            let name =
                if taken.contains(&stable) { cluster.names.another_instance(&set.name, rng) } else { stable };
            if taken.insert(name.clone()) {
                plan.keep.push((name, index));
            }
        }
    }
    let known: BTreeSet<&str> = cluster.sets.iter().map(|set| set.name.as_str()).collect();
    let whole = plan.keep.iter().all(|(name, _)| observed.get(name).is_some_and(Instance::ready));
    for instance in observed.values().filter(|instance| !known.contains(instance.set.as_str())) {
        if Some(&instance.name) == primary {
            plan.leaving = Some(instance.name.clone());
        } else if primary.is_some() && whole {
            plan.remove.push(instance.name.clone());
        }
    }
    plan
}

#[cfg(test)]
mod tests;
