//! Whether storage classes make volumes, and let them grow, by volumes that are made to.

use futures::{StreamExt as _, stream};
use k8s_openapi::{
    api::{
        core::v1::{
            Event, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource, Pod,
            Volume, VolumeMount, VolumeResourceRequirements,
        },
        storage::v1::StorageClass,
    },
    apimachinery::pkg::api::resource::Quantity as ApiQuantity,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{Code, Finding, Hidden, Outcome, PARALLEL, Probe, images};
use crate::{
    domain::quantity::Quantity,
    inventory::{Inventory, Storage, StorageType},
    k8s::{
        self, Doing as _, Kind,
        storage_class::is_default,
        wait::{self, Look, WaitError},
    },
    roles::Files,
};

/// The most that a probe asks for; whether a volume is made doesn't depend on more.
const LARGEST: u64 = 1 << 30;

/// Findings about one storage: whether a volume was made, and whether it grew.
struct Tried {
    bound: Result<String, Trouble>,
    grown: Result<String, Trouble>,
}

/// Why there is nothing good to say.
enum Trouble {
    Skipped(String),
    Failed(String),
    Unseen(k8s::Error),
}

/// Everything that trying one storage takes.
struct Attempt<'a> {
    probe: &'a Probe,
    inventory: &'a Inventory,
    files: &'a Files,
    namespace: &'a str,
    hidden: &'a Hidden,
    classes: &'a [StorageClass],
}

pub(super) async fn check(
    probe: &Probe,
    inventory: &Inventory,
    files: &Files,
    present: &[String],
    hidden: &Hidden,
) -> Vec<Finding> {
    let codes = [Code::VolumeBinding, Code::VolumeGrowth];
    let watched = inventory.watched().iter().map(AsRef::<str>::as_ref);
    let Some(namespace) = watched.into_iter().find(|name| present.iter().any(|there| there == name)) else {
        let why = "no namespace for databases is there yet to make a volume in";
        return codes.map(|code| Finding::new(code, Outcome::Skipped, why)).into();
    };
    let classes: Api<StorageClass> = Api::all(probe.client.clone());
    let classes = match classes.list(&ListParams::default()).await.doing(|| "list storage classes") {
        Ok(list) => list.items,
        // Whether a class keeps its volumes is unknown, and one might be left behind.
        Err(error) => return codes.map(|code| Finding::unseen(code, &error)).into(),
    };
    let attempt = Attempt { probe, inventory, files, namespace, hidden, classes: &classes };
    let tries = inventory.storages.iter().map(|(id, storage)| {
        let attempt = &attempt;
        async move { (format!("storage{id} \"{}\"", storage.name), attempt.storage(*id, storage).await) }
    });
    let tries: Vec<_> = tries.collect();
    let results: Vec<(String, Tried)> = stream::iter(tries).buffered(PARALLEL).collect().await;
    let mut findings = Vec::new();
    for (who, Tried { bound, grown }) in results {
        findings.push(finding(Code::VolumeBinding, &who, bound));
        findings.push(finding(Code::VolumeGrowth, &who, grown));
    }
    findings
}

fn finding(code: Code, who: &str, outcome: Result<String, Trouble>) -> Finding {
    match outcome {
        Ok(seen) => Finding::ok(code, format!("{who}: {seen}")),
        Err(Trouble::Skipped(why)) => Finding::new(code, Outcome::Skipped, format!("{who}: {why}")),
        Err(Trouble::Unseen(error)) => Finding::unseen(code, &error),
        Err(Trouble::Failed(why)) => {
            let hint = if code == Code::VolumeBinding {
                "Databases with this storage would wait for ever. What the provisioner says tells why."
            } else {
                "The class says that volumes can grow. The provisioner's resizer has to run for that."
            };
            Finding::failed(code, format!("{who}: {why}"), hint)
        }
    }
}

