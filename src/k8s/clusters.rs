//! Database clusters and what belongs to one of them, as the verbs that people type need it.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::PartialObjectMeta,
    runtime::{WatchStreamExt as _, watcher},
};

use super::{Doing as _, Error, Kind, cluster_objects::selector};
use crate::{
    api::{
        labels,
        postgres_cluster::{PostgresCluster, SwitchoverType},
    },
    postgres::member::{self, Role},
};

/// Fields that the verbs set. The operator and the installer never set the same ones.
const PERSON: &str = "pgherd";

/// The clusters of a namespace, or of all when none is named.
#[must_use]
pub fn api(client: &Client, namespace: Option<&str>) -> Api<PostgresCluster> {
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// One cluster, if it exists.
///
/// # Errors
/// When it can't be read.
pub async fn find(client: &Client, namespace: &str, name: &str) -> Result<Option<PostgresCluster>, Error> {
    let found = api(client, Some(namespace)).get_opt(name).await;
    found.doing(|| format!("read cluster {namespace}/{name}"))
}

/// All clusters of a namespace, or of all when none is named, by namespace and name.
///
/// # Errors
/// When they can't be listed.
pub async fn list(client: &Client, namespace: Option<&str>) -> Result<Vec<PostgresCluster>, Error> {
    let list = api(client, namespace).list(&ListParams::default()).await;
    let mut items = list.doing(|| "list database clusters")?.items;
    items.sort_by_key(|cluster| (cluster.namespace(), cluster.name_any()));
    Ok(items)
}

/// Whether the server knows what a database cluster is.
///
/// # Errors
/// When that can't be asked.
pub async fn defined(client: &Client) -> Result<bool, Error> {
    let version = <PostgresCluster as kube::Resource>::api_version(&());
    match client.list_api_group_resources(&version).await.doing(|| format!("look for {version}")) {
        Ok(kinds) => Ok(kinds.resources.iter().any(|kind| kind.name == "postgresclusters")),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates a cluster. One of that name that is there already is a conflict, and stays as it is.
///
/// # Errors
/// When the server refuses it.
pub async fn create(client: &Client, cluster: &PostgresCluster) -> Result<PostgresCluster, Error> {
    post(client, cluster, false).await
}

/// What the server would make of a cluster if none of its name existed: it is asked without a name, and creates nothing.
///
/// # Errors
/// When the server would refuse it.
pub async fn would_be(client: &Client, cluster: &PostgresCluster) -> Result<PostgresCluster, Error> {
    let mut nameless = cluster.clone();
    nameless.metadata.generate_name = nameless.metadata.name.take().map(|name| format!("{name}-"));
    post(client, &nameless, true).await
}

async fn post(client: &Client, cluster: &PostgresCluster, dry_run: bool) -> Result<PostgresCluster, Error> {
    let namespace = cluster.namespace();
    let params = PostParams { dry_run, field_manager: Some(PERSON.to_owned()) };
    let created = api(client, namespace.as_deref()).create(&params, cluster).await;
    created.doing(|| format!("create cluster {}/{}", namespace.unwrap_or_default(), cluster.name_any()))
}

/// Begins to delete a cluster, unless another one has taken its name meanwhile.
///
/// # Errors
/// When it can't be deleted.
pub async fn delete(client: &Client, cluster: &PostgresCluster) -> Result<(), Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let name = cluster.name_any();
    let mine = Preconditions { uid: cluster.uid(), resource_version: None };
    let deleted = api(client, Some(&namespace))
        .delete(&name, &DeleteParams::background().preconditions(mine))
        .await
        .map(drop);
    match deleted.doing(|| format!("delete cluster {namespace}/{name}")) {
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        other => other,
    }
}

/// Asks that a cluster's volumes stay when it is deleted.
///
/// # Errors
/// When it can't be asked.
pub async fn keep_volumes(client: &Client, namespace: &str, name: &str) -> Result<(), Error> {
    let patch = serde_json::json!({ "metadata": { "annotations": { labels::KEEP_VOLUMES: "true" } } });
    let params = PatchParams { field_manager: Some(PERSON.to_owned()), ..PatchParams::default() };
    let patched =
        api(client, Some(namespace)).patch_metadata(name, &params, &Patch::Merge(&patch)).await.map(drop);
    match patched.doing(|| format!("mark the volumes of {namespace}/{name} as kept")) {
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        other => other,
    }
}

/// Takes the name of an installation off the clusters that carry it, in a namespace or in all, so that another installation can
/// follow them.
///
/// # Errors
/// When they can't be listed or changed.
pub async fn release(client: &Client, namespace: Option<&str>, follower: &str) -> Result<(), Error> {
    let listed = api(client, namespace).list_metadata(&ListParams::default()).await;
    let listed = match listed.doing(|| "list database clusters") {
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        other => other?,
    };
    for cluster in listed {
        release_one(client, cluster, follower).await?;
    }
    Ok(())
}

async fn release_one(
    client: &Client,
    cluster: PartialObjectMeta<PostgresCluster>,
    follower: &str,
) -> Result<(), Error> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let api = api(client, Some(&namespace));
    let mut seen = Some(cluster);
    // Whoever took the cluster over meanwhile keeps it.
    let carries = |cluster: &PartialObjectMeta<PostgresCluster>| {
        cluster.annotations().get(labels::FOLLOWED_BY).is_some_and(|carried| carried == follower)
    };
    while let Some(cluster) = seen.filter(carries) {
        let patch = serde_json::json!({ "metadata": {
            "annotations": { labels::FOLLOWED_BY: null }, "resourceVersion": cluster.resource_version(),
        } });
        let params = PatchParams { field_manager: Some(PERSON.to_owned()), ..PatchParams::default() };
        let patched = api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await.map(drop);
        match patched.doing(|| format!("take the installation's name off {namespace}/{name}")) {
            Err(error) if error.kind() == Kind::NotFound => return Ok(()),
            Err(error) if error.kind() == Kind::Conflict => {
                let found = api.get_metadata_opt(&name).await;
                seen = found.doing(|| format!("read cluster {namespace}/{name}"))?;
            }
            other => return other,
        }
    }
    Ok(())
}

/// Asks for another primary: `value` is the name of the request, and no two may have the same.
///
/// # Errors
/// When it can't be asked, also when another cluster has taken the name.
pub async fn ask_for_switchover(
    client: &Client,
    cluster: &PostgresCluster,
    target: Option<&str>,
    type_: SwitchoverType,
    value: &str,
) -> Result<(), Error> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let patch = serde_json::json!({
        "metadata": { "uid": cluster.uid(), "annotations": { labels::TRIGGER_SWITCHOVER: value } },
        "spec": { "patroni": { "switchover": { "enabled": true, "type": type_, "targetInstance": target } } },
    });
    let params = PatchParams { field_manager: Some(PERSON.to_owned()), ..PatchParams::default() };
    let patched = api(client, Some(&namespace)).patch(&name, &params, &Patch::Merge(&patch)).await.map(drop);
    patched.doing(|| format!("ask for another primary of {namespace}/{name}"))
}

