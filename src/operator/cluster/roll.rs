//! Takes the steps that [`super::rollout`] and [`super::restart`] have decided on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use super::{
    Environment, Error, Story,
    control::{self, Answer, Request},
    error::ignore_missing,
    instances::Plan,
    restart,
    rollout::{self, Step},
    story::PRIMARY_MOVED,
    trust,
};
use crate::{
    api::labels,
    desired::Cluster,
    domain::{cluster_names::InstanceName, digest},
    k8s::{OPERATOR, cluster_objects::ClusterObjects},
    postgres::member::{self, Member, Role},
};

/// What is under way, for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The kind of change, in one word for programs.
    pub reason: &'static str,
    /// What is being done or waited for.
    pub message: String,
}

/// Goes on by one step with what the instances' present description asks for: new pods first, which restarts PostgreSQL
/// anyway, then restarts. Returns what is left.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn go_on(
    environment: &Environment,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Option<Pending>, Error> {
    if cluster.shutdown {
        return Ok(None);
    }
    let stamped = |pod: &Pod| pod.annotations().contains_key(labels::RESTARTED_FOR);
    let waits = |member: &Member| member.pending_restart.is_some();
    let kept = kept(plan, objects);
    let restarts = kept.iter().any(stamped) || member::members(&kept).iter().any(waits);
    if plan.leaving.is_none() && !restarts && !rollout::may_be_due(cluster, plan, objects) {
        return Ok(None);
    }
    // What was read before this look changed anything is old by now, and what follows may take a pod away.
    let Environment { fence, client, .. } = environment;
    fence.confirm().await?;
    let objects = ClusterObjects::fetch(client, &cluster.namespace, &cluster.name).await?;
    let mut leaving = None;
    if let Some(name) = &plan.leaving {
        let step = rollout::leave(name.as_str(), &rollout::candidates(cluster, plan, &objects));
        let mut doing = step.to_string();
        if let Step::Switchover { from, to } = &step {
            doing = hand_over(client, cluster, from, to, &objects, story).await?;
        }
        let message = format!("the set of the primary {name} is gone; {doing}");
        leaving = Some(Pending { reason: "InstanceSetRemoved", message });
        if matches!(step, Step::Switchover { .. }) {
            return Ok(leaving);
        }
    }
    if let Some(pending) = replace_outdated(client, cluster, plan, &objects, story).await? {
        return Ok(Some(pending));
    }
    match leaving {
        Some(pending) => Ok(Some(pending)),
        None => restart_waiting(client, cluster, plan, &objects, story).await,
    }
}

/// The pods of the instances that stay.
fn kept(plan: &Plan, objects: &ClusterObjects) -> Vec<Pod> {
    plan.keep.iter().filter_map(|(name, _)| objects.pods.get(&name.pod()).cloned()).collect()
}

