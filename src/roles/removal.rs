//! Taking an installation back: what belongs to it, what has to stay, and deleting the rest until it is gone.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, Preconditions},
    core::GroupVersionKind,
};

use super::{
    labels,
    record::{RecordError, Which, load_record, records, secret_name},
    watched::Watched,
};
use crate::{
    api::schema,
    domain::names::{InstallationName, NamespaceName},
    inventory::{DeletedNamespaces, Installation, NamespaceMode},
    k8s::{
        self, Doing as _, Kind,
        kinds::{self, ObjectId},
        wait::{self, Look, WaitError},
    },
};

/// Why something can't be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// The API server said no, or nothing.
    #[error(transparent)]
    Request(#[from] k8s::Error),
    /// It was deleted, but is still there.
    #[error("{id} is still there: {error}")]
    NotGone {
        /// The object.
        id: ObjectId,
        /// What was seen.
        error: WaitError,
    },
}

/// An installation as it was found, whole or in parts.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who it is.
    pub installation: Installation,
    /// Namespaces with its clusters.
    pub watched: Watched,
    /// Which of the namespaces that it made its inventory lets go.
    pub delete: DeletedNamespaces,
    /// Its objects, in the order in which they were applied.
    pub objects: Vec<ObjectId>,
    /// Whether there is a record, which goes last.
    pub recorded: bool,
    /// Whether another installation is in the same cluster; `None` when that can't be seen.
    pub alone: Option<bool>,
}

/// Finds the one installation that is meant: by its record or, where a run was interrupted before there was one or after
/// it was removed, by the namespaces that it made.
///
/// # Errors
/// When there is none or more than one, or the API server can't be asked.
pub async fn find(client: &Client, which: Which<'_>) -> Result<Found, RecordError> {
    match load_record(client, which).await {
        Ok(record) => {
            let mut watched = Watched::find(client, &record.inventory).await?;
            let delete = record.inventory.namespaces.delete.clone();
            let installation = record.inventory.installation;
            let alone = match records(client, None).await {
                Ok(all) => Some(all.iter().all(|other| other.inventory.installation == installation)),
                Err(RecordError::Request(error)) if error.kind() == Kind::Forbidden => None,
                Err(error) => return Err(error),
            };
            let record_objects: BTreeSet<ObjectId> = record.objects.iter().cloned().collect();
            let mut objects = record.objects;
            // Last to come, first to go: they are taken back from the end.
            if record.inventory.namespaces.mode != NamespaceMode::Disabled {
                let copies = copied_secrets(client, &installation, &mut watched).await?;
                objects.extend(copies.into_iter().filter(|copy| !record_objects.contains(copy)));
            }
            Ok(Found { installation, watched, delete, objects, recorded: true, alone })
        }
        Err(RecordError::None) => remains(client, which).await,
        Err(error) => Err(error),
    }
}

