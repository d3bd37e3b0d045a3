//! From what was asked for and an installation's defaults to the resource. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{api::core::v1::LocalObjectReference, apimachinery::pkg::apis::meta::v1::LabelSelector};
use kube::api::ObjectMeta;

use crate::{
    api::postgres_cluster::{
        InstanceSet, Metadata, PostgresCluster, PostgresClusterSpec, PullPolicy, Resources as Requirements,
        User, VolumeClaimSpec, VolumeResources,
    },
    domain::{
        image::ImageReference,
        names::{ClusterName, SettingName, UserName},
    },
    inventory::{self, Inventory, PodAntiAffinity, ResolvedImages, Resources, Storage, StorageType},
};

/// The one instance set of a cluster that is created by a verb.
const SET: &str = "00";

/// What was asked for; what wasn't comes from the defaults.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) name: ClusterName,
    pub(super) namespace: String,
    pub(super) replicas: Option<u16>,
    pub(super) postgres_version: Option<u16>,
    pub(super) image: Option<ImageReference>,
    pub(super) storage: Option<SettingName>,
    pub(super) resources: Option<SettingName>,
    pub(super) user: Option<UserName>,
    pub(super) database: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// Why a wish can't be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmet {
    #[error("no storage is called {asked:?}")]
    Storage { asked: String, known: Vec<String> },
    #[error("no resources are called {asked:?}")]
    Resources { asked: String, known: Vec<String> },
    #[error("there is no image for PostgreSQL {asked}")]
    Version { asked: u16, known: Vec<String> },
}

impl Unmet {
    /// What there is instead.
    pub(super) fn known(&self) -> &[String] {
        let (Self::Storage { known, .. } | Self::Resources { known, .. } | Self::Version { known, .. }) =
            self;
        known
    }

    /// The flag that the wish was told with.
    pub(super) fn flag(&self) -> &'static str {
        match self {
            Self::Storage { .. } => "--storage",
            Self::Resources { .. } => "--resources",
            Self::Version { .. } => "--postgres-version",
        }
    }
}

/// A cluster to be created, and what of it is worth a word.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) resource: PostgresCluster,
    pub(super) storage: Storage,
    pub(super) instances: u32,
    pub(super) postgres_version: u16,
}

/// Builds the resource.
pub(super) fn build(wish: Wish, inventory: &Inventory) -> Result<Manifest, Unmet> {
    let Wish {
        name,
        namespace,
        replicas,
        postgres_version,
        image,
        storage,
        resources,
        user,
        database,
        labels,
    } = wish;
    let defaults = &inventory.defaults;
    let postgres_version = postgres_version.unwrap_or_else(|| inventory.postgres_version());
    let image = image_for(image.as_ref(), postgres_version, &inventory.images)?;
    let storage = choose(storage, inventory.storages.values(), |storage| &storage.name)
        .map_err(|(asked, known)| Unmet::Storage { asked, known })?
        .unwrap_or_else(|| inventory.primary_storage().clone());
    let resources = choose(resources, inventory.resources.values(), |resources| &resources.name)
        .map_err(|(asked, known)| Unmet::Resources { asked, known })?
        .or_else(|| inventory.resources(defaults.resources.container.as_ref()?).cloned());
    let wal = defaults.storage.wal.as_ref().and_then(|name| inventory.storage(name));
    let instances = replicas.map_or(defaults.replicas.get(), u32::from) + 1;
    let user = user.or_else(|| defaults.user.clone());
    let database = database.or_else(|| Some(defaults.database.as_ref()?.to_string()));
    let users = users(&name, user, database);
    let metadata = (!labels.is_empty()).then(|| Metadata { labels: labels.clone(), ..Metadata::default() });
    let set = InstanceSet {
        name: SET.to_owned(),
        replicas: i32::try_from(instances).unwrap_or(i32::MAX),
        data_volume_claim_spec: claim(&storage),
        resources: resources.as_ref().map(requirements),
        metadata: None,
        wal_volume_claim_spec: wal.map(claim),
        tablespace_volumes: Vec::new(),
        volumes: None,
        affinity: super::defaults::affinity(defaults, name.as_str()),
        tolerations: Vec::new(),
        topology_spread_constraints: Vec::new(),
        priority_class_name: None,
        min_available: None,
        containers: Vec::new(),
        sidecars: None,
    };
    let groups: BTreeSet<u32> = [Some(&storage), wal]
        .into_iter()
        .flatten()
        .flat_map(|storage| &storage.supplemental_groups)
        .map(|group| group.get())
        .collect();
    let resource = PostgresCluster {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            namespace: Some(namespace),
            labels: (!labels.is_empty()).then_some(labels),
            ..ObjectMeta::default()
        },
        spec: spec(postgres_version, image, inventory, set, users, metadata, &groups),
        status: None,
    };
    Ok(Manifest { resource, storage, instances, postgres_version })
}

