//! Waiting until a Deployment runs what it says, with the reasons of its pods.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event, Pod},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    runtime::watcher::{self, Event as Watched},
};

use super::{
    Doing as _, Error, reasons,
    wait::WaitError,
    watching::{keep, watch},
};

/// A rollout that is complete.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RolledOut {
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that there are to be.
    pub desired: i32,
}

#[expect(clippy::large_enum_variant, reason = "one value at a time, consumed at once")]
enum Seen {
    Deployment(Watched<Deployment>),
    Pod(Watched<Pod>),
    Event(Watched<Event>),
}

#[derive(Default)]
struct Picture {
    deployment: Option<Deployment>,
    pods: BTreeMap<String, Pod>,
    events: BTreeMap<String, Event>,
    /// Whether the pods there are have been listed; before that there is nothing to say.
    listed: bool,
}

/// Watches a Deployment, the pods that `selector` finds and the warnings about them until the rollout is complete.
///
/// # Errors
/// When time is up, with what was seen, or when these can't be watched.
pub async fn deployment(
    client: &Client,
    namespace: &str,
    name: &str,
    selector: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<RolledOut, WaitError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let by_label = watcher::Config::default().labels(selector);
    let warnings = watcher::Config::default().fields("involvedObject.kind=Pod,type=Warning");
    let mut all = stream::select_all([
        watch(&deployments, by_name, Seen::Deployment),
        watch(&pods, by_label, Seen::Pod),
        watch(&events, warnings, Seen::Event),
    ]);
    let mut picture = Picture::default();
    let watching = async {
        while let Some(seen) = all.next().await {
            picture.note(seen?);
            match picture.complete() {
                Some(done) => return Ok(done),
                None if picture.listed => tell(&picture.reasons().swap_remove(0)),
                None => {}
            }
        }
        Err(WaitError::Timeout { seen: vec!["the watch ended".to_owned()] })
    };
    match tokio::time::timeout(timeout, watching).await {
        Ok(outcome) => outcome,
        Err(_) => Err(WaitError::Timeout { seen: picture.reasons() }),
    }
}

/// Looks once at a Deployment: how many of its pods are ready or, while not all are, what is in the way.
///
/// # Errors
/// When it can't be looked at.
pub async fn state(
    client: &Client,
    namespace: &str,
    name: &str,
    selector: &str,
) -> Result<Result<RolledOut, Vec<String>>, Error> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let by_label = ListParams::default().labels(selector);
    let warnings = ListParams::default().fields("involvedObject.kind=Pod,type=Warning");
    let (deployment, pods, events) =
        tokio::try_join!(deployments.get_opt(name), pods.list(&by_label), events.list(&warnings))
            .doing(|| format!("look at deployment {namespace}/{name}"))?;
    if deployment.is_none() {
        return Ok(Err(vec![format!("deployment {namespace}/{name} isn't there")]));
    }
    let picture = Picture {
        deployment,
        pods: pods.items.into_iter().map(|pod| (pod.name_any(), pod)).collect(),
        events: events.items.into_iter().map(|event| (event.name_any(), event)).collect(),
        listed: true,
    };
    Ok(picture.complete().ok_or_else(|| picture.reasons()))
}

impl Picture {
    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Deployment(Watched::Apply(it) | Watched::InitApply(it)) => self.deployment = Some(it),
            Seen::Deployment(Watched::Delete(_)) => self.deployment = None,
            Seen::Pod(event) => {
                self.listed |= matches!(event, Watched::InitDone);
                keep(&mut self.pods, event);
            }
            Seen::Event(event) => keep(&mut self.events, event),
            Seen::Deployment(_) => {}
        }
    }

    /// All pods are of the newest description and ready, and none of an older one is left.
    fn complete(&self) -> Option<RolledOut> {
        let deployment = self.deployment.as_ref()?;
        let status = deployment.status.as_ref()?;
        let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let counts = [status.replicas, status.updated_replicas, status.available_replicas];
        let current = status.observed_generation >= deployment.metadata.generation;
        let complete = current && counts.iter().all(|count| count.unwrap_or(0) == desired);
        complete.then_some(RolledOut { ready: status.ready_replicas.unwrap_or(0), desired })
    }

    /// What is in the way; there is always at least one sentence.
    fn reasons(&self) -> Vec<String> {
        let Some(deployment) = &self.deployment else {
            return vec!["waiting for the deployment".to_owned()];
        };
        let mut reasons: Vec<String> = self.pods.values().filter_map(reasons::why_not_ready).collect();
        for pod in self.pods.values().filter(|pod| !reasons::ready(pod)) {
            let mut warnings: Vec<&Event> = self.events.values().collect();
            warnings.sort_by_key(|event| std::cmp::Reverse(event.last_timestamp.clone()));
            // A container's own state often says the same as the event.
            let crashing = reasons.iter().any(|reason| reason.contains("CrashLoopBackOff"));
            warnings.retain(|event| !(crashing && event.reason.as_deref() == Some("BackOff")));
            let new = warnings.into_iter().filter_map(|event| reasons::warning(event, pod)).find(|warning| {
                let message = warning.split_once(": ").map_or(warning.as_str(), |(_, rest)| rest);
                !reasons.iter().any(|reason| reason.contains(message))
            });
            reasons.extend(new);
        }
        if reasons.is_empty() {
            let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_deref());
            reasons.extend(
                (conditions.unwrap_or_default().iter())
                    .filter(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
                    .filter_map(|condition| condition.message.clone()),
            );
        }
        if reasons.is_empty() {
            reasons.push(format!("{}: waiting for its pods", deployment.name_any()));
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picture(generation: i64, observed: i64, available: i32) -> Picture {
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "d", "generation": generation},
            "spec": {"replicas": 1, "selector": {}, "template": {}},
            "status": {"observedGeneration": observed, "replicas": 1, "updatedReplicas": 1, "readyReplicas": available, "availableReplicas": available},
        }));
        Picture { deployment: Some(deployment.unwrap()), ..Picture::default() }
    }

    #[test]
    fn a_rollout_is_complete_when_the_newest_description_is_available() {
        assert_eq!(picture(2, 2, 1).complete(), Some(RolledOut { ready: 1, desired: 1 }));
        assert_eq!(picture(2, 1, 1).complete(), None);
        assert_eq!(picture(2, 2, 0).complete(), None);
    }

    #[test]
    fn there_is_always_something_to_say() {
        assert_eq!(Picture::default().reasons(), ["waiting for the deployment"]);
        assert_eq!(picture(1, 1, 0).reasons(), ["d: waiting for its pods"]);
    }
}
