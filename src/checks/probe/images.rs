//! Whether images can be pulled, by pods that are made to.

use futures::{StreamExt as _, stream};
use k8s_openapi::{
    api::core::v1::{
        Container, LocalObjectReference, Pod, PodSecurityContext, PodSpec, ResourceRequirements,
        SeccompProfile,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::ResourceExt as _;

use super::{Code, Finding, Hidden, Outcome, PARALLEL, Probe};
use crate::{
    desired::pod::container_security,
    inventory::Inventory,
    k8s::{
        self, Kind,
        reasons::why_not_ready,
        wait::{self, Look, WaitError},
    },
    roles::Files,
};

/// Reasons of a waiting container whose image is there.
const PULLED: &[&str] = &["CrashLoopBackOff", "RunContainerError", "CreateContainerError"];

/// Reasons of a waiting container that say nothing about its image yet.
const UNDECIDED: &[&str] = &["ContainerCreating", "PodInitializing"];

/// An image, where it has to be pulled.
struct Wanted {
    namespace: String,
    image: String,
    command: Vec<String>,
}

/// What became of it.
enum Pull {
    Done { node: String },
    Failed(String),
    Unseen(k8s::Error),
}

/// One finding for all images, in every namespace that pulls them.
pub(super) async fn check(
    probe: &Probe,
    inventory: &Inventory,
    files: &Files,
    present: &[String],
    hidden: &Hidden,
) -> Finding {
    let (wanted, absent): (Vec<Wanted>, Vec<Wanted>) =
        wanted(inventory).into_iter().partition(|wanted| present.contains(&wanted.namespace));
    let pulls = wanted.iter().enumerate().map(|(index, wanted)| async move {
        (wanted, pull(probe, inventory, files, wanted, index, hidden).await)
    });
    let pulls: Vec<_> = pulls.collect();
    let pulls: Vec<_> = stream::iter(pulls).buffered(PARALLEL).collect().await;
    judge(pulls, &absent)
}

fn wanted(inventory: &Inventory) -> Vec<Wanted> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let images = &inventory.images;
    let mut wanted = vec![Wanted {
        namespace: inventory.installation.namespace.to_string(),
        image: images.operator.to_string(),
        command: words(&["pgherd", "version"]),
    }];
    for namespace in inventory.watched() {
        for image in images.postgres.values() {
            let (namespace, image) = (namespace.to_string(), image.to_string());
            wanted.push(Wanted { namespace, image, command: words(&["true"]) });
        }
    }
    wanted
}

fn judge(pulls: Vec<(&Wanted, Pull)>, absent: &[Wanted]) -> Finding {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (Wanted { namespace, image, .. }, pull) in pulls {
        match pull {
            Pull::Done { node } => done.push(format!("{image} in {namespace}, on {node}")),
            Pull::Failed(why) => failed.push(format!("{image} in {namespace}: {why}")),
            Pull::Unseen(error) => return Finding::unseen(Code::ImagePull, &error),
        }
    }
    let absent: Vec<String> = (absent.iter())
        .map(|Wanted { namespace, image, .. }| format!("{image}: namespace {namespace} doesn't exist yet"))
        .collect();
    if !failed.is_empty() {
        let noun = if failed.len() == 1 { "an image" } else { "images" };
        return Finding::failed(
            Code::ImagePull,
            format!("{noun} can't be pulled"),
            "Pull secrets are named in images.pull_secrets, or given as files in images.pull_secret_manifests.",
        )
        .with_details(failed);
    }
    if done.is_empty() {
        return Finding::new(Code::ImagePull, Outcome::Skipped, "no namespace is there to pull images in")
            .with_details(absent);
    }
    let message = if absent.is_empty() {
        "images can be pulled"
    } else {
        "images can be pulled, as far as namespaces are there"
    };
    Finding::ok(Code::ImagePull, message).with_details([done, absent].concat())
}

async fn pull(
    probe: &Probe,
    inventory: &Inventory,
    files: &Files,
    wanted: &Wanted,
    index: usize,
    hidden: &Hidden,
) -> Pull {
    let Wanted { namespace, image, command } = wanted;
    let name = format!("image-{index}");
    let secrets = match probe.pull_secrets(namespace, files, &name).await {
        Ok(secrets) => secrets,
        Err(error) => return refused(error, hidden),
    };
    let pod = pod(probe, inventory, &name, image, command, &secrets);
    let pod = match probe.create(namespace, &pod).await {
        Ok(pod) => pod,
        Err(error) => return refused(error, hidden),
    };
    let api = probe.api::<Pod>(namespace);
    match wait::until(&api, &pod.name_any(), probe.timeout, seen, |_| {}).await {
        Ok(Ok(node)) => Pull::Done { node },
        Ok(Err(why)) => Pull::Failed(hidden.shown(&why)),
        Err(WaitError::Timeout { seen }) => {
            let seen = hidden.shown(&seen.join("; "));
            Pull::Failed(format!("not pulled after {} s: {seen}", probe.timeout.as_secs()))
        }
        Err(WaitError::Watch(error)) => Pull::Unseen(error),
    }
}

/// Whose rights don't reach sees nothing; what a quota or an admission rule keeps out is a failure of the check.
fn refused(error: k8s::Error, hidden: &Hidden) -> Pull {
    let message = error.message();
    if error.kind() == Kind::Invalid || message.contains("quota") || message.contains("PodSecurity") {
        return Pull::Failed(hidden.shown(&error.to_string()));
    }
    Pull::Unseen(error)
}

/// A pod at the `restricted` level that ends by itself. It is the kubelet's that pulls, so no code of the image matters.
pub(super) fn pod(
    probe: &Probe,
    inventory: &Inventory,
    name: &str,
    image: &str,
    command: &[String],
    pull_secrets: &[String],
) -> Pod {
    let quantities = |memory: &str| {
        [("cpu", "10m"), ("memory", memory)]
            .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
            .into()
    };
    let secrets: Vec<LocalObjectReference> =
        pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    Pod {
        metadata: probe.meta(name),
        spec: Some(PodSpec {
            containers: vec![Container {
                name: "probe".to_owned(),
                image: Some(image.to_owned()),
                image_pull_policy: Some(inventory.images.pull_policy.as_str().to_owned()),
                command: Some(command.to_vec()),
                resources: Some(ResourceRequirements {
                    requests: Some(quantities("16Mi")),
                    limits: Some(
                        [("cpu".to_owned(), Quantity("100m".to_owned()))]
                            .into_iter()
                            .chain([("memory".to_owned(), Quantity("64Mi".to_owned()))])
                            .collect(),
                    ),
                    ..ResourceRequirements::default()
                }),
                security_context: Some(container_security()),
                ..Container::default()
            }],
            image_pull_secrets: (!secrets.is_empty()).then_some(secrets),
            restart_policy: Some("Never".to_owned()),
            // Nobody may be left to remove it.
            active_deadline_seconds: Some(i64::try_from(probe.timeout.as_secs() * 2).unwrap_or(600)),
            termination_grace_period_seconds: Some(0),
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    ..SeccompProfile::default()
                }),
                ..PodSecurityContext::default()
            }),
            ..PodSpec::default()
        }),
        ..Pod::default()
    }
}