/// The instance that leads instead of `before`. Labels follow the leader's lock a moment later; nothing when that takes longer
/// than it ever should, or pods can't be watched.
pub async fn next_primary(
    client: &Client,
    namespace: &str,
    cluster: &str,
    before: Option<&str>,
) -> Option<String> {
    const LONGEST: Duration = Duration::from_secs(30);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let watched = watcher::Config::default().labels(&instances(cluster));
    let leads = async |pod: watcher::Result<Pod>| {
        let member = member::members(&[pod.ok()?]).into_iter().next()?;
        (member.role == Some(Role::Primary) && Some(member.name.as_str()) != before).then_some(member.name)
    };
    let mut primaries =
        std::pin::pin!(watcher(pods, watched).default_backoff().applied_objects().filter_map(leads));
    tokio::time::timeout(LONGEST, primaries.next()).await.ok()?
}

/// The pods with PostgreSQL in them.
///
/// # Errors
/// When they can't be listed.
pub async fn pods(client: &Client, namespace: &str, cluster: &str) -> Result<Vec<Pod>, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(&instances(cluster))).await;
    Ok(list.doing(|| format!("list the pods of {namespace}/{cluster}"))?.items)
}

/// Volumes of all kinds.
///
/// # Errors
/// When they can't be listed.
pub async fn volumes(
    client: &Client,
    namespace: &str,
    cluster: &str,
) -> Result<Vec<PersistentVolumeClaim>, Error> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(&selector(cluster))).await;
    Ok(list.doing(|| format!("list the volumes of {namespace}/{cluster}"))?.items)
}

/// Services of all kinds.
///
/// # Errors
/// When they can't be listed.
pub async fn services(client: &Client, namespace: &str, cluster: &str) -> Result<Vec<Service>, Error> {
    let api: Api<Service> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default().labels(&selector(cluster))).await;
    Ok(list.doing(|| format!("list the services of {namespace}/{cluster}"))?.items)
}

/// Secrets of users, of one cluster or of all in a namespace, or everywhere.
///
/// # Errors
/// When they can't be listed.
pub async fn user_secrets(
    client: &Client,
    namespace: Option<&str>,
    cluster: Option<&str>,
) -> Result<Vec<Secret>, Error> {
    let api: Api<Secret> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut wanted = format!("{}={}", labels::ROLE, labels::ROLE_PGUSER);
    if let Some(cluster) = cluster {
        wanted = format!("{wanted},{}", selector(cluster));
    }
    let list = api.list(&ListParams::default().labels(&wanted)).await;
    Ok(list.doing(|| "list the Secrets of users")?.items)
}

/// A Secret, if it exists.
///
/// # Errors
/// When it can't be read.
pub async fn secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Secret>, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    api.get_opt(name).await.doing(|| format!("read secret {namespace}/{name}"))
}

/// What a volume holds, or is to hold once it exists.
#[must_use]
pub fn size(claim: &PersistentVolumeClaim) -> Option<String> {
    let there = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let asked = asked.and_then(|resources| resources.requests.as_ref());
    [there, asked].into_iter().flatten().find_map(|sizes| sizes.get("storage")).map(|size| size.0.clone())
}

/// Selects the pods with PostgreSQL in them.
pub(super) fn instances(cluster: &str) -> String {
    format!("{},{}={}", selector(cluster), labels::DATA, labels::DATA_POSTGRES)
}
