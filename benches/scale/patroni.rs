//! In the place of Patroni: what it writes into the API when it has made a database, and then every few seconds. Each pod
//! is the only one of its cluster, so it leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    runtime::{WatchStreamExt as _, watcher},
};
use pgherd::{api::labels, domain::cluster_names::ClusterNames, k8s::cluster_objects::selector};
use serde_json::{Value, json};

use crate::site::{FIELD_MANAGER, ROUNDS_AT_ONCE};

/// How often each leader renews its lease: Patroni's `loop_wait`.
const ROUND: Duration = Duration::from_secs(10);

/// Every how many rounds a log has grown: an idle database closes its segment about once a minute.
const ROUNDS_PER_SEGMENT: u64 = 6;

/// The leaders of all clusters of a namespace.
pub(crate) struct Leaders {
    client: Client,
    namespace: String,
    /// Clusters whose database is being made, or is there.
    begun: Mutex<BTreeSet<String>>,
    /// The pod that leads each cluster.
    known: Mutex<BTreeMap<String, String>>,
}

impl Leaders {
    pub(crate) fn new(client: &Client, namespace: &str) -> Arc<Self> {
        let (client, namespace) = (client.clone(), namespace.to_owned());
        Arc::new(Self { client, namespace, begun: Mutex::default(), known: Mutex::default() })
    }

    /// Makes a database in each pod that begins to run. Ends with the first error.
    pub(crate) async fn bootstrap(self: Arc<Self>) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let instances = watcher::Config::default().labels(labels::INSTANCE);
        let running = watcher(pods, instances).default_backoff().applied_objects().filter_map(async |pod| {
            let pod = pod.ok()?;
            let phase = pod.status.as_ref()?.phase.as_deref()?;
            let new = !pod.labels().contains_key(labels::ROLE) && pod.metadata.deletion_timestamp.is_none();
            (phase == "Running" && new).then_some(pod)
        });
        let mut begun = std::pin::pin!(running.map(|pod| self.lead(pod)).buffer_unordered(ROUNDS_AT_ONCE));
        while let Some(result) = begun.next().await {
            result?;
        }
        anyhow::bail!("the watch of pods has ended")
    }

    /// The first round of a new leader.
    async fn lead(&self, pod: Pod) -> anyhow::Result<()> {
        let (name, cluster) = (pod.name_any(), pod.labels().get(labels::CLUSTER).cloned());
        let cluster = cluster.context("an instance's pod belongs to no cluster")?;
        if !self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.clone()) {
            return Ok(());
        }
        let names = ClusterNames::new(&cluster);
        let configuration = self.configuration(&cluster).await?;
        let uid = pod.uid().unwrap_or_default();
        let identifier = u64::from_str_radix(&uid.replace('-', "")[..15], 16)?.to_string();
        let store = json!({"config": configuration.to_string(), "initialize": identifier});
        self.store(&cluster, &names.patroni_config(), &store).await?;
        let mut lease = lease(&name);
        lease["acquireTime"] = lease["renewTime"].clone();
        self.store(&cluster, &names.leader(), &lease).await?;
        self.mark(&name, 0).await?;
        self.known().insert(cluster, name);
        Ok(())
    }

    /// The configuration that a new database begins with, out of the file that its pod would mount.
    async fn configuration(&self, cluster: &str) -> anyhow::Result<Value> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let found = maps.list(&ListParams::default().labels(&selector(cluster))).await?;
        for text in found.items.iter().filter_map(|map| map.data.as_ref()?.get("patroni.yaml")) {
            let file: Value = serde_saphyr::from_str(text)?;
            let dynamic = &file["bootstrap"]["dcs"];
            if !dynamic.is_null() {
                return Ok(dynamic.clone());
            }
        }
        anyhow::bail!("{cluster} has no configuration for Patroni")
    }

    async fn store(&self, cluster: &str, name: &str, annotations: &Value) -> anyhow::Result<()> {
        let api: Api<Endpoints> = Api::namespaced(self.client.clone(), &self.namespace);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {
                "name": name,
                "labels": {labels::CLUSTER: cluster, labels::PATRONI: ClusterNames::new(cluster).leader()},
                "annotations": annotations,
            },
        });
        // Forced: what the operator changes of the configuration isn't ours to fight for, and this is written once.
        api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&object)).await?;
        Ok(())
    }

    async fn mark(&self, pod: &str, location: u64) -> kube::Result<()> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let status = json!({
            "conn_url": format!("postgres://{pod}:5432/postgres"),
            "api_url": format!("https://{pod}:8008/patroni"),
            "state": "running", "role": "primary", "version": "4.0.6", "timeline": 1,
            "xlog_location": location,
        });
        let patch = json!({"metadata": {
            "labels": {labels::ROLE: labels::ROLE_PATRONI_LEADER},
            "annotations": {"status": status.to_string()},
        }});
        api.patch_metadata(pod, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// All further rounds, until it is dropped. They are spread over time, as those of many pods are.
    pub(crate) async fn go_on(self: Arc<Self>) -> anyhow::Result<()> {
        for round in 1.. {
            let leaders = self.known().clone();
            let mut turns = tokio::time::interval(ROUND / u32::try_from(leaders.len().max(1))?);
            // The first one is at once.
            turns.tick().await;
            if leaders.is_empty() {
                turns.tick().await;
            }
            for (place, (cluster, pod)) in leaders.iter().enumerate() {
                turns.tick().await;
                let grown = (round + u64::try_from(place)?).is_multiple_of(ROUNDS_PER_SEGMENT);
                match self.renew(cluster, pod, grown.then_some(round << 24)).await {
                    Ok(()) => {}
                    // It was deleted, and its instance with it.
                    Err(kube::Error::Api(status)) if status.is_not_found() => {
                        self.known().remove(cluster);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn renew(&self, cluster: &str, pod: &str, location: Option<u64>) -> kube::Result<()> {
        let api: Api<Endpoints> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = json!({"metadata": {"annotations": lease(pod)}});
        let name = ClusterNames::new(cluster).leader();
        api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        match location {
            Some(location) => self.mark(pod, location).await,
            None => Ok(()),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lease(pod: &str) -> Value {
    json!({"leader": pod, "ttl": "30", "transitions": "0", "renewTime": Timestamp::now().to_string()})
}