/// Secrets to pull images with that the operator put into namespaces that gained the label: wherever they can be seen, since a
/// namespace may have lost it again.
async fn copied_secrets(
    client: &Client,
    installation: &Installation,
    watched: &mut Watched,
) -> Result<Vec<ObjectId>, k8s::Error> {
    let selector = format!("{}={}", labels::PART_OF, labels::set_id(installation));
    let list = async |api: Api<Secret>| {
        let list = api.list_metadata(&ListParams::default().labels(&selector)).await;
        let found = list.doing(|| "look for an installation's Secrets")?;
        Ok::<_, k8s::Error>(found.items.into_iter().filter_map(|secret| {
            Some(object_id("v1", "Secret", Some(&secret.namespace()?), &secret.name_any()))
        }))
    };
    match list(Api::all(client.clone())).await {
        Ok(found) => return Ok(found.collect()),
        Err(error) if error.kind() == Kind::Forbidden => {}
        Err(error) => return Err(error),
    }
    let mut found = Vec::new();
    for namespace in &watched.names {
        match list(Api::namespaced(client.clone(), namespace)).await {
            Ok(secrets) => found.extend(secrets),
            Err(error) if error.kind() == Kind::Forbidden => {
                let unseen =
                    format!("Secrets to pull images with may stay in {namespace}: {}", error.message());
                watched.unseen.get_or_insert(unseen);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// What an installation without a record left: namespaces with its label, and the definitions.
async fn remains(client: &Client, which: Which<'_>) -> Result<Found, RecordError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let selector = format!("{}={}", labels::MANAGED_BY, labels::PGHERD);
    let list = namespaces.list(&ListParams::default().labels(&selector)).await;
    let mut found: Vec<Found> = Vec::new();
    for namespace in list.doing(|| "look for an installation's namespaces")?.items {
        let name =
            namespace.labels().get(labels::INSTANCE).and_then(|name| name.parse::<InstallationName>().ok());
        let home =
            namespace.annotations().get(labels::HOME).and_then(|home| home.parse::<NamespaceName>().ok());
        let (Some(name), Some(home)) = (name, home) else { continue };
        if which.namespace.is_some_and(|wanted| wanted != home.as_str())
            || which.name.is_some_and(|wanted| wanted != name.as_str())
        {
            continue;
        }
        let id = object_id("v1", "Namespace", None, &namespace.name_any());
        let installation = Installation { name, namespace: home, debug: false };
        match found.iter_mut().find(|other| other.installation == installation) {
            Some(other) => other.objects.push(id),
            None => {
                found.push(Found {
                    installation,
                    watched: Watched::default(),
                    delete: DeletedNamespaces { operator: false, watched: false, metrics: false },
                    objects: vec![id],
                    recorded: false,
                    alone: None,
                });
            }
        }
    }
    let others = records(client, None).await?;
    for one in &mut found {
        one.alone = Some(others.is_empty());
        let definitions = schema::definitions();
        one.objects.extend(definitions.iter().map(|definition| {
            object_id("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, &definition.name_any())
        }));
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(RecordError::None),
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            Err(RecordError::Several(found.into_iter().chain([one]).map(|one| one.installation).collect()))
        }
    }
}

impl Found {
    /// The record, which goes last.
    #[must_use]
    pub fn record(&self) -> ObjectId {
        object_id(
            "v1",
            "Secret",
            Some(self.installation.namespace.as_str()),
            &secret_name(&self.installation),
        )
    }
}

/// Database clusters: in some namespaces, or anywhere. None when the kind isn't defined.
///
/// # Errors
/// When they can't be listed.
pub async fn clusters(
    client: &Client,
    namespaces: Option<&BTreeSet<String>>,
) -> Result<Vec<ObjectId>, k8s::Error> {
    let definition = schema::definition();
    let version = definition.spec.versions.first().map(|version| version.name.clone()).unwrap_or_default();
    let gvk = GroupVersionKind::gvk(&definition.spec.group, &version, &definition.spec.names.kind);
    let everywhere = BTreeSet::from([String::new()]);
    let mut found = Vec::new();
    for namespace in namespaces.unwrap_or(&everywhere) {
        let listed = async {
            let api = kinds::api(client, &gvk, Some(namespace)).await?;
            api.list(&ListParams::default()).await.doing(|| "list database clusters")
        };
        match listed.await {
            Ok(list) => found.extend(list.items.iter().map(|cluster| {
                let namespace = cluster.namespace();
                object_id(&gvk.api_version(), &gvk.kind, namespace.as_deref(), &cluster.name_any())
            })),
            Err(error) if error.kind() == Kind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Whether nobody but this installation has a use for the definitions, as far as can be seen right now.
///
/// # Errors
/// When that can't be found out.
pub async fn definitions_unused(client: &Client, found: &Found) -> Result<bool, RecordError> {
    let others = records(client, None).await?;
    let alone = others.iter().all(|other| other.inventory.installation == found.installation);
    Ok(alone && clusters(client, None).await?.is_empty())
}

/// Waits until Kubernetes has removed an object.
///
/// # Errors
/// When it is still there when time is up, or can't be watched.
pub async fn collected(
    client: &Client,
    id: &ObjectId,
    uid: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<(), RemovalError> {
    let api = kinds::api_of(client, id).await?;
    let gone = wait::gone(&api, &id.name, uid, timeout, tell).await;
    gone.map_err(|error| RemovalError::NotGone { id: id.clone(), error })
}

/// Whether an object is still there and carries the installation's label. Definitions carry only the program's.
///
/// # Errors
/// When it can't be read.
pub async fn is_ours(client: &Client, id: &ObjectId, set: &str) -> Result<bool, k8s::Error> {
    let Some(object) = read(client, id).await? else { return Ok(false) };
    let shared = id.kind == "CustomResourceDefinition"
        && object.labels().get(labels::MANAGED_BY).is_some_and(|manager| manager == labels::PGHERD);
    Ok(shared || labels::belongs(&object, set))
}

async fn read(client: &Client, id: &ObjectId) -> Result<Option<DynamicObject>, k8s::Error> {
    let api = match kinds::api_of(client, id).await {
        Ok(api) => api,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    api.get_opt(&id.name).await.doing(|| format!("read {id}"))
}

/// Deletes an object with all that belongs to it, and waits until it is gone. Whether there was something to delete is
/// what it gives back.
///
/// # Errors
/// When it can't be deleted, or is still there when time is up.
pub async fn delete(
    client: &Client,
    id: &ObjectId,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<bool, RemovalError> {
    let Some(object) = read(client, id).await? else { return Ok(false) };
    let api = kinds::api_of(client, id).await?;
    let uid = object.uid().unwrap_or_default();
    if object.metadata.deletion_timestamp.is_none() {
        // Whoever made another object of this name meanwhile keeps it.
        let mine = Preconditions { uid: Some(uid.clone()), resource_version: None };
        // What a Deployment runs has to be gone when the Deployment is; nothing else here owns anything.
        let parameters = match id.kind.as_str() {
            "Deployment" => DeleteParams::foreground(),
            _ => DeleteParams::background(),
        };
        let parameters = parameters.preconditions(mine);
        let deleted = api.delete(&id.name, &parameters).await.map(drop);
        match deleted.doing(|| format!("delete {id}")) {
            Err(error) if error.kind() == Kind::NotFound => return Ok(true),
            other => other?,
        }
    }
    let look = |current: Option<&DynamicObject>| match current {
        Some(current) if current.uid().as_deref() == Some(&uid) => Look::Waiting(lingering(id, current)),
        _ => Look::Done(()),
    };
    match wait::until(&api, &id.name, timeout, look, tell).await {
        Ok(()) => Ok(true),
        Err(error) => Err(RemovalError::NotGone { id: id.clone(), error }),
    }
}

/// What keeps an object that is being deleted: what its conditions say, or its finalizers.
fn lingering(id: &ObjectId, object: &DynamicObject) -> String {
    let conditions = object.data.pointer("/status/conditions").and_then(|conditions| conditions.as_array());
    let remaining = conditions.into_iter().flatten().find_map(|condition| {
        let telling = condition["status"] == "True"
            && condition["type"]
                .as_str()
                .is_some_and(|kind| kind.contains("Remaining") || kind.contains("Failure"));
        condition["message"].as_str().filter(|_| telling).map(str::to_owned)
    });
    match (remaining, object.finalizers()) {
        (Some(message), _) => format!("{id}: {message}"),
        (None, []) => format!("{id} is being deleted"),
        (None, finalizers) => format!("{id} is being deleted, held by {}", finalizers.join(", ")),
    }
}

pub(super) fn object_id(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}
