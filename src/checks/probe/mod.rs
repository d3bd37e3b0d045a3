//! What only pods and volumes can tell: made for a moment in the installation's namespaces, and removed.

mod images;
mod message;
mod volumes;

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};

use self::message::Hidden;
use super::{Code, Finding, Outcome};
use crate::{
    inventory::{Installation, Inventory},
    k8s::{self, Doing as _, Kind, wait},
    roles::{Files, labels},
};

/// Pods that are under way at once.
const PARALLEL: usize = 4;

/// The value of [`labels::COMPONENT`] on everything that is made here.
const PROBE: &str = "probe";

/// How long what was made may take to go.
const LONGEST_REMOVAL: Duration = Duration::from_mins(1);

/// Checks that need pods and volumes.
const CODES: [Code; 3] = [Code::ImagePull, Code::VolumeBinding, Code::VolumeGrowth];

/// What is found out without making anything.
#[must_use]
pub(super) fn unasked() -> Vec<Finding> {
    let reason = "needs pods and volumes for a moment; `--probe` allows that";
    CODES.map(|code| Finding::new(code, Outcome::Skipped, reason)).into()
}

/// Makes pods, volumes and Secrets, and knows how to remove them.
#[derive(Clone)]
pub struct Probe {
    client: Client,
    labels: BTreeMap<String, String>,
    prefix: String,
    namespaces: Vec<String>,
    timeout: Duration,
}

impl Probe {
    /// A probe of an installation's namespaces. Each thing may take as long as `timeout`.
    #[must_use]
    pub fn new(client: &Client, inventory: &Inventory, timeout: Duration) -> Self {
        let Installation { name, .. } = &inventory.installation;
        let mut labels = labels::own(&inventory.installation);
        labels.insert(labels::COMPONENT.to_owned(), PROBE.to_owned());
        Self {
            client: client.clone(),
            labels,
            prefix: format!("{name}-probe-{:04x}", rand::random::<u16>()),
            namespaces: inventory.all_namespaces().into_iter().map(ToString::to_string).collect(),
            timeout,
        }
    }

    /// Where things are made.
    #[must_use]
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// Looks at images and volumes. What an earlier run left is removed before.
    pub(super) async fn run(&self, inventory: &Inventory, files: &Files) -> Vec<Finding> {
        let left = self.remove().await;
        if !left.is_empty() {
            let message = format!("an earlier run left something that doesn't go: {}", left.join("; "));
            return CODES.map(|code| Finding::new(code, Outcome::Skipped, message.clone())).into();
        }
        let present = match self.present().await {
            Ok(present) => present,
            Err(error) => return CODES.map(|code| Finding::unseen(code, &error)).into(),
        };
        let hidden = Hidden::of(files);
        let (pulled, volumes) = tokio::join!(
            images::check(self, inventory, files, &present, &hidden),
            volumes::check(self, inventory, files, &present, &hidden),
        );
        [vec![pulled], volumes].concat()
    }

    /// The namespaces that exist already. One that can't be seen is taken for existing.
    async fn present(&self) -> Result<Vec<String>, k8s::Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let mut present = Vec::new();
        for name in &self.namespaces {
            match api.get_metadata_opt(name).await.doing(|| format!("read namespace {name}")) {
                Ok(None) => {}
                Err(error) if error.kind() != Kind::Forbidden => return Err(error),
                Ok(Some(found)) if found.metadata.deletion_timestamp.is_some() => {}
                Ok(Some(_)) | Err(_) => present.push(name.clone()),
            }
        }
        Ok(present)
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    fn meta(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(format!("{}-{name}", self.prefix)),
            labels: Some(self.labels.clone()),
            ..ObjectMeta::default()
        }
    }

    async fn create<K>(&self, namespace: &str, object: &K) -> Result<K, k8s::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Serialize
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let created = self.api::<K>(namespace).create(&PostParams::default(), object).await;
        created.doing(|| format!("create {} {namespace}/{}", K::kind(&()).to_lowercase(), object.name_any()))
    }

    /// The Secrets that images are pulled with, by name: those of manifests are made here, under names of their own.
    async fn pull_secrets(
        &self,
        namespace: &str,
        files: &Files,
        purpose: &str,
    ) -> Result<Vec<String>, k8s::Error> {
        let given = files.given_secrets();
        let is_given = |name: &str| given.iter().any(|secret| secret.metadata.name.as_deref() == Some(name));
        let mut names: Vec<String> = (files.pull_secret_names().iter().map(ToString::to_string))
            .filter(|name| !is_given(name))
            .collect();
        for (index, secret) in given.iter().enumerate() {
            let metadata = self.meta(&format!("{purpose}-pull-{index}"));
            let secret = Secret { metadata, ..secret.clone() };
            names.push(self.create(namespace, &secret).await?.name_any());
        }
        Ok(names)
    }

    /// Removes everything that was made, here or by an earlier run, and waits until it is gone. Returns what didn't go.
    pub async fn remove(&self) -> Vec<String> {
        let each = self.namespaces.iter().map(|namespace| async move {
            // A volume goes only after its pod.
            let pods = self.remove_kind::<Pod>(namespace).await;
            let volumes = self.remove_kind::<PersistentVolumeClaim>(namespace).await;
            let secrets = self.remove_kind::<Secret>(namespace).await;
            [pods, volumes, secrets].concat()
        });
        join_all(each).await.concat()
    }

    async fn remove_kind<K>(&self, namespace: &str) -> Vec<String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug
            + Send
            + 'static,
    {
        let api = self.api::<K>(namespace);
        let own: BTreeMap<_, _> = [labels::PART_OF, labels::COMPONENT]
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), self.labels.get(*key)?.clone())))
            .collect();
        let params = ListParams::default().labels(&labels::selector(&own));
        let plural = K::plural(&());
        let list = match api.list_metadata(&params).await.doing(|| format!("list {plural} in {namespace}")) {
            Ok(list) => list.items,
            // Who may not see them has made none.
            Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotFound) => return Vec::new(),
            Err(error) => return vec![error.to_string()],
        };
        let removals = list.iter().map(|object| async {
            let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
            let at_once = DeleteParams::default().grace_period(0);
            match api.delete(&name, &at_once).await.doing(|| format!("delete {plural} {namespace}/{name}")) {
                Err(error) if error.kind() != Kind::NotFound => return Some(error.to_string()),
                _ => {}
            }
            let gone = wait::gone(&api, &name, &uid, LONGEST_REMOVAL, |_| {}).await;
            gone.err().map(|error| format!("{plural} {namespace}/{name}: {error}"))
        });
        let removals: Vec<_> = removals.collect();
        stream::iter(removals).buffered(PARALLEL).filter_map(std::future::ready).collect().await
    }
}