async fn replace_outdated(
    client: &Client,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Option<Pending>, Error> {
    let candidates = rollout::candidates(cluster, plan, objects);
    let step = rollout::next(&candidates);
    let mut doing = step.to_string();
    let acts = matches!(step, Step::Replace(_) | Step::Switchover { .. });
    let strangers = if acts { trust::missing(client, cluster, plan, objects).await? } else { None };
    match &step {
        Step::Nothing => return Ok(None),
        Step::Wait(_) => {}
        _ if strangers.is_some() => doing = format!("waiting: {}", strangers.unwrap_or_default()),
        Step::Replace(name) => replace(client, cluster, name, objects, story).await?,
        Step::Switchover { from, to } => {
            doing = hand_over(client, cluster, from, to, objects, story).await?;
        }
    }
    let outdated = rollout::outdated(&candidates).join(", ");
    Ok(Some(Pending { reason: "RollingUpdate", message: format!("to be replaced: {outdated}; {doing}") }))
}

/// Lets one instance take over from another. Returns what came of it.
async fn hand_over(
    client: &Client,
    cluster: &Cluster,
    from: &str,
    to: &str,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<String, Error> {
    let (pod, to_pod) = (InstanceName::existing(from).pod(), InstanceName::existing(to).pod());
    let doing = match control::ask(client, cluster, &pod, Request::Switchover { to: Some(&to_pod) }).await? {
        Answer::Done => {
            let note = format!("{to} has taken over from {from}, which goes next");
            story.tell(PRIMARY_MOVED, "Rollout", note.clone());
            note
        }
        Answer::Refused(words) => {
            let note = format!("{from} could not hand over to {to}: {words}");
            story.warn("SwitchoverFailed", "Rollout", note.clone());
            note
        }
        Answer::Unknown => return Ok(format!("{from} was asked to hand over to {to}")),
    };
    if let Some(successor) = objects.pods.get(&to_pod) {
        story.concerning(successor.object_ref(&()));
    }
    Ok(doing)
}

/// Deletes the pod of an instance, if it is still the one that was looked at. PostgreSQL stops in order.
async fn replace(
    client: &Client,
    cluster: &Cluster,
    name: &str,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<(), Error> {
    let Some(pod) = objects.pods.get(&InstanceName::existing(name).pod()) else { return Ok(()) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: pod.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    ignore_missing(pods.delete(&pod.name_any(), &params).await)?;
    story.tell("PodReplaced", "Rollout", format!("replacing the pod of {name}: its description has changed"));
    story.concerning(pod.object_ref(&()));
    Ok(())
}

/// Restarts PostgreSQL in the next pod that waits for it. What a pod was restarted for is noted on it, so that it isn't
/// restarted again before Patroni has looked.
async fn restart_waiting(
    client: &Client,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Option<Pending>, Error> {
    let pods = kept(plan, objects);
    let members = member::members(&pods);
    // What a replica can take up depends on what its primary runs with: once PostgreSQL was started there anew, another attempt
    // may be worth while.
    let primary = members.iter().find(|member| member.role == Some(Role::Primary));
    let started = primary.and_then(|member| objects.pods.get(&member.pod)).map(start).unwrap_or_default();
    let awaited = |member: &Member| waits_for(member, &started);
    let now = Timestamp::now();
    let (mut done, mut attempts) = (BTreeSet::new(), BTreeMap::new());
    for pod in &pods {
        let Some(stamp) = pod.annotations().get(labels::RESTARTED_FOR) else { continue };
        let name = pod.name_any();
        match members.iter().find(|member| member.pod == name).and_then(awaited) {
            Some(wanted) => {
                if let Some(attempt) = Attempt::read(stamp).filter(|attempt| attempt.digest == wanted) {
                    if attempt.settles(now) {
                        done.insert(name.clone());
                    }
                    attempts.insert(name, attempt.number);
                }
            }
            None => note(client, cluster, pod, None).await?,
        }
    }
    let message = match restart::next(&members, &done) {
        restart::Step::Nothing => return Ok(None),
        restart::Step::Wait(reason) => format!("waiting: {reason}"),
        restart::Step::Restart(pod) => {
            let message = format!("restarting PostgreSQL in {pod}");
            if primary.is_some_and(|primary| primary.pod == pod) {
                forget_attempts(client, cluster, pods.iter().filter(|other| other.name_any() != pod)).await?;
            }
            match control::ask(client, cluster, &pod, Request::Restart { member: &pod }).await? {
                Answer::Done => {
                    let told = members.iter().find(|member| member.pod == pod);
                    if let (Some(seen), Some(digest)) = (objects.pods.get(&pod), told.and_then(awaited)) {
                        let number = attempts.get(&pod).copied().unwrap_or_default() + 1;
                        let stamp = Attempt { digest, number, at: now }.to_string();
                        note(client, cluster, seen, Some(&stamp)).await?;
                    }
                    let names = told.map(parameters).unwrap_or_default();
                    story.tell("Restarted", "Restart", format!("restarted PostgreSQL in {pod}{names}"));
                    if let Some(seen) = objects.pods.get(&pod) {
                        story.concerning(seen.object_ref(&()));
                    }
                    message
                }
                Answer::Refused(words) => {
                    let message = format!("PostgreSQL in {pod} could not be restarted: {words}");
                    story.warn("RestartFailed", "Restart", message.clone());
                    message
                }
                Answer::Unknown => message,
            }
        }
    };
    Ok(Some(Pending { reason: "PendingRestart", message }))
}

/// How often a restart for the same is tried. A replica takes up less of a bound parameter only once it has replayed that its
/// primary has less, which may be a moment after its restart.
const ATTEMPTS: u32 = 3;
/// How long Patroni has to tell what came of one.
const SETTLING: SignedDuration = SignedDuration::from_mins(1);

/// A restart, as it is noted on its pod: what it was for, the how many-th of them it was, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    digest: String,
    number: u32,
    at: Timestamp,
}

impl Attempt {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (digest, number, at) = (words.next()?, words.next()?, words.next()?);
        Some(Self { digest: digest.to_owned(), number: number.parse().ok()?, at: at.parse().ok()? })
    }

    /// Whether there is to be no other one for now.
    fn settles(&self, now: Timestamp) -> bool {
        self.number >= ATTEMPTS || now.duration_since(self.at) < SETTLING
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {} {}", self.digest, self.number, self.at)
    }
}

/// Which parameters a restart was for.
fn parameters(member: &Member) -> String {
    let changes = member.pending_restart.iter().flatten();
    let names: Vec<&str> = changes.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(", for {}", names.join(", ")) }
}

/// A digest of what a member waits for, beside a primary that was started like this.
fn waits_for(member: &Member, started: &str) -> Option<String> {
    let changes = serde_json::to_string(member.pending_restart.as_ref()?).ok()?;
    Some(digest::short(&[&changes, " ", started]))
}

/// What differs when the containers of a pod were started again.
fn start(pod: &Pod) -> String {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let restarts: i32 = statuses.map(|status| status.restart_count).sum();
    format!("{} {restarts}", pod.uid().unwrap_or_default())
}

/// Replicas that were restarted in vain are worth another attempt after the restart of their primary. Forgotten before that: an
/// operator that is killed in between restarts one too often rather than never.
async fn forget_attempts(
    client: &Client,
    cluster: &Cluster,
    pods: impl Iterator<Item = &Pod>,
) -> Result<(), Error> {
    for pod in pods.filter(|pod| pod.annotations().contains_key(labels::RESTARTED_FOR)) {
        note(client, cluster, pod, None).await?;
    }
    Ok(())
}

/// Notes on a pod what PostgreSQL was restarted for, or that it isn't true any more.
async fn note(client: &Client, cluster: &Cluster, pod: &Pod, stamp: Option<&str>) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let patch = json!({ "metadata": { "uid": pod.uid(), "annotations": { labels::RESTARTED_FOR: stamp } } });
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    ignore_missing(pods.patch_metadata(&pod.name_any(), &params, &Patch::Merge(&patch)).await)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_in_vain_is_repeated_a_few_times_and_not_at_once() {
        let at: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let attempt = |number| Attempt { digest: "ab12".to_owned(), number, at };
        assert_eq!(Attempt::read(&attempt(2).to_string()), Some(attempt(2)));
        assert_eq!(Attempt::read("ab12"), None, "what earlier versions wrote is as good as nothing");
        let later = at + SignedDuration::from_secs(61);
        assert!(attempt(1).settles(at) && !attempt(1).settles(later));
        assert!(attempt(3).settles(later));
    }
}
