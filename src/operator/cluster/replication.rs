//! Who leads, and whether the others follow, as the status tells it. Positions in the log are not among it: they would be a
//! write whenever the log grows. Pure.

use std::collections::BTreeMap;

use super::instances::{Instance, Plan};
use crate::{api::postgres_cluster::PatroniStatus, desired::Cluster, domain::cluster_names::InstanceName};

/// Puts down who leads, and on which timeline. `leader` is the pod that holds the leader's lock. While nobody does, what was
/// told last stays: that another instance has taken over since is seen even by an operator that was away meanwhile.
pub(super) fn put_primary(
    patroni: &mut PatroniStatus,
    instances: &BTreeMap<InstanceName, Instance>,
    leader: Option<&str>,
) {
    let Some(leader) = leader.and_then(|pod| instances.values().find(|instance| instance.name.pod() == pod))
    else {
        return;
    };
    patroni.primary = Some(leader.name.to_string());
    if let Some(timeline) = leader.pod.as_ref().and_then(|pod| pod.timeline) {
        patroni.timeline = Some(timeline);
    }
}

/// The condition `Replicating`: its state, a word and a sentence; nothing for a cluster without replicas.
#[must_use]
pub(super) fn condition(
    cluster: &Cluster,
    plan: &Plan,
    instances: &BTreeMap<InstanceName, Instance>,
) -> Option<(bool, &'static str, String)> {
    if cluster.shutdown || plan.keep.len() < 2 && plan.leaving.is_none() {
        return None;
    }
    let Some(primary) = instances.values().find(|instance| instance.primary()) else {
        return Some((false, "NoPrimary", "no instance leads".to_owned()));
    };
    let replicas: Vec<&InstanceName> =
        plan.keep.iter().map(|(name, _)| name).filter(|name| **name != primary.name).collect();
    let timeline = primary.pod.as_ref().and_then(|pod| pod.timeline);
    let mut silent = false;
    let mut behind = Vec::new();
    for name in &replicas {
        let instance = instances.get(*name);
        let trouble = match instance {
            Some(instance) if instance.streams() => elsewhere(instance, timeline),
            other => {
                silent = true;
                Some(other.map_or_else(|| Instance::NO_POD.to_owned(), not_streaming))
            }
        };
        behind.extend(trouble.map(|trouble| format!("{}: {trouble}", name.within(&cluster.name))));
    }
    let (all, follow) = (replicas.len(), replicas.len() - behind.len());
    let message = format!("{follow} of {all} replicas stream from {}", primary.name);
    Some(match (behind.is_empty(), silent) {
        (true, _) => (true, "Streaming", message),
        (false, true) => (false, "NotStreaming", format!("{message}; {}", behind.join(", "))),
        (false, false) => (false, "OtherTimeline", format!("{message}; {}", behind.join(", "))),
    })
}

/// Where a replica is that isn't where its primary is.
fn elsewhere(instance: &Instance, primary: Option<i64>) -> Option<String> {
    let own = instance.pod.as_ref()?.timeline?;
    let primary = primary.filter(|primary| *primary != own)?;
    Some(format!("on timeline {own}, the primary on {primary}"))
}

/// What a replica does instead of streaming.
fn not_streaming(instance: &Instance) -> String {
    if !instance.ready() {
        return instance.doing();
    }
    let said = instance.pod.as_ref().and_then(|pod| pod.replication.clone());
    said.unwrap_or_else(|| "doesn't stream".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::instances::PodState, *};
    use crate::operator::test_support;

    struct Case {
        cluster: Cluster,
        instances: BTreeMap<InstanceName, Instance>,
        plan: Plan,
    }

    /// Instances `rhino-herd-a`, `-b`, … with these pods.
    fn case(pods: &[PodState]) -> Case {
        let mut instances = BTreeMap::new();
        let mut plan = Plan::default();
        for (letter, pod) in ["a", "b", "c"].iter().zip(pods) {
            let name = InstanceName::existing(&format!("rhino-herd-{letter}"));
            plan.keep.push((name.clone(), 0));
            let (set, pod) = ("herd".to_owned(), Some(pod.clone()));
            let instance = Instance { name: name.clone(), set, pod, has_stateful_set: true, updated: true };
            instances.insert(name, instance);
        }
        Case { cluster: test_support::cluster(), instances, plan }
    }

    fn pod(timeline: i64, replication: Option<&str>) -> PodState {
        PodState {
            primary: replication.is_none(),
            ready: true,
            running: true,
            timeline: Some(timeline),
            replication: replication.map(str::to_owned),
            ..PodState::default()
        }
    }

    fn told(Case { cluster, instances, plan }: &Case) -> Option<(bool, &'static str, String)> {
        condition(cluster, plan, instances)
    }

    #[test]
    fn all_replicas_have_to_stream_what_the_primary_writes() {
        let streaming = || pod(2, Some("streaming"));
        let (holds, reason, message) = told(&case(&[pod(2, None), streaming(), streaming()])).unwrap();
        assert!(holds && reason == "Streaming", "{message}");
        assert_eq!(message, "2 of 2 replicas stream from rhino-herd-a");

        let mut one_without = case(&[pod(2, None), pod(2, Some("in archive recovery")), streaming()]);
        one_without.instances.values_mut().last().unwrap().pod = None;
        let (holds, reason, message) = told(&one_without).unwrap();
        assert!(!holds && reason == "NotStreaming");
        let expected = "0 of 2 replicas stream from rhino-herd-a; herd-b: in archive recovery, herd-c: its pod \
                        is not created yet";
        assert_eq!(message, expected);

        let pods = [pod(3, None), streaming(), pod(3, Some("streaming"))];
        let (holds, reason, message) = told(&case(&pods)).unwrap();
        assert!(!holds && reason == "OtherTimeline");
        assert!(message.ends_with("; herd-b: on timeline 2, the primary on 3"), "{message}");
    }

    #[test]
    fn what_a_container_said_before_it_was_started_again_does_not_count() {
        let mut starting = pod(2, Some("streaming"));
        starting.ready = false;
        let (holds, reason, message) = told(&case(&[pod(2, None), starting])).unwrap();
        assert!(!holds && reason == "NotStreaming" && message.ends_with("herd-b: starting"), "{message}");
    }

    #[test]
    fn without_a_primary_nobody_follows_and_without_replicas_nobody_has_to() {
        let (holds, reason, _) =
            told(&case(&[pod(2, Some("streaming")), pod(2, Some("streaming"))])).unwrap();
        assert!(!holds && reason == "NoPrimary");
        assert_eq!(told(&case(&[pod(2, None)])), None);
        let mut stopped = case(&[pod(2, None), pod(2, Some("streaming"))]);
        stopped.cluster.shutdown = true;
        assert_eq!(told(&stopped), None);
    }

    #[test]
    fn who_led_last_is_known_until_somebody_else_does() {
        let Case { instances, .. } = case(&[pod(2, None), pod(1, Some("streaming"))]);
        let mut patroni = PatroniStatus::default();
        put_primary(&mut patroni, &instances, Some("rhino-herd-a-0"));
        assert_eq!((patroni.primary.as_deref(), patroni.timeline), (Some("rhino-herd-a"), Some(2)));
        put_primary(&mut patroni, &instances, None);
        put_primary(&mut patroni, &instances, Some("rhino-herd-gone-0"));
        assert_eq!((patroni.primary.as_deref(), patroni.timeline), (Some("rhino-herd-a"), Some(2)));
        put_primary(&mut patroni, &instances, Some("rhino-herd-b-0"));
        assert_eq!(patroni.primary.as_deref(), Some("rhino-herd-b"));
    }
}