/// Whether a pod's image was pulled: the node that did, or why it wasn't.
fn seen(pod: Option<&Pod>) -> Look<Result<String, String>> {
    let Some(pod) = pod else { return Look::Done(Err("somebody removed the pod".to_owned())) };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    let status = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()?.first());
    let waiting = || Look::Waiting(why_not_ready(pod).unwrap_or_default());
    let Some(state) = status.and_then(|status| status.state.as_ref()) else { return waiting() };
    if state.running.is_some() || state.terminated.is_some() {
        return Look::Done(Ok(node));
    }
    let Some(held) = &state.waiting else { return waiting() };
    match held.reason.as_deref() {
        None => waiting(),
        Some(reason) if UNDECIDED.contains(&reason) => waiting(),
        Some(reason) if PULLED.contains(&reason) => Look::Done(Ok(node)),
        Some(reason) => Look::Done(Err(match &held.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn look(state: &Value) -> Look<Result<String, String>> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p"}, "spec": {"nodeName": "node1", "containers": []},
            "status": {"containerStatuses": [{
                "name": "probe", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            }]},
        }))
        .unwrap();
        seen(Some(&pod))
    }

    #[test]
    fn a_container_tells_whether_its_image_was_pulled() {
        let pulled = Look::Done(Ok("node1".to_owned()));
        assert_eq!(look(&json!({"running": {}})), pulled);
        assert_eq!(look(&json!({"terminated": {"exitCode": 127}})), pulled);
        assert_eq!(look(&json!({"waiting": {"reason": "RunContainerError"}})), pulled);
        assert!(matches!(look(&json!({"waiting": {"reason": "ContainerCreating"}})), Look::Waiting(_)));
        let refused = json!({"waiting": {"reason": "ErrImagePull", "message": "unauthorized"}});
        assert_eq!(look(&refused), Look::Done(Err("ErrImagePull: unauthorized".to_owned())));
    }
}
