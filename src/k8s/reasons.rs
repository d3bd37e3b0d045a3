//! Why a pod isn't ready, in a sentence: from its conditions, its containers and the warnings about it. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;

/// Reasons of a waiting container that say no more than that it will start.
const STARTING: &[&str] = &["ContainerCreating", "PodInitializing"];

/// What is said of a pod that no node has yet, without a word of the scheduler's.
pub(super) const NO_NODE: &str = "waiting for a node";

/// Whether every container of a pod is ready.
#[must_use]
pub fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Why a pod isn't ready, or nothing if it is. Begins with the pod's name.
#[must_use]
pub fn why_not_ready(pod: &Pod) -> Option<String> {
    if ready(pod) {
        return None;
    }
    let name = pod.name_any();
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(format!("{name} is stopping"));
    }
    Some(format!("{name}: {}", reason(pod)))
}

fn reason(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return "not seen by a node yet".to_owned() };
    if let Some(reason) = &status.reason {
        return with_message(reason, status.message.as_deref());
    }
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if let Some(unscheduled) =
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
    {
        return with_message(
            unscheduled.reason.as_deref().unwrap_or("Unscheduled"),
            unscheduled.message.as_deref(),
        );
    }
    let containers = || {
        let initial = status.init_container_statuses.as_deref().unwrap_or_default();
        initial.iter().chain(status.container_statuses.as_deref().unwrap_or_default())
    };
    // A container that fails says more than one that just hasn't started.
    containers()
        .find_map(failing)
        .or_else(|| containers().find_map(starting))
        .or_else(|| {
            containers()
                .find(|container| !container.ready)
                .map(|container| format!("container {} runs, but is not ready", container.name))
        })
        .unwrap_or_else(|| NO_NODE.to_owned())
}

fn failing(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref();
    let ended = (container.last_state.as_ref().and_then(|state| state.terminated.as_ref()))
        .or_else(|| container.state.as_ref().and_then(|state| state.terminated.as_ref()))
        .filter(|ended| ended.exit_code != 0)
        .map(|ended| {
            let reason = ended.reason.as_deref().filter(|reason| *reason != "Error");
            let text = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
            let message = ended.message.as_deref().map(str::trim).filter(|message| !message.is_empty());
            let message = message.map_or_else(String::new, |message| format!(": {message}"));
            format!("container {} ended with exit code {}{text}{message}", container.name, ended.exit_code)
        });
    let held = waiting.and_then(|waiting| {
        let reason = waiting.reason.as_deref().filter(|reason| !STARTING.contains(reason))?;
        Some(with_message(reason, waiting.message.as_deref()))
    });
    match (held, ended) {
        (Some(held), Some(ended)) => Some(format!("{held}; {ended}")),
        (held, ended) => held.or(ended),
    }
}

fn starting(container: &ContainerStatus) -> Option<String> {
    container.state.as_ref()?.waiting.as_ref()?;
    Some(format!("starting container {} from {}", container.name, container.image))
}

fn with_message(reason: &str, message: Option<&str>) -> String {
    match message.map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_owned(),
    }
}

/// A warning in a sentence, if it is about the pod as it is now and not about an earlier one of the same name.
#[must_use]
pub fn warning(event: &Event, pod: &Pod) -> Option<String> {
    let about = &event.involved_object;
    let concerns = event.type_.as_deref() == Some("Warning") && about.uid == pod.metadata.uid;
    let reason = event.reason.as_deref().unwrap_or("Warning");
    concerns.then(|| format!("{}: {}", pod.name_any(), with_message(reason, event.message.as_deref())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    fn container(state: &Value, last: &Value) -> Value {
        json!({"containerStatuses": [{
            "name": "c", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0, "state": state, "lastState": last
        }]})
    }

    #[test]
    fn a_ready_pod_has_no_reason() {
        assert_eq!(why_not_ready(&pod(&json!({"conditions": [{"type": "Ready", "status": "True"}]}))), None);
    }

    #[test]
    fn every_way_not_to_be_ready_has_its_words() {
        let none = json!({});
        let cases = [
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}),
                "p: Unschedulable: 0/1 nodes",
            ),
            (
                container(
                    &json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}),
                    &none,
                ),
                "p: ImagePullBackOff: no such image",
            ),
            (
                container(
                    &json!({"waiting": {"reason": "CrashLoopBackOff"}}),
                    &json!({"terminated": {"exitCode": 2, "reason": "Error"}}),
                ),
                "p: CrashLoopBackOff; container c ended with exit code 2",
            ),
            (
                container(&json!({"waiting": {"reason": "ContainerCreating"}}), &none),
                "p: starting container c from i:1",
            ),
            (
                container(
                    &json!({"running": {}}),
                    &json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
                ),
                "p: container c ended with exit code 137 (OOMKilled)",
            ),
            (container(&json!({"running": {}}), &none), "p: container c runs, but is not ready"),
            (json!({"reason": "Evicted", "message": "disk"}), "p: Evicted: disk"),
            (json!({}), "p: waiting for a node"),
        ];
        for (status, expected) in cases {
            assert_eq!(why_not_ready(&pod(&status)).as_deref(), Some(expected));
        }
    }
}
