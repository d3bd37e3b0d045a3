//! Where the benchmark takes place: the definition, a storage class without a provisioner, a namespace for each size.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use pgherd::{
    api::{
        conditions::{READY, find_condition},
        postgres_cluster::PostgresCluster,
        schema,
    },
    domain::names::{InstallationName, NamespaceName},
    inventory::Installation,
    k8s::wait::{self, Look},
    roles::labels,
};
use serde_json::json;

use crate::node::FakeNode;

/// In whose name the benchmark applies objects.
pub(crate) const FIELD_MANAGER: &str = "pgherd-bench";

/// How long one thing may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Requests that one of the stand-ins has under way at once.
pub(crate) const ROUNDS_AT_ONCE: usize = 8;

/// The storage class, and the label of its volumes.
const CLASS: &str = "bench-scale";
const VOLUME_LABEL: &str = "pgherd.io/bench-scale";

/// What all sizes share.
pub(crate) struct Site {
    pub(crate) client: Client,
    made_definitions: Vec<String>,
}

impl Site {
    /// Makes what isn't there.
    pub(crate) async fn make(client: &Client) -> anyhow::Result<Self> {
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let mut made_definitions = Vec::new();
        for definition in schema::definitions() {
            let name = definition.name_any();
            if definitions.get_opt(&name).await?.is_none() {
                definitions.create(&PostParams::default(), &definition).await?;
                made_definitions.push(name.clone());
            }
            let established = |found: Option<&CustomResourceDefinition>| {
                let conditions = found.and_then(|found| found.status.as_ref()?.conditions.as_ref());
                let holds = conditions
                    .into_iter()
                    .flatten()
                    .any(|it| it.type_ == "Established" && it.status == "True");
                if holds { Look::Done(()) } else { Look::Waiting("it isn't established".to_owned()) }
            };
            wait::until(&definitions, &name, PATIENCE, established, |_| {}).await?;
        }
        let classes: Api<StorageClass> = Api::all(client.clone());
        let class = json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": CLASS},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "Immediate",
        });
        classes.patch(CLASS, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&class)).await?;
        Ok(Self { client: client.clone(), made_definitions })
    }

    /// Makes a namespace with nothing in it but what an installation of this name gives its operator: the Lease.
    pub(crate) async fn namespace(&self, name: &str) -> anyhow::Result<()> {
        self.remove_namespace(name).await?;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        namespaces.create(&PostParams::default(), &namespace).await?;
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), name);
        let installation = Installation {
            name: name.parse::<InstallationName>()?,
            namespace: name.parse::<NamespaceName>()?,
            debug: false,
        };
        let lease = json!({"metadata": {"name": labels::operator_lease(&installation)}});
        let lease: Lease = serde_json::from_value(lease)?;
        leases.create(&PostParams::default(), &lease).await?;
        Ok(())
    }

    /// Removes a namespace and waits until it is gone. Clusters that are left in it are let go of: no operator runs.
    pub(crate) async fn remove_namespace(&self, name: &str) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let Some(found) = namespaces.get_opt(name).await? else { return Ok(()) };
        let clusters: Api<PostgresCluster> = Api::namespaced(self.client.clone(), name);
        for cluster in clusters.list_metadata(&ListParams::default()).await?.items {
            let free = json!({"metadata": {"finalizers": null}});
            clusters
                .patch_metadata(&cluster.name_any(), &PatchParams::default(), &Patch::Merge(&free))
                .await?;
        }
        namespaces.delete(name, &DeleteParams::default()).await?;
        let gone =
            wait::gone(&namespaces, name, &found.uid().unwrap_or_default(), 5 * PATIENCE, |_| {}).await;
        gone.with_context(|| format!("namespace {name} doesn't go away"))?;
        Ok(())
    }

    /// Removes what was made for all sizes.
    pub(crate) async fn clear(&self) -> anyhow::Result<()> {
        self.remove_volumes().await?;
        let classes: Api<StorageClass> = Api::all(self.client.clone());
        classes.delete(CLASS, &DeleteParams::default()).await?;
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for name in &self.made_definitions {
            definitions.delete(name, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    /// Removes the volumes of a size that is over.
    pub(crate) async fn remove_volumes(&self) -> anyhow::Result<()> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let ours = ListParams::default().labels(VOLUME_LABEL);
        volumes.delete_collection(&DeleteParams::default(), &ours).await?;
        Ok(())
    }
}

/// In the place of a provisioner: a volume for each claim. Ends with the first error.
pub(crate) async fn provision(client: Client, namespace: String) -> anyhow::Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &namespace);
    let volumes: Api<PersistentVolume> = Api::all(client);
    let changes = watcher(claims, watcher::Config::default()).default_backoff().applied_objects();
    let waiting = changes.filter_map(async |claim| claim.ok().filter(is_waiting));
    let mut made =
        std::pin::pin!(waiting.map(|claim| make_volume(&volumes, claim)).buffer_unordered(ROUNDS_AT_ONCE));
    while let Some(result) = made.next().await {
        result?;
    }
    anyhow::bail!("the watch of claims has ended")
}

