//! Creating a cluster of one instance, with the moment of each step as a client sees it.
//!
//! Times in Kubernetes' objects are whole seconds, so the objects are watched and the clock is read here.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use pgherd::{
    api::{
        conditions::{POSTGRES_DATA_INITIALIZED, READY, find_condition},
        labels,
        postgres_cluster::PostgresCluster,
    },
    k8s::{cluster_objects, wait},
};
use serde::Serialize;
use serde_json::json;

use crate::site::{PATIENCE, Site};

/// Seconds from the request to each step; a step that was not seen is missing.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Phases {
    /// The operator has made the pod.
    pub(crate) pod: Option<f64>,
    /// The pod has a node, which a volume that waits for its first consumer comes before.
    pub(crate) scheduled: Option<f64>,
    /// The data volume is bound.
    pub(crate) volume: Option<f64>,
    /// The database container runs.
    pub(crate) started: Option<f64>,
    /// The database is initialized.
    pub(crate) initialized: Option<f64>,
    /// The pod's readiness probe succeeds.
    pub(crate) pod_ready: Option<f64>,
    /// The cluster is ready: roles and databases are set up.
    pub(crate) ready: Option<f64>,
}

impl Phases {
    /// The steps in the order in which they usually come, with their names.
    pub(crate) fn steps(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("pod created", self.pod),
            ("volume bound", self.volume),
            ("pod scheduled", self.scheduled),
            ("container started", self.started),
            ("pod ready", self.pod_ready),
            ("database initialized", self.initialized),
            ("cluster ready", self.ready),
        ]
    }

    /// All of it on one line.
    pub(crate) fn line(&self) -> String {
        let steps = self.steps();
        let shown = steps.iter().filter_map(|(name, at)| Some(format!("{name} {:.2}", (*at)?)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

enum Seen {
    Cluster(Box<PostgresCluster>),
    Pod(Box<Pod>),
    Volume(Box<PersistentVolumeClaim>),
}

/// Creates a cluster of one instance and watches it become ready.
pub(crate) async fn create(site: &Site, name: &str) -> anyhow::Result<Phases> {
    let namespace = site.databases();
    let clusters: Api<PostgresCluster> = Api::namespaced(site.client.clone(), &namespace);
    let resource: PostgresCluster = serde_json::from_value(json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": {"name": name},
        "spec": {
            "postgresVersion": site.inventory.defaults.postgres_version,
            "instances": [{
                "dataVolumeClaimSpec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    }))?;
    let of_cluster = watcher::Config::default().labels(&cluster_objects::selector(name));
    let by_name = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut all = stream::select_all([
        watched(clusters.clone(), by_name, |it| Seen::Cluster(Box::new(it))),
        watched(Api::namespaced(site.client.clone(), &namespace), of_cluster.clone(), |it| {
            Seen::Pod(Box::new(it))
        }),
        watched(Api::namespaced(site.client.clone(), &namespace), of_cluster, |it| {
            Seen::Volume(Box::new(it))
        }),
    ]);
    let begun = Instant::now();
    clusters.create(&PostParams::default(), &resource).await?;
    let mut phases = Phases::default();
    let watching = async {
        while let Some(seen) = all.next().await {
            phases.note(&seen, begun.elapsed());
            if phases.ready.is_some() {
                return;
            }
        }
    };
    let finished = tokio::time::timeout(PATIENCE, watching).await;
    finished.with_context(|| format!("cluster {namespace}/{name} is not ready; {}", phases.line()))?;
    Ok(phases)
}

fn watched<K>(api: Api<K>, config: watcher::Config, wrap: fn(K) -> Seen) -> stream::BoxStream<'static, Seen>
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let objects = watcher(api, config).default_backoff().applied_objects();
    objects.filter_map(move |object| async move { object.ok().map(wrap) }).boxed()
}

impl Phases {
    fn note(&mut self, seen: &Seen, at: Duration) {
        let at = at.as_secs_f64();
        let mut mark = |phase: fn(&mut Self) -> &mut Option<f64>| {
            phase(self).get_or_insert(at);
        };
        match seen {
            Seen::Cluster(cluster) => {
                let conditions = cluster.status.as_ref().map(|status| status.conditions.as_slice());
                let holds = |type_| {
                    find_condition(conditions.unwrap_or_default(), type_)
                        .is_some_and(|condition| condition.status == "True")
                };
                if holds(POSTGRES_DATA_INITIALIZED) {
                    mark(|phases| &mut phases.initialized);
                }
                if holds(READY) {
                    mark(|phases| &mut phases.ready);
                }
            }
            Seen::Volume(claim) => {
                let data = claim.labels().get(labels::ROLE).is_some_and(|role| role == labels::ROLE_PGDATA);
                let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
                if data && phase == Some("Bound") {
                    mark(|phases| &mut phases.volume);
                }
            }
            Seen::Pod(pod) => {
                mark(|phases| &mut phases.pod);
                let status = pod.status.clone().unwrap_or_default();
                let holds = |type_: &str| {
                    let mut conditions = status.conditions.iter().flatten();
                    conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
                };
                if holds("PodScheduled") {
                    mark(|phases| &mut phases.scheduled);
                }
                let mut containers = status.container_statuses.iter().flatten();
                let runs = containers
                    .any(|container| container.state.as_ref().is_some_and(|state| state.running.is_some()));
                if runs {
                    mark(|phases| &mut phases.started);
                }
                if holds("Ready") {
                    mark(|phases| &mut phases.pod_ready);
                }
            }
        }
    }
}

/// Deletes a cluster and waits until neither it nor its volume is left.
pub(crate) async fn delete(site: &Site, name: &str) -> anyhow::Result<()> {
    let namespace = site.databases();
    let clusters: Api<PostgresCluster> = Api::namespaced(site.client.clone(), &namespace);
    let Some(found) = clusters.get_opt(name).await? else { return Ok(()) };
    clusters.delete(name, &DeleteParams::background()).await?;
    wait::gone(&clusters, name, &found.uid().unwrap_or_default(), PATIENCE, |_| {}).await?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(site.client.clone(), &namespace);
    let left = claims.list(&ListParams::default().labels(&cluster_objects::selector(name))).await?;
    for claim in left.items {
        let uid = claim.uid().unwrap_or_default();
        wait::gone(&claims, &claim.name_any(), &uid, PATIENCE, |_| {}).await?;
    }
    Ok(())
}

/// Deletes all clusters of a namespace.
pub(crate) async fn delete_all(site: &Site, namespace: &str) -> anyhow::Result<()> {
    let clusters: Api<PostgresCluster> = Api::namespaced(site.client.clone(), namespace);
    for cluster in clusters.list_metadata(&ListParams::default()).await?.items {
        delete(site, &cluster.name_any()).await?;
    }
    Ok(())
}
