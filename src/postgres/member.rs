//! The members of a cluster as Patroni tells of them, in an annotation on each pod that it renews with every look at the
//! cluster. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};

use crate::{api::labels, k8s::reasons};

/// The annotation.
const STATUS: &str = "status";

/// What PostgreSQL is on an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It accepts writes, or leads a standby cluster.
    Primary,
    /// It follows the primary.
    Replica,
}

/// One instance of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// The instance's name.
    pub name: String,
    /// Its pod.
    pub pod: String,
    /// What it is; nothing before it has started once.
    pub role: Option<Role>,
    /// Whether it accepts connections.
    pub ready: bool,
    /// What it does, such as `running` or `streaming`, or why it doesn't run.
    pub state: String,
    /// Its timeline; a failover begins a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<u64>,
    /// How many bytes it is behind the primary, when both have told where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// The node that it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Parameters that wait for a restart, with their old and new values as far as they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_restart: Option<BTreeMap<String, Change>>,
    #[serde(skip)]
    position: Option<u64>,
}

impl Member {
    /// What a pod tells of its instance, without its lag; nothing for a pod that isn't an instance's.
    #[must_use]
    pub fn of(pod: &Pod) -> Option<Self> {
        let told =
            pod.annotations().get(STATUS).and_then(|text| serde_json::from_str::<Annotation>(text).ok());
        let told = told.unwrap_or_default();
        let pod_name = pod.name_any();
        let name = pod.labels().get(labels::INSTANCE)?.clone();
        let role = pod.labels().get(labels::ROLE).and_then(|role| match role.as_str() {
            labels::ROLE_PATRONI_LEADER | labels::ROLE_PRIMARY | "standby_leader" => Some(Role::Primary),
            labels::ROLE_REPLICA => Some(Role::Replica),
            _ => None,
        });
        let terminating = pod.metadata.deletion_timestamp.is_some();
        let ready = reasons::ready(pod) && !terminating;
        let state = state(pod, &told, ready);
        let position = told.replay_lsn.or(told.xlog_location);
        let restart = told.pending_restart.then_some(told.pending_restart_reason);
        Some(Self {
            // A pod that doesn't run keeps its last role's label.
            role: role.filter(|_| ready || running(pod)),
            ready,
            state,
            timeline: told.timeline,
            lag: None,
            node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            pending_restart: restart,
            position,
            pod: pod_name,
            name,
        })
    }

    /// How far it has come in the write-ahead log: what the primary has written, what a replica has replayed.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// Whether it does all that is expected of it: a primary serves, a replica also follows.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.ready
            && match self.role {
                Some(Role::Primary) => self.state == "running",
                Some(Role::Replica) => self.state == "streaming",
                None => false,
            }
    }
}

/// A parameter that wait for a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The value in force.
    #[serde(rename = "old_value", default)]
    pub old: serde_json::Value,
    /// The value after a restart.
    #[serde(rename = "new_value", default)]
    pub new: serde_json::Value,
}

/// Patroni's annotation, as far as it is used here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotation {
    state: Option<String>,
    replication_state: Option<String>,
    timeline: Option<u64>,
    xlog_location: Option<u64>,
    replay_lsn: Option<u64>,
    pending_restart: bool,
    pending_restart_reason: BTreeMap<String, Change>,
}

/// How many bytes a replica is behind its primary.
#[must_use]
pub fn behind(primary: u64, replica: u64) -> u64 {
    // Each tells its own position at its own time, so a replica can seem to be ahead.
    primary.saturating_sub(replica)
}

/// The members that these pods are, the primary first, then by name.
#[must_use]
pub fn members(pods: &[Pod]) -> Vec<Member> {
    let mut members: Vec<Member> = pods.iter().filter_map(Member::of).collect();
    let leader = members.iter().find(|member| member.role == Some(Role::Primary));
    let leader = leader.and_then(|leader| leader.position);
    for member in members.iter_mut().filter(|member| member.role == Some(Role::Replica)) {
        member.lag = leader.zip(member.position).map(|(leader, replica)| behind(leader, replica));
    }
    members.sort_by(|one, other| {
        let order = |member: &Member| (member.role.is_none(), member.role, member.name.clone());
        order(one).cmp(&order(other))
    });
    members
}

