use k8s_openapi::api::apps::v1::StatefulSetStatus;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{desired::stateful_set, operator::test_support};

/// A healthy instance: the primary when the name says so.
fn instance(name: &str, outdated: bool) -> Candidate {
    Candidate {
        name: name.to_owned(),
        observed: true,
        pod: Some(Running {
            outdated,
            terminating: false,
            primary: name == "primary",
            healthy: true,
            eligible: true,
            state: "streaming".to_owned(),
            lag: Some(0),
        }),
    }
}

fn changed(mut instance: Candidate, change: impl FnOnce(&mut Running)) -> Candidate {
    change(instance.pod.as_mut().unwrap());
    instance
}

fn unwell(instance: Candidate) -> Candidate {
    changed(instance, |pod| {
        pod.healthy = false;
        pod.eligible = false;
        pod.state = "starting".to_owned();
    })
}

fn told(instances: &[Candidate]) -> String {
    next(instances).to_string()
}

#[test]
fn replicas_come_first_and_the_primary_last() {
    let all = |outdated: [bool; 3]| {
        told(&[instance("primary", outdated[0]), instance("a", outdated[1]), instance("b", outdated[2])])
    };
    assert_eq!(all([false; 3]), "every instance is as described");
    assert_eq!(all([true; 3]), "replacing the pod of a");
    assert_eq!(all([true, false, true]), "replacing the pod of b");
    assert_eq!(all([false, false, true]), "replacing the pod of b");
    assert_eq!(all([true, false, false]), "moving the primary from primary to a");
    assert_eq!(told(&[instance("primary", true)]), "replacing the pod of primary");
}

#[test]
fn nothing_is_touched_while_another_instance_is_down() {
    let primary = || instance("primary", true);
    let gone = Candidate { pod: None, ..instance("a", false) };
    assert_eq!(told(&[primary(), gone]), "waiting: a has no pod yet");
    let stopping = changed(instance("a", true), |pod| pod.terminating = true);
    assert_eq!(told(&[primary(), stopping]), "waiting: a is stopping");
    let unwell_and_new = unwell(instance("a", false));
    assert_eq!(told(&[primary(), unwell_and_new]), "waiting: a is not well: starting");
    let unseen = Candidate { observed: false, ..instance("a", true) };
    assert_eq!(told(&[primary(), unseen]), "waiting: Kubernetes has not taken up the change of a");
}

#[test]
fn a_primary_that_is_about_to_change_is_waited_for() {
    let unclear = "waiting: it is not clear which instance is the primary";
    let second = changed(instance("a", false), |pod| pod.primary = true);
    assert_eq!(told(&[instance("primary", true), second]), unclear);
    assert_eq!(told(&[instance("a", true), instance("b", false)]), unclear);
}

#[test]
fn an_outdated_instance_that_is_not_well_goes_first() {
    let instances = [instance("primary", true), instance("a", true), unwell(instance("b", true))];
    assert_eq!(told(&instances), "replacing the pod of b");
    let instances = [unwell(instance("primary", true)), unwell(instance("b", true))];
    assert_eq!(told(&instances), "replacing the pod of b", "a primary may recover by itself");
    let instances = [unwell(instance("primary", true)), unwell(instance("b", false))];
    assert_eq!(told(&instances), "waiting: b is not well: starting");
    let instances = [unwell(instance("primary", true)), instance("b", false)];
    assert_eq!(told(&instances), "replacing the pod of primary", "the change may be what heals it");
}

#[test]
fn the_best_replica_takes_over() {
    let behind = |name, lag| changed(instance(name, false), |pod| pod.lag = lag);
    let primary = || instance("primary", true);
    let to = |replicas: [Candidate; 2]| {
        let [one, other] = replicas;
        told(&[primary(), one, other])
    };
    assert_eq!(to([behind("a", Some(9)), behind("b", Some(1))]), "moving the primary from primary to b");
    assert_eq!(to([behind("a", None), behind("b", Some(9))]), "moving the primary from primary to b");
    let asynchronous = changed(instance("a", false), |pod| pod.eligible = false);
    assert_eq!(to([asynchronous.clone(), instance("b", false)]), "moving the primary from primary to b");
    assert_eq!(told(&[primary(), asynchronous]), "waiting: no replica may take over from primary");
}

/// What is found of a cluster of one instance whose pod was made from `old` and has another revision than its StatefulSet,
/// which was made from `new`.
fn found(old: &Cluster, new: &Cluster, running: bool) -> (Plan, ClusterObjects) {
    let name = new.names.startup_instance("herd");
    let template = stateful_set::build(old, &old.sets[0], &name).spec.unwrap().template;
    let status = json!({"state": "running", "timeline": 1});
    let mut pod = member::tests::pod(name.as_str(), "master", true, &status);
    let recorded = template.metadata.unwrap().annotations.unwrap_or_default();
    pod.annotations_mut().extend(recorded);
    pod.labels_mut().insert("controller-revision-hash".into(), "old".into());
    pod.spec = template.spec;
    pod.status = pod.status.filter(|_| running);
    let mut stateful_set = stateful_set::build(new, &new.sets[0], &name);
    stateful_set.metadata.generation = Some(2);
    stateful_set.status = Some(StatefulSetStatus {
        observed_generation: Some(2),
        update_revision: Some("new".to_owned()),
        ..StatefulSetStatus::default()
    });
    let objects = ClusterObjects {
        pods: [(name.pod(), pod)].into(),
        stateful_sets: [(name.to_string(), stateful_set)].into(),
        ..ClusterObjects::default()
    };
    (Plan { keep: vec![(name, 0)], remove: Vec::new(), leaving: None }, objects)
}