impl Attempt<'_> {
    async fn storage(&self, id: u32, storage: &Storage) -> Tried {
        let not_tried = || Err(Trouble::Skipped("there was no volume to try it with".to_owned()));
        let skipped = |why: &str| Tried { bound: Err(Trouble::Skipped(why.to_owned())), grown: not_tried() };
        if storage.r#type == StorageType::Static {
            return skipped("a claim would take one of the volumes that are there, and not give it back");
        }
        let class = match &storage.class {
            Some(name) => self.classes.iter().find(|class| class.name_any() == name.as_str()),
            None => self.classes.iter().find(|class| is_default(class)),
        };
        let Some(class) = class else { return skipped("there is no such class") };
        if class.reclaim_policy.as_deref() == Some("Retain") {
            return skipped("the class keeps volumes whose claim is gone, so the probe would leave one");
        }
        let size = storage.size.as_bytes().unwrap_or(LARGEST).min(LARGEST);
        let made = match self.claim(id, storage, size).await {
            Ok(made) => made,
            Err(trouble) => return Tried { bound: Err(trouble), grown: not_tried() },
        };
        let (claim, pod) = made;
        if let Err(trouble) = self.bound(&claim).await {
            return Tried { bound: Err(trouble), grown: not_tried() };
        }
        let name = class.name_any();
        let grown = if class.allow_volume_expansion == Some(true) {
            self.grown(&claim, &pod, size).await
        } else {
            Err(Trouble::Skipped(format!("class \"{name}\" doesn't let volumes grow")))
        };
        Tried { bound: Ok(format!("class \"{name}\" made a volume of {}", written(size))), grown }
    }

    /// Makes a claim, and a pod that uses it: many classes make a volume only then.
    async fn claim(&self, id: u32, storage: &Storage, size: u64) -> Result<(String, String), Trouble> {
        let Self { probe, inventory, files, namespace, .. } = *self;
        let purpose = format!("volume-{id}");
        let claim = PersistentVolumeClaim {
            metadata: probe.meta(&purpose),
            spec: Some(PersistentVolumeClaimSpec {
                access_modes: Some(vec![storage.access_mode.as_str().to_owned()]),
                storage_class_name: storage.class.as_ref().map(ToString::to_string),
                resources: Some(VolumeResourceRequirements {
                    requests: Some([("storage".to_owned(), ApiQuantity(written(size)))].into()),
                    ..VolumeResourceRequirements::default()
                }),
                ..PersistentVolumeClaimSpec::default()
            }),
            ..PersistentVolumeClaim::default()
        };
        let claim = probe.create(namespace, &claim).await.map_err(|error| self.refused(error))?.name_any();
        let secrets = probe.pull_secrets(namespace, files, &purpose).await.map_err(Trouble::Unseen)?;
        let image = inventory.images.postgres.values().next_back().map(ToString::to_string);
        // The pod stays for as long as the volume may take to grow; its deadline ends it.
        let command = ["sleep".to_owned(), (probe.timeout.as_secs() * 2).to_string()];
        let image = image.unwrap_or_default();
        let mut pod = images::pod(probe, inventory, &purpose, &image, &command, &secrets);
        if let Some(spec) = pod.spec.as_mut() {
            spec.volumes = Some(vec![Volume {
                name: "volume".to_owned(),
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: claim.clone(),
                    ..PersistentVolumeClaimVolumeSource::default()
                }),
                ..Volume::default()
            }]);
            for container in &mut spec.containers {
                container.volume_mounts = Some(vec![VolumeMount {
                    name: "volume".to_owned(),
                    mount_path: "/volume".to_owned(),
                    ..VolumeMount::default()
                }]);
            }
        }
        let pod = probe.create(namespace, &pod).await.map_err(|error| self.refused(error))?.name_any();
        Ok((claim, pod))
    }

    fn refused(&self, error: k8s::Error) -> Trouble {
        let message = error.message();
        if error.kind() == Kind::Invalid || message.contains("quota") || message.contains("PodSecurity") {
            return Trouble::Failed(self.hidden.shown(&error.to_string()));
        }
        Trouble::Unseen(error)
    }

    async fn bound(&self, claim: &str) -> Result<(), Trouble> {
        let api = self.probe.api::<PersistentVolumeClaim>(self.namespace);
        let look = |found: Option<&PersistentVolumeClaim>| {
            let phase = found.and_then(|claim| claim.status.as_ref()?.phase.clone());
            match phase.as_deref() {
                Some("Bound") => Look::Done(()),
                phase => Look::Waiting(format!("the claim is {}", phase.unwrap_or("gone"))),
            }
        };
        match wait::until(&api, claim, self.probe.timeout, look, |_| {}).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.stuck(claim, "no volume was made", error).await),
        }
    }

    async fn grown(&self, claim: &str, pod: &str, size: u64) -> Result<String, Trouble> {
        let Self { probe, namespace, .. } = *self;
        // Some file systems grow only while they are mounted.
        let started = |found: Option<&Pod>| match found.and_then(|pod| pod.status.as_ref()?.phase.as_deref())
        {
            Some("Pending") | None => {
                Look::Waiting("the pod that mounts the volume hasn't started".to_owned())
            }
            Some(_) => Look::Done(()),
        };
        let wait = wait::until(&probe.api::<Pod>(namespace), pod, probe.timeout, started, |_| {}).await;
        if let Err(error) = wait {
            return Err(Trouble::Skipped(format!("not tried: {error}")));
        }
        let asked = written(size * 2);
        let api = probe.api::<PersistentVolumeClaim>(namespace);
        let patch = json!({"spec": {"resources": {"requests": {"storage": asked}}}});
        let patched = api.patch(claim, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.doing(|| format!("let {claim} grow")).map_err(|error| self.refused(error))?;
        let look = |found: Option<&PersistentVolumeClaim>| match found.and_then(capacity) {
            Some(capacity) if capacity >= size * 2 => Look::Done(()),
            capacity => {
                let now = capacity.map_or_else(|| "unknown".to_owned(), written);
                let said = found.map(progress).unwrap_or_default();
                Look::Waiting(format!("its size is {now}, and not {asked}{said}"))
            }
        };
        match wait::until(&api, claim, probe.timeout, look, |_| {}).await {
            Ok(()) => Ok(format!("a volume grew from {} to {asked}", written(size))),
            Err(error) => Err(self.stuck(claim, "the volume didn't grow", error).await),
        }
    }

    /// What is said of a claim that doesn't get on: the last warning about it, or else what was seen of it.
    async fn stuck(&self, claim: &str, what: &str, error: WaitError) -> Trouble {
        let WaitError::Timeout { seen } = error else {
            return match error {
                WaitError::Watch(error) => Trouble::Unseen(error),
                WaitError::Timeout { .. } => Trouble::Failed(what.to_owned()),
            };
        };
        let events: Api<Event> = self.probe.api(self.namespace);
        let about = format!("involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}");
        let events = events.list(&ListParams::default().fields(&about)).await;
        let mut events = events.map(|list| list.items).unwrap_or_default();
        events.sort_by_key(|event| {
            (event.type_.clone() == Some("Warning".to_owned()), event.last_timestamp.clone())
        });
        let said = events.pop().and_then(|event| Some(format!("{}: {}", event.reason?, event.message?)));
        let why = self.hidden.shown(&said.unwrap_or_else(|| seen.join("; ")));
        Trouble::Failed(format!("{what} within {} s: {why}", self.probe.timeout.as_secs()))
    }
}

