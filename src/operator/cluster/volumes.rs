//! Volumes of running instances: those that grow, those that can't become what they should be, and those of the write-ahead
//! log that nobody wants any more.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Client, ResourceExt};

use super::{
    Story,
    apply::delete,
    error::Error,
    instances::{self, Plan},
};
use crate::{
    api::{conditions, labels},
    desired::{
        Cluster,
        cluster::{AdoptedClaims, InstanceSet},
        inputs::Inputs,
    },
    domain::{cluster_names::InstanceName, quantity::Quantity},
    k8s::{
        Kind,
        applier::Applier,
        cluster_objects::{ByName, ClusterObjects},
    },
};

/// What is to be told of volumes that aren't as described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes {
    /// Those on their way, with what they wait for.
    pub resizing: Vec<String>,
    /// Those that can't become as described, and why.
    pub stuck: Vec<String>,
    /// Those that were made just now for an instance that has others.
    pub added: Vec<String>,
}

/// The set of an instance as it is built now. The volume of a write-ahead log that is no longer wanted stays mounted until the
/// log has left it.
#[must_use]
pub(super) fn set_of<'a>(
    cluster: &'a Cluster,
    objects: &ClusterObjects,
    instance: &InstanceName,
    index: usize,
) -> Cow<'a, InstanceSet> {
    let set = &cluster.sets[index];
    let claim = |role: &str| {
        let of_instance = |claim: &&PersistentVolumeClaim| {
            let label = |key: &str| claim.labels().get(key).map(String::as_str);
            claim.metadata.deletion_timestamp.is_none()
                && label(labels::INSTANCE) == Some(instance.as_str())
                && label(labels::ROLE) == Some(role)
        };
        objects.volume_claims.values().find(of_instance).map(ResourceExt::name_any)
    };
    let log = claim(labels::ROLE_PGWAL);
    let retiring_wal = set.wal_volume.is_none() && log.is_some();
    let adopted = AdoptedClaims {
        data: claim(labels::ROLE_PGDATA).filter(|name| *name != instance.data_volume()),
        log: log.filter(|name| *name != instance.wal_volume()),
    };
    if retiring_wal || adopted != AdoptedClaims::default() {
        Cow::Owned(InstanceSet { adopted, retiring_wal, ..set.clone() })
    } else {
        Cow::Borrowed(set)
    }
}

/// Deletes volumes that the write-ahead log has left: the startup container moves it, and PostgreSQL runs.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn retire(
    client: &Client,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<(), Error> {
    let mut left = Vec::new();
    for (instance, index) in &plan.keep {
        let set = set_of(cluster, objects, instance, *index);
        let Some(pod) = objects.pods.get(&instance.pod()).filter(|_| set.retiring_wal) else { continue };
        let state = instances::pod_state(pod);
        if state.ready && !state.terminating && Inputs::of(cluster, &set).made(pod) {
            let name = set.wal_claim(instance);
            delete::<PersistentVolumeClaim>(client, &cluster.namespace, &name).await?;
            left.push(name);
        }
    }
    if !left.is_empty() {
        let note = format!("removing volumes that the write-ahead log has left: {}", left.join(", "));
        story.tell("VolumeRemoved", "RetireVolume", note);
    }
    Ok(())
}

/// Applies claims. One that Kubernetes refuses to change stays as it is, and is told of: the database runs on.
///
/// # Errors
/// When a claim can't be made, or the API server can't be reached.
pub(super) async fn apply(
    applier: &Applier,
    desired: &[PersistentVolumeClaim],
    live: &ByName<PersistentVolumeClaim>,
) -> Result<Volumes, Error> {
    let mut volumes = Volumes::default();
    for claim in desired {
        let name = claim.name_any();
        let Some(present) = live.get(&name) else {
            applier.apply(claim, None).await?;
            if of_existing_instance(claim, live) {
                volumes.added.push(name);
            }
            continue;
        };
        let mut claim = claim.clone();
        let (wanted, requested) = (request(&claim), request(present));
        if wanted < requested {
            volumes.stuck.push(format!(
                "{name} has {}, and volumes can't shrink to {}; make another instance set with smaller ones",
                text(present),
                text(&claim)
            ));
            keep_size(&mut claim, present);
        }
        match applier.apply(&claim, Some(present)).await {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Forbidden) => {
                volumes.stuck.push(format!("{name} stays as it is: {}", error.message()));
            }
            Err(error) => return Err(error.into()),
        }
        volumes.resizing.extend(growth(present));
    }
    Ok(volumes)
}

