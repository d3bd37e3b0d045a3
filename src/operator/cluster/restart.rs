//! Restarting PostgreSQL where a parameter waits for that: which instance is next, as a pure function.
//!
//! Replicas come first and the primary last, one at a time. Of some parameters a replica must not have less than its primary
//! has: it would refuse to follow. When one of them grows that is the usual order. When it shrinks the primary comes first:
//! Patroni keeps a replica at the old value as long as the primary has it, so restarting the replica earlier is in vain.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::instances::Instance;
use crate::{
    domain::cluster_names::InstanceName,
    postgres::member::{Change, Member, Role},
};

/// Parameters of which a replica must not have less than its primary.
const BOUND: [&str; 5] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing waits for a restart.
    Nothing,
    /// Something has to happen by itself first.
    Wait(String),
    /// Restart PostgreSQL in this pod.
    Restart(String),
}

/// Decides on the next step. `done` are pods that were restarted for just what they wait for according to Patroni; it has not
/// looked again yet, or the restart was in vain, and another one would be too.
#[must_use]
pub(super) fn next(members: &[Member], done: &BTreeSet<String>) -> Step {
    if members.iter().all(|member| member.pending_restart.is_none()) {
        return Step::Nothing;
    }
    if let Some(member) = members.iter().find(|member| !member.healthy()) {
        return Step::Wait(format!("{} is not well: {}", member.name, member.state));
    }
    let primaries: Vec<&Member> =
        members.iter().filter(|member| member.role == Some(Role::Primary)).collect();
    let [primary] = primaries.as_slice() else {
        return Step::Wait("it is not clear which instance is the primary".to_owned());
    };
    let due = |member: &&Member| {
        let replica = member.role == Some(Role::Replica);
        let Some(changes) = member.pending_restart.as_ref().filter(|_| replica) else { return false };
        // Older versions of Patroni don't say what has changed. If a restart was in vain then, the primary comes first.
        let in_vain = changes.is_empty() && done.contains(&member.pod);
        !in_vain && (primary.pending_restart.is_none() || takes_effect(changes))
    };
    let last = primary.pending_restart.is_some().then_some(*primary);
    match members.iter().find(due).or(last) {
        None => Step::Nothing,
        Some(member) if done.contains(&member.pod) => {
            Step::Wait(format!("{} was restarted, and Patroni has not told what it runs with", member.name))
        }
        Some(member) => Step::Restart(member.pod.clone()),
    }
}