#[test]
fn what_only_the_operator_does_otherwise_replaces_no_pod_that_runs() {
    let old = test_support::cluster();
    let replaced = Step::Replace(old.names.startup_instance("herd").to_string());
    let step = |new: &Cluster, running| {
        let (plan, objects) = found(&old, new, running);
        next(&candidates(new, &plan, &objects))
    };
    assert_eq!(step(&old, true), Step::Nothing, "a script or a probe is another one");
    assert_eq!(step(&old, false), replaced, "it may be what the pod needs in order to start");
    let mut newer = old.clone();
    newer.image = "localhost/postgres:newer".to_owned();
    assert_eq!(step(&newer, true), Step::Nothing, "nobody has named that image");
    newer.image_is_named = true;
    assert_eq!(step(&newer, true), replaced);

    let (plan, mut objects) = found(&old, &newer, true);
    for stateful_set in objects.stateful_sets.values_mut() {
        stateful_set.metadata.generation = Some(3);
    }
    let step = next(&candidates(&newer, &plan, &objects));
    assert!(matches!(step, Step::Wait(_)), "its old self would come back: {step:?}");
}

/// Does what a step asks for, as a cluster would: the pod stops, comes back new, and is well after a while. Returns false
/// when there was nothing to do.
fn live(instances: &mut [Candidate], step: &Step) -> bool {
    let settle = |instances: &mut [Candidate]| {
        for instance in instances.iter_mut() {
            instance.observed = true;
            let pod = instance.pod.get_or_insert_with(|| Running {
                outdated: false,
                terminating: false,
                primary: false,
                healthy: false,
                eligible: false,
                state: "starting".to_owned(),
                lag: None,
            });
            if pod.terminating {
                pod.terminating = false;
                pod.outdated = false;
            }
            pod.healthy = true;
            pod.eligible = true;
        }
        // Somebody takes over from a primary that went away.
        if !instances.iter().any(|instance| instance.pod.as_ref().is_some_and(|pod| pod.primary)) {
            instances[0].pod.as_mut().unwrap().primary = true;
        }
    };
    match step {
        Step::Nothing => return false,
        Step::Wait(_) => settle(instances),
        Step::Replace(name) => {
            let single = instances.len() == 1;
            let found = instances.iter_mut().find(|instance| instance.name == *name).unwrap();
            let pod = found.pod.as_mut().unwrap();
            pod.terminating = true;
            pod.healthy = false;
            pod.eligible = false;
            pod.primary &= single;
        }
        Step::Switchover { from, to } => {
            for instance in instances {
                let pod = instance.pod.as_mut().unwrap();
                pod.primary = instance.name == *to || pod.primary && instance.name != *from;
            }
        }
    }
    true
}

fn down(instances: &[Candidate]) -> usize {
    let is = |instance: &&Candidate| instance.pod.as_ref().is_none_or(|pod| pod.terminating || !pod.healthy);
    instances.iter().filter(is).count()
}

proptest! {
    /// From whatever state: no step takes down a second instance, the primary's pod is never deleted while another
    /// instance could accept writes, and the end is reached.
    #[test]
    fn a_rollout_ends_and_never_has_two_down(
        states in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()), 1..6),
        leader in any::<prop::sample::Index>(),
    ) {
        let leader = leader.index(states.len());
        let mut instances: Vec<Candidate> = states
            .iter()
            .enumerate()
            .map(|(index, (outdated, healthy, terminating, observed))| {
                let mut instance = instance(&format!("i{index}"), *outdated);
                instance.observed = *observed;
                changed(instance, |pod| {
                    pod.primary = index == leader;
                    pod.healthy = *healthy;
                    pod.eligible = *healthy;
                    pod.terminating = *terminating;
                })
            })
            .collect();
        let mut steps = 0;
        loop {
            let step = next(&instances);
            let before = down(&instances);
            if let Step::Replace(name) = &step {
                let pod = instances.iter().find(|one| one.name == *name).unwrap().pod.clone().unwrap();
                prop_assert!(pod.outdated);
                let others = instances.iter().any(|one| {
                    one.name != *name && one.pod.as_ref().is_some_and(|pod| pod.healthy)
                });
                prop_assert!(!(pod.primary && pod.healthy && others), "{name} leads and another one could");
                prop_assert!(!pod.primary || !instances.iter().any(|one| one.name != *name
                    && one.pod.as_ref().is_some_and(|pod| pod.outdated && !pod.healthy)));
            }
            if let Step::Switchover { from, to } = &step {
                prop_assert_ne!(from, to);
                prop_assert_eq!(before, 0);
                prop_assert_eq!(outdated(&instances), vec![from.as_str()]);
            }
            if !live(&mut instances, &step) {
                break;
            }
            if matches!(step, Step::Replace(_) | Step::Switchover { .. }) {
                prop_assert!(down(&instances) <= before.max(1));
            }
            steps += 1;
            prop_assert!(steps <= 3 * states.len() + 3, "it doesn't end: {instances:?}");
        }
        prop_assert!(outdated(&instances).is_empty());
    }
}