/// The image that was asked for, or the installation's for that version. It is written into the resource, so that a later
/// change of the inventory restarts no database by itself.
fn image_for(asked: Option<&ImageReference>, version: u16, images: &ResolvedImages) -> Result<String, Unmet> {
    let known = || images.postgres.keys().map(ToString::to_string).collect();
    asked
        .or_else(|| images.postgres.get(&version))
        .map(ToString::to_string)
        .ok_or_else(|| Unmet::Version { asked: version, known: known() })
}

fn choose<'t, T: Clone + 't>(
    asked: Option<SettingName>,
    all: impl Iterator<Item = &'t T> + Clone,
    name: impl Fn(&T) -> &SettingName,
) -> Result<Option<T>, (String, Vec<String>)> {
    let Some(asked) = asked else { return Ok(None) };
    match all.clone().find(|one| *name(one) == asked) {
        Some(found) => Ok(Some(found.clone())),
        None => Err((asked.to_string(), all.map(|one| name(one).to_string()).collect())),
    }
}

/// Without a word about users there is one with the cluster's name, which the operator knows by itself.
fn users(name: &ClusterName, user: Option<UserName>, database: Option<String>) -> Option<Vec<User>> {
    if user.is_none() && database.is_none() {
        return None;
    }
    Some(vec![User {
        name: user.map_or_else(|| name.to_string(), Into::into),
        databases: vec![database.unwrap_or_else(|| name.to_string())],
        ..User::default()
    }])
}

fn claim(storage: &Storage) -> VolumeClaimSpec {
    let existing = storage.r#type == StorageType::Static;
    let labels = storage.match_labels.iter().map(|(key, value)| (key.as_str().to_owned(), value.to_string()));
    let selector = LabelSelector { match_labels: Some(labels.collect()), ..LabelSelector::default() };
    // An empty class is what Kubernetes takes for none; without the field it would take the default class.
    let class = storage.class.as_ref().map(ToString::to_string).or_else(|| existing.then(String::new));
    VolumeClaimSpec {
        access_modes: vec![storage.access_mode.as_str().to_owned()],
        resources: Some(VolumeResources {
            requests: BTreeMap::from([("storage".to_owned(), storage.size.clone())]),
            ..VolumeResources::default()
        }),
        storage_class_name: class,
        selector: (!storage.match_labels.is_empty()).then_some(selector),
        ..VolumeClaimSpec::default()
    }
}

fn requirements(resources: &Resources) -> Requirements {
    let pairs = |cpu: &Option<_>, memory: &Option<_>| {
        [("cpu", cpu), ("memory", memory)]
            .into_iter()
            .filter_map(|(name, amount)| Some((name.to_owned(), amount.clone()?)))
            .collect()
    };
    Requirements {
        requests: pairs(&resources.requests_cpu, &resources.requests_memory),
        limits: pairs(&resources.limits_cpu, &resources.limits_memory),
        ..Requirements::default()
    }
}

fn spec(
    postgres_version: u16,
    image: String,
    inventory: &Inventory,
    set: InstanceSet,
    users: Option<Vec<User>>,
    metadata: Option<Metadata>,
    groups: &BTreeSet<u32>,
) -> PostgresClusterSpec {
    let Inventory { images, defaults, .. } = inventory;
    let alone = defaults.pod_anti_affinity == PodAntiAffinity::Disabled;
    PostgresClusterSpec {
        metadata,
        postgres_version: i32::from(postgres_version),
        image: Some(image),
        image_pull_policy: match images.pull_policy {
            // What Kubernetes does by itself with images that have a version.
            inventory::PullPolicy::IfNotPresent => None,
            inventory::PullPolicy::Always => Some(PullPolicy::Always),
            inventory::PullPolicy::Never => Some(PullPolicy::Never),
        },
        image_pull_secrets: (images.pull_secrets.iter())
            .map(|secret| LocalObjectReference { name: secret.to_string() })
            .collect(),
        instances: vec![set],
        port: i32::try_from(defaults.port.get()).unwrap_or_default(),
        users,
        postgis_version: None,
        service: super::defaults::service(defaults),
        replica_service: super::defaults::service(defaults),
        authentication: super::defaults::authentication(defaults),
        config: super::defaults::config(defaults),
        database_init_sql: None,
        custom_tls_secret: None,
        custom_replication_tls_secret: None,
        patroni: super::defaults::patroni(defaults),
        backups: None,
        data_source: None,
        standby: None,
        proxy: None,
        monitoring: None,
        instrumentation: None,
        user_interface: None,
        disable_default_pod_scheduling: alone.then_some(true),
        openshift: (!defaults.set_fs_group).then_some(true),
        supplemental_groups: groups.iter().map(|group| i64::from(*group)).collect(),
        paused: None,
        shutdown: None,
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
