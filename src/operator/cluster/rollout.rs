//! Replacing pods whose description has changed: replicas first, one at a time, and the primary's after another instance has
//! taken over. What comes next is decided by a pure function, anew at each look, so that an operator which is killed at any
//! moment goes on where it was.

use std::{collections::BTreeSet, fmt};

use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::Pod};
use kube::ResourceExt as _;

use super::{
    instances::{self, Plan},
    volumes,
};
use crate::{
    desired::{Cluster, inputs::Inputs},
    domain::cluster_names::InstanceName,
    k8s::cluster_objects::ClusterObjects,
    postgres::member::{self, Role},
};

/// Annotation on Patroni's Endpoints with the pod that leads.
const LEADER: &str = "leader";
/// Annotation on Patroni's Endpoints with those replicas that have everything a client was told is safe.
const SYNC_STANDBY: &str = "sync_standby";

/// One instance that should be there, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// What its pod does; nothing when there is no pod.
    pub pod: Option<Running>,
    /// Whether its StatefulSet's controller has seen the present description. A pod that is deleted before would come back
    /// as it was.
    pub observed: bool,
}

/// The pod of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each seen at another place")]
pub struct Running {
    /// It has to be replaced.
    pub outdated: bool,
    /// It is on its way out.
    pub terminating: bool,
    /// It accepts writes.
    pub primary: bool,
    /// It serves, and if it is a replica it follows the primary.
    pub healthy: bool,
    /// May take over without a loss that clients were promised not to have.
    pub eligible: bool,
    /// What it does, in a word.
    pub state: String,
    /// Bytes behind the primary; nothing when nobody knows.
    pub lag: Option<u64>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Every pod is as it should be.
    Nothing,
    /// Something has to happen by itself first.
    Wait(String),
    /// Delete this instance's pod; its StatefulSet makes a new one.
    Replace(String),
    /// Let another instance take over.
    Switchover {
        /// The instance that accepts writes now.
        from: String,
        /// The one that shall.
        to: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => out.write_str("every instance is as described"),
            Self::Wait(reason) => write!(out, "waiting: {reason}"),
            Self::Replace(name) => write!(out, "replacing the pod of {name}"),
            Self::Switchover { from, to } => write!(out, "moving the primary from {from} to {to}"),
        }
    }
}

/// The names of the instances whose pods have to be replaced.
#[must_use]
pub fn outdated(instances: &[Candidate]) -> Vec<&str> {
    let is = |instance: &&Candidate| instance.pod.as_ref().is_some_and(|pod| pod.outdated);
    instances.iter().filter(is).map(|instance| instance.name.as_str()).collect()
}

/// Decides on the next step.
///
/// At most one instance is down at any time: nothing is touched while one is missing, stopping or not well. The exception
/// is an outdated one that isn't well, since the change may be what heals it, and it doesn't serve anyway.
#[must_use]
pub fn next(instances: &[Candidate]) -> Step {
    if outdated(instances).is_empty() {
        return Step::Nothing;
    }
    let wait = |reason: String| Step::Wait(reason);
    for Candidate { name, pod, observed } in instances {
        match pod {
            None => return wait(format!("{name} has no pod yet")),
            Some(pod) if pod.terminating => return wait(format!("{name} is stopping")),
            Some(_) if !observed => return wait(format!("Kubernetes has not taken up the change of {name}")),
            Some(_) => {}
        }
    }
    let pods: Vec<(&str, &Running)> = instances
        .iter()
        .filter_map(|instance| Some((instance.name.as_str(), instance.pod.as_ref()?)))
        .collect();
    // A primary that isn't well may be about to recover; as long as another instance isn't well either, it is needed.
    let unwell = || pods.iter().filter(|(_, pod)| !pod.healthy);
    let alone = unwell().count() == 1;
    if let Some((name, _)) = unwell().find(|(_, pod)| pod.outdated && (alone || !pod.primary)) {
        return Step::Replace((*name).to_owned());
    }
    if let Some((name, pod)) = unwell().min_by_key(|(_, pod)| pod.outdated) {
        return wait(format!("{name} is not well: {}", pod.state));
    }
    if pods.iter().filter(|(_, pod)| pod.primary).count() != 1 {
        return wait("it is not clear which instance is the primary".to_owned());
    }
    if let Some((name, _)) = pods.iter().find(|(_, pod)| pod.outdated && !pod.primary) {
        return Step::Replace((*name).to_owned());
    }
    let Some((from, _)) = pods.iter().find(|(_, pod)| pod.outdated) else { return Step::Nothing };
    if pods.len() == 1 {
        return Step::Replace((*from).to_owned());
    }
    match successor(&pods) {
        Some(to) => Step::Switchover { from: (*from).to_owned(), to: to.to_owned() },
        None => wait(format!("no replica may take over from {from}")),
    }
}