/// Whether a claim's instance has other volumes. A new instance gets all of its own at once.
fn of_existing_instance(claim: &PersistentVolumeClaim, live: &ByName<PersistentVolumeClaim>) -> bool {
    let instance = |claim: &PersistentVolumeClaim| claim.labels().get(labels::INSTANCE).cloned();
    live.values().any(|other| instance(other).is_some() && instance(other) == instance(claim))
}

/// What a claim waits for, if it has asked for more than it has.
fn growth(claim: &PersistentVolumeClaim) -> Option<String> {
    let status = claim.status.as_ref()?;
    let has = status.capacity.as_ref()?.get("storage")?.0.parse::<Quantity>().ok()?;
    let wants = request(claim)?;
    if has >= wants {
        return None;
    }
    let said = status.conditions.iter().flatten().find(|condition| condition.status == "True");
    let said = said.map_or_else(
        || "nobody has begun to".to_owned(),
        |condition| {
            condition.message.clone().filter(|message| !message.is_empty()).unwrap_or(condition.type_.clone())
        },
    );
    Some(format!("{} grows to {}: {said}", claim.name_any(), text(claim)))
}

fn request(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    text_of(claim)?.parse().ok()
}

fn text_of(claim: &PersistentVolumeClaim) -> Option<&str> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    Some(requests.get("storage")?.0.as_str())
}

fn text(claim: &PersistentVolumeClaim) -> &str {
    text_of(claim).unwrap_or("no size")
}

fn keep_size(claim: &mut PersistentVolumeClaim, present: &PersistentVolumeClaim) {
    let requests = |claim: &PersistentVolumeClaim| claim.spec.as_ref()?.resources.as_ref()?.requests.clone();
    if let Some(resources) = claim.spec.as_mut().and_then(|spec| spec.resources.as_mut()) {
        resources.requests = requests(present);
    }
}

impl Volumes {
    /// The condition, if there is anything to tell: its state, a word and a sentence.
    #[must_use]
    pub(super) fn condition(&self) -> Option<(bool, &'static str, String)> {
        match (self.stuck.as_slice(), self.resizing.as_slice()) {
            ([], []) => None,
            ([], growing) => Some((true, "Resizing", growing.join("; "))),
            (stuck, _) => Some((false, "NotPossible", stuck.join("; "))),
        }
    }

    /// The type of that condition.
    pub(super) const CONDITION: &'static str = conditions::PERSISTENT_VOLUME_RESIZING;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(wants: &str, has: &str, conditions: &Value) -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": {"name": "h-a-pgdata"},
            "spec": {"resources": {"requests": {"storage": wants}}},
            "status": {"capacity": {"storage": has}, "conditions": conditions},
        }))
        .unwrap()
    }

    #[test]
    fn a_volume_grows_until_it_has_what_it_wants() {
        assert_eq!(growth(&claim("1Gi", "1024Mi", &json!([]))), None);
        assert_eq!(
            growth(&claim("2Gi", "1Gi", &json!([]))).unwrap(),
            "h-a-pgdata grows to 2Gi: nobody has begun to"
        );
        let waits =
            json!([{"type": "FileSystemResizePending", "status": "True", "message": "waiting for a pod"}]);
        assert_eq!(
            growth(&claim("2Gi", "1Gi", &waits)).unwrap(),
            "h-a-pgdata grows to 2Gi: waiting for a pod"
        );
    }

    #[test]
    fn a_volume_is_added_to_an_instance_that_has_others() {
        let of = |name: &str, instance: &str| -> PersistentVolumeClaim {
            let labels = json!({labels::INSTANCE: instance});
            serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
        };
        let live = ByName::from([("h-a-pgdata".to_owned(), of("h-a-pgdata", "h-a"))]);
        assert!(of_existing_instance(&of("h-a-pgwal", "h-a"), &live));
        assert!(!of_existing_instance(&of("h-b-pgwal", "h-b"), &live));
    }

    #[test]
    fn what_is_not_possible_is_told_before_what_is_under_way() {
        assert_eq!(Volumes::default().condition(), None);
        let growing = Volumes { resizing: vec!["a grows".into()], ..Volumes::default() };
        assert_eq!(growing.condition().unwrap(), (true, "Resizing", "a grows".into()));
        let both = Volumes { stuck: vec!["b can't".into()], ..growing };
        assert_eq!(both.condition().unwrap(), (false, "NotPossible", "b can't".into()));
    }
}
