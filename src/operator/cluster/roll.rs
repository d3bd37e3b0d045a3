//! Takes the step that [`super::rollout`] has decided on.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, Preconditions},
};

use super::{
    Error, Story,
    control::{self, Answer, Request},
    error::ignore_missing,
    instances::Plan,
    rollout::{self, Step},
};
use crate::{
    desired::Cluster,
    domain::cluster_names::InstanceName,
    k8s::cluster_objects::ClusterObjects,
};

/// What is still to be rolled out after a step, for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Instances whose pods are to be replaced.
    pub outdated: Vec<String>,
    /// What is being done or waited for.
    pub doing: String,
}

/// Goes on with replacing outdated pods by one step. Returns what is left.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn go_on(
    client: &Client,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Option<Pending>, Error> {
    if cluster.shutdown || !rollout::may_be_due(cluster, plan, objects) {
        return Ok(None);
    }
    // What was read before this look changed anything is old by now, and what follows may take a pod away.
    let objects = ClusterObjects::fetch(client, &cluster.namespace, &cluster.name).await?;
    let candidates = rollout::candidates(cluster, plan, &objects);
    let step = rollout::next(&candidates);
    let mut pending = Pending {
        outdated: rollout::outdated(&candidates).into_iter().map(str::to_owned).collect(),
        doing: step.to_string(),
    };
    match &step {
        Step::Nothing => return Ok(None),
        Step::Wait(_) => {}
        Step::Replace(name) => replace(client, cluster, name, &objects, story).await?,
        Step::Switchover { from, to } => {
            let (pod, to_pod) = (InstanceName::existing(from).pod(), InstanceName::existing(to).pod());
            match control::ask(client, cluster, &pod, Request::Switchover { to: Some(&to_pod) }).await? {
                Answer::Done => story.tell(
                    "PrimaryMoved",
                    "Rollout",
                    format!("{to} has taken over from {from}, whose pod is replaced next"),
                ),
                Answer::Refused(words) => {
                    pending.doing = format!("{from} could not hand over to {to}: {words}");
                    story.warn("SwitchoverFailed", "Rollout", pending.doing.clone());
                }
                Answer::Unknown => pending.doing = format!("{from} was asked to hand over to {to}"),
            }
        }
    }
    Ok(Some(pending))
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
    Ok(())
}