fn capacity(claim: &PersistentVolumeClaim) -> Option<u64> {
    let capacity = claim.status.as_ref()?.capacity.as_ref()?.get("storage")?;
    capacity.0.parse::<Quantity>().ok()?.as_bytes().ok()
}

/// What the conditions of a claim say about its growing.
fn progress(claim: &PersistentVolumeClaim) -> String {
    let conditions =
        claim.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions
        .iter()
        .map(|condition| match &condition.message {
            Some(message) if !message.is_empty() => format!("; {}: {message}", condition.type_),
            _ => format!("; {}", condition.type_),
        })
        .collect()
}

/// Bytes in the largest unit that leaves no rest.
fn written(bytes: u64) -> String {
    for (unit, size) in [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_tells_its_size_and_what_it_waits_for() {
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": {"name": "c"},
            "status": {"capacity": {"storage": "1536Mi"}, "conditions": [
                {"type": "Resizing", "status": "True"},
                {"type": "ControllerResizeError", "status": "True", "message": "no room"},
            ]},
        }))
        .unwrap();
        assert_eq!(capacity(&claim), Some(1536 << 20));
        assert_eq!(progress(&claim), "; Resizing; ControllerResizeError: no room");
    }

    #[test]
    fn sizes_are_written_as_people_do() {
        assert_eq!([written(1 << 30), written(1536 << 20), written(1000)], ["1Gi", "1536Mi", "1000"]);
    }
}