/// The condition `PendingRestart`: its state, a word and a sentence; nothing when no instance waits for a restart.
#[must_use]
pub(super) fn condition(
    instances: &BTreeMap<InstanceName, Instance>,
) -> Option<(bool, &'static str, String)> {
    let mut names = BTreeSet::new();
    let mut waiting = Vec::new();
    for instance in instances.values() {
        let Some(pending) = instance.pod.as_ref().and_then(|pod| pod.pending_restart.as_ref()) else {
            continue;
        };
        names.extend(pending.iter().map(String::as_str));
        waiting.push(instance.name.as_str());
    }
    if waiting.is_empty() {
        return None;
    }
    let names = if names.is_empty() {
        "parameters".to_owned()
    } else {
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let message = format!("{names}: in force after a restart of PostgreSQL in {}", waiting.join(", "));
    Some((true, "ParametersChanged", message))
}

/// Whether restarting a replica changes anything while its primary is as it was. Without a word on what has changed it may.
fn takes_effect(changes: &BTreeMap<String, Change>) -> bool {
    let in_vain = |(name, change): (&String, &Change)| BOUND.contains(&name.as_str()) && shrinks(change);
    changes.is_empty() || !changes.iter().all(in_vain)
}

fn shrinks(change: &Change) -> bool {
    number(&change.new).zip(number(&change.old)).is_some_and(|(new, old)| new < old)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::postgres::member::{self, tests::pod};

    /// The primary and two replicas with what they wait for; `null` for nothing.
    fn members(pending: [Value; 3]) -> Vec<Member> {
        let status = |changes: &Value| {
            let mut status = json!({"state": "running", "replication_state": "streaming", "timeline": 1});
            if !changes.is_null() {
                status["pending_restart"] = json!(true);
                status["pending_restart_reason"] = changes.clone();
            }
            status
        };
        let [primary, a, b] = pending;
        let mut primary = status(&primary);
        primary.as_object_mut().unwrap().remove("replication_state");
        member::members(&[
            pod("p", "master", true, &primary),
            pod("a", "replica", true, &status(&a)),
            pod("b", "replica", true, &status(&b)),
        ])
    }

    fn told(pending: [Value; 3]) -> String {
        match next(&members(pending), &BTreeSet::new()) {
            Step::Nothing => "nothing".to_owned(),
            Step::Wait(why) => why,
            Step::Restart(pod) => pod,
        }
    }

    fn change(name: &str, old: i64, new: i64) -> Value {
        json!({name: {"old_value": old.to_string(), "new_value": new.to_string()}})
    }

    #[test]
    fn replicas_come_first_unless_a_bound_parameter_shrinks() {
        let none = || Value::Null;
        let other = || change("shared_buffers", 4096, 1024);
        assert_eq!(told([none(), none(), none()]), "nothing");
        assert_eq!(told([other(), other(), other()]), "a-0");
        assert_eq!(told([other(), none(), other()]), "b-0");
        assert_eq!(told([other(), none(), none()]), "p-0");
        let grows = || change("max_connections", 100, 200);
        assert_eq!(told([grows(), grows(), grows()]), "a-0");
        let shrinks = || change("max_connections", 200, 100);
        assert_eq!(told([shrinks(), shrinks(), shrinks()]), "p-0");
        assert_eq!(told([none(), shrinks(), shrinks()]), "a-0");
        // Something else makes a restart of the replica worth while; what shrinks then waits for the primary.
        let mut both = shrinks();
        both["wal_level"] = json!({"old_value": "replica", "new_value": "logical"});
        assert_eq!(told([both.clone(), both.clone(), shrinks()]), "a-0");
        assert_eq!(told([both, shrinks(), shrinks()]), "p-0");
        assert_eq!(told([json!({}), json!({}), none()]), "a-0", "older versions of Patroni give no reason");
    }

    #[test]
    fn nothing_is_restarted_twice_or_beside_one_that_is_down() {
        let other = || change("shared_buffers", 4096, 1024);
        let all = members([other(), other(), other()]);
        let Step::Wait(why) = next(&all, &BTreeSet::from(["a-0".to_owned()])) else { panic!("a waits") };
        assert!(why.starts_with("a was restarted"), "{why}");
        let silent = members([json!({}), json!({}), Value::Null]);
        let step = next(&silent, &BTreeSet::from(["a-0".to_owned()]));
        assert_eq!(step, Step::Restart("p-0".into()), "it may wait for the primary");
        let mut down = all;
        down[2].ready = false;
        assert_eq!(next(&down, &BTreeSet::new()), Step::Wait("b is not well: streaming".into()));
    }

    proptest::proptest! {
        /// Whatever has changed: with restarts that do what PostgreSQL and Patroni do, everything is in force after at most
        /// two restarts of each instance.
        #[test]
        fn every_parameter_gets_into_force(changes in proptest::collection::vec((0..3_usize, 1..9_i64, 1..9_i64), 1..4)) {
            let names = ["max_connections", "max_wal_senders", "shared_buffers"];
            let wanted: BTreeMap<&str, (i64, i64)> =
                changes.iter().map(|(name, old, new)| (names[*name], (*old, *new))).collect();
            // What each of the three runs with, the primary first.
            let mut values = [0; 3].map(|_| wanted.iter().map(|(name, (old, _))| (*name, *old)).collect::<BTreeMap<_, _>>());
            for step in 0.. {
                let pending = [0, 1, 2].map(|index: usize| {
                    let waiting: serde_json::Map<String, Value> = wanted.iter()
                        .filter(|(name, (_, new))| values[index][*name] != *new)
                        .map(|(name, (_, new))| ((*name).to_owned(),
                            json!({"old_value": values[index][name].to_string(), "new_value": new.to_string()})))
                        .collect();
                    if waiting.is_empty() { Value::Null } else { Value::Object(waiting) }
                });
                let pod = match next(&members(pending), &BTreeSet::new()) {
                    Step::Restart(pod) => pod,
                    Step::Nothing => break,
                    Step::Wait(why) => return Err(proptest::test_runner::TestCaseError::fail(why)),
                };
                let index = ["p-0", "a-0", "b-0"].iter().position(|name| *name == pod).unwrap();
                for (name, (_, new)) in &wanted {
                    let least = if index > 0 && BOUND.contains(name) { values[0][name] } else { i64::MIN };
                    values[index].insert(name, least.max(*new));
                }
                // No replica may have less of a bound parameter than the primary.
                for name in wanted.keys().filter(|name| BOUND.contains(name)) {
                    proptest::prop_assert!(values[1][name] >= values[0][name] && values[2][name] >= values[0][name]);
                }
                proptest::prop_assert!(step < 6, "it doesn't end");
            }
            for of_instance in &values {
                for (name, (_, new)) in &wanted {
                    proptest::prop_assert_eq!(of_instance[name], *new);
                }
            }
        }
    }
}