fn is_waiting(claim: &PersistentVolumeClaim) -> bool {
    let spec = claim.spec.as_ref();
    claim.metadata.deletion_timestamp.is_none()
        && spec.is_some_and(|spec| {
            spec.volume_name.is_none() && spec.storage_class_name.as_deref() == Some(CLASS)
        })
}

async fn make_volume(volumes: &Api<PersistentVolume>, claim: PersistentVolumeClaim) -> anyhow::Result<()> {
    let name = format!("{CLASS}-{}", claim.uid().unwrap_or_default());
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {VOLUME_LABEL: "volume"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "claimRef": {"namespace": claim.namespace(), "name": claim.name_any(), "uid": claim.uid()},
            // Nobody ever looks there.
            "hostPath": {"path": format!("/tmp/{name}")},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
        },
    });
    volumes.patch(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&volume)).await?;
    Ok(())
}

/// Asks for so many clusters of one instance.
pub(crate) async fn describe(clusters: &Api<PostgresCluster>, count: usize) -> anyhow::Result<()> {
    let mut set = FakeNode::placement();
    set["dataVolumeClaimSpec"] = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": CLASS,
    });
    let asked = stream::iter(0..count).map(|number| {
        let resource = serde_json::from_value::<PostgresCluster>(json!({
            "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
            "kind": "PostgresCluster",
            "metadata": {"name": format!("bench{number:03}")},
            "spec": {"postgresVersion": 17, "instances": [set]},
        }));
        async move {
            clusters.create(&PostParams::default(), &resource?).await?;
            anyhow::Ok(())
        }
    });
    asked.buffer_unordered(ROUNDS_AT_ONCE).try_collect().await
}

/// Waits until so many clusters are ready, and says now and then how many are.
pub(crate) async fn all_ready(
    clusters: &Api<PostgresCluster>,
    count: usize,
    patience: Duration,
) -> anyhow::Result<()> {
    let ready = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let counted = || ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len();
    let watched = async {
        let mut all = std::pin::pin!(
            watcher(clusters.clone(), watcher::Config::default()).default_backoff().applied_objects()
        );
        while let Some(cluster) = all.next().await {
            let Ok(cluster) = cluster else { continue };
            let conditions = cluster.status.as_ref().map_or(&[][..], |status| &status.conditions);
            if find_condition(conditions, READY).is_some_and(|condition| condition.status == "True") {
                ready.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(cluster.name_any());
            }
            if counted() == count {
                return;
            }
        }
    };
    let finished = tokio::time::timeout(patience, watched).await;
    finished.with_context(|| format!("only {} of {count} clusters are ready", counted()))
}

/// Deletes all clusters of a namespace and waits until the operator has let go of them.
pub(crate) async fn delete_all(clusters: &Api<PostgresCluster>, patience: Duration) -> anyhow::Result<()> {
    let listed = clusters.list_metadata(&ListParams::default()).await?.items;
    for cluster in &listed {
        clusters.delete(&cluster.name_any(), &DeleteParams::background()).await?;
    }
    for cluster in &listed {
        wait::gone(clusters, &cluster.name_any(), &cluster.uid().unwrap_or_default(), patience, |_| {})
            .await?;
    }
    Ok(())
}