/// Patroni's word where it has one, else Kubernetes'.
fn state(pod: &Pod, told: &Annotation, ready: bool) -> String {
    let said = told.state.as_deref().filter(|_| running(pod) && pod.metadata.deletion_timestamp.is_none());
    match said {
        Some("running") if ready => told.replication_state.clone().unwrap_or_else(|| "running".to_owned()),
        Some(other) if other != "running" => other.to_owned(),
        _ => {
            let why = reasons::why_not_ready(pod).unwrap_or_else(|| "running".to_owned());
            let name = pod.name_any();
            let why = why.strip_prefix(&name).unwrap_or(&why);
            why.trim_start_matches(": ").trim_start_matches(" is ").to_owned()
        }
    }
}

fn running(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let containers = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    containers.iter().any(|container| {
        container.name == crate::desired::pod::DATABASE_CONTAINER
            && container.state.as_ref().is_some_and(|state| state.running.is_some())
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A pod of an instance, as Kubernetes and Patroni describe it.
    pub(crate) fn pod(instance: &str, role: &str, ready: bool, status: &serde_json::Value) -> Pod {
        let ready = if ready { "True" } else { "False" };
        serde_json::from_value(json!({
            "metadata": {
                "name": format!("{instance}-0"),
                "labels": {labels::INSTANCE: instance, labels::ROLE: role},
                "annotations": {"status": status.to_string()},
            },
            "spec": {"nodeName": "node-a", "containers": []},
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "containerStatuses": [{
                    "name": "database", "image": "i", "imageID": "", "ready": ready == "True", "restartCount": 0,
                    "state": {"running": {}},
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_primary_comes_first_and_replicas_tell_how_far_behind_they_are() {
        let pods = [
            pod(
                "h-00-bbbb",
                "replica",
                true,
                &json!({
                    "state": "running", "replication_state": "streaming", "xlog_location": 900, "timeline": 2
                }),
            ),
            pod("h-00-aaaa", "replica", false, &json!({"state": "creating replica"})),
            pod(
                "h-00-cccc",
                "master",
                true,
                &json!({"state": "running", "xlog_location": 1000, "timeline": 2}),
            ),
        ];
        let members = members(&pods);
        let seen: Vec<_> = members
            .iter()
            .map(|member| (member.name.as_str(), member.role, member.state.as_str(), member.lag))
            .collect();
        assert_eq!(
            seen,
            [
                ("h-00-cccc", Some(Role::Primary), "running", None),
                ("h-00-aaaa", Some(Role::Replica), "creating replica", None),
                ("h-00-bbbb", Some(Role::Replica), "streaming", Some(100)),
            ]
        );
    }

    #[test]
    fn what_waits_for_a_restart_is_told_with_its_values() {
        let status = json!({"state": "running", "pending_restart": true,
            "pending_restart_reason": {"max_connections": {"old_value": "100", "new_value": "200"}}});
        let member = &members(&[pod("h-00-aaaa", "master", true, &status)])[0];
        let changes = member.pending_restart.as_ref().unwrap();
        assert_eq!(changes["max_connections"].new, json!("200"));
    }

    #[test]
    fn a_pod_that_is_not_there_yet_has_a_state_too() {
        let labels = json!({labels::INSTANCE: "h-00-aaaa"});
        let pod: Pod = serde_json::from_value(
            json!({"metadata": {"name": "h-00-aaaa-0", "labels": labels}, "status": {}}),
        )
        .unwrap();
        let member = &members(&[pod])[0];
        assert_eq!((member.role, member.state.as_str()), (None, "waiting for a node"));
    }
}