/// Who takes over: of those that may, the one that has the most.
fn successor<'a>(pods: &[(&'a str, &Running)]) -> Option<&'a str> {
    let able = pods.iter().filter(|(_, pod)| !pod.primary && pod.eligible);
    able.min_by_key(|(name, pod)| (pod.lag.unwrap_or(u64::MAX), *name)).map(|(name, _)| *name)
}

/// How the primary called `leaving`, whose set is gone, gets away: another instance takes over once all that stay are well.
#[must_use]
pub fn leave(leaving: &str, instances: &[Candidate]) -> Step {
    let mut pods = Vec::new();
    for Candidate { name, pod, .. } in instances {
        match pod {
            None => return Step::Wait(format!("{name}, which stays, has no pod yet")),
            Some(pod) if pod.terminating || !pod.healthy => {
                return Step::Wait(format!("{name}, which stays, is not well: {}", pod.state));
            }
            Some(pod) => pods.push((name.as_str(), pod)),
        }
    }
    match successor(&pods) {
        Some(to) => Step::Switchover { from: leaving.to_owned(), to: to.to_owned() },
        None => Step::Wait(format!("no instance that stays may take over from {leaving}")),
    }
}

/// The instances of `plan` as they were seen.
#[must_use]
pub(super) fn candidates(cluster: &Cluster, plan: &Plan, objects: &ClusterObjects) -> Vec<Candidate> {
    let pods: Vec<Pod> = objects.pods.values().cloned().collect();
    let members = member::members(&pods);
    let leader = members.iter().find(|member| member.role == Some(Role::Primary));
    let lock = objects.endpoints.get(&cluster.names.leader());
    let holder = lock.and_then(|lock| lock.annotations().get(LEADER));
    let synchronous = synchronous(cluster, objects);
    let seen = |(name, set): &(InstanceName, usize)| {
        let inputs = Inputs::of(cluster, &volumes::set_of(cluster, objects, name, *set));
        let stateful_set = objects.stateful_sets.get(name.as_str());
        let running = |pod: &Pod| {
            let member = members.iter().find(|member| member.pod == name.pod())?;
            let outdated = stateful_set.is_some_and(|set| {
                !(observed(set) && of_revision(set, pod)) && (!inputs.made(pod) || observed(set) && idle(pod))
            });
            let healthy = member.healthy();
            let same_timeline =
                leader.is_some_and(|leader| leader.timeline.is_some() && leader.timeline == member.timeline);
            Some(Running {
                outdated,
                terminating: pod.metadata.deletion_timestamp.is_some(),
                // Labels follow the leader's lock a moment later.
                primary: member.role == Some(Role::Primary)
                    && holder.is_none_or(|holder| *holder == member.pod),
                healthy,
                eligible: healthy
                    && same_timeline
                    && synchronous.as_ref().is_none_or(|names| names.contains(&member.pod)),
                state: member.state.clone(),
                lag: member.lag,
            })
        };
        Candidate {
            name: name.to_string(),
            pod: objects.pods.get(&name.pod()).and_then(running),
            observed: stateful_set.is_some_and(observed),
        }
    };
    plan.keep.iter().map(seen).collect()
}

/// Whether any pod may have to be replaced, judged by what was read before the StatefulSets were changed.
#[must_use]
pub(super) fn may_be_due(cluster: &Cluster, plan: &Plan, objects: &ClusterObjects) -> bool {
    plan.keep.iter().any(|(name, set)| {
        let inputs = Inputs::of(cluster, &volumes::set_of(cluster, objects, name, *set));
        objects.pods.get(&name.pod()).is_some_and(|pod| !inputs.made(pod) || idle(pod))
    })
}

/// Whether PostgreSQL doesn't run in a pod. Such a pod is replaced for any difference: nobody notices, and the difference
/// may be what it needs, such as the Secret of a registry.
fn idle(pod: &Pod) -> bool {
    !instances::pod_state(pod).running
}

fn observed(stateful_set: &StatefulSet) -> bool {
    let seen = stateful_set.status.as_ref().and_then(|status| status.observed_generation);
    seen >= stateful_set.metadata.generation
}

fn of_revision(stateful_set: &StatefulSet, pod: &Pod) -> bool {
    let wanted = stateful_set.status.as_ref().and_then(|status| status.update_revision.as_ref());
    wanted.is_some() && wanted == pod.labels().get("controller-revision-hash")
}

/// The pods that Patroni lets take over while replication is synchronous; nothing when it isn't, which Patroni tells by a
/// record without a leader.
fn synchronous(cluster: &Cluster, objects: &ClusterObjects) -> Option<BTreeSet<String>> {
    let record = objects.endpoints.get(&cluster.names.patroni_sync())?.annotations();
    record.get(LEADER).filter(|leader| !leader.is_empty())?;
    let names = record.get(SYNC_STANDBY).map(String::as_str).unwrap_or_default();
    Some(names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
