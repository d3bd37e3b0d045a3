//! A database cluster whose description was checked: what every builder takes.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Affinity, Container, LocalObjectReference, PersistentVolumeClaimSpec, ResourceRequirements,
        SecretProjection, Toleration, TopologySpreadConstraint, VolumeProjection,
    },
    apimachinery::pkg::{apis::meta::v1::OwnerReference, util::intstr::IntOrString},
};
use serde_json::{Map, Value};

use crate::{
    api::postgres_cluster::{Metadata, ServiceSpec},
    domain::{
        cluster_names::{ClusterNames, InstanceName},
        parameters::Parameters,
        password::PasswordKind,
        role_options::RoleOptions,
    },
};

/// A checked `PostgresCluster`. Only [`crate::operator`]'s validate step makes one, so a builder needs no check of its own.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent settings of the description")]
pub struct Cluster {
    /// Name of the resource.
    pub name: String,
    /// Namespace of the resource and of everything that belongs to it.
    pub namespace: String,
    /// UID of the resource: tells a cluster from an earlier one of the same name.
    pub uid: String,
    /// Names of the cluster's objects.
    pub names: ClusterNames,
    /// Makes the garbage collector delete what belongs to the cluster together with it.
    pub owner: OwnerReference,
    /// `spec.metadata`: labels and annotations that every object gets.
    pub metadata: ExtraMetadata,
    /// Image of the database container.
    pub image: String,
    /// Whether the cluster names that image; else it is the installation's.
    pub image_is_named: bool,
    /// When the kubelet pulls images; none leaves it to Kubernetes.
    pub image_pull_policy: Option<String>,
    /// Secrets that open the registry.
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Major version of PostgreSQL.
    pub postgres_version: i32,
    /// Port of PostgreSQL.
    pub port: i32,
    /// Settings of Patroni.
    pub patroni: Patroni,
    /// At least one set of instances.
    pub sets: Vec<InstanceSet>,
    /// Roles to create.
    pub users: Vec<User>,
    /// Whether each of them gets a schema of its own in its databases.
    pub user_schemas: bool,
    /// `spec.config.parameters`.
    pub parameters: Parameters,
    /// Files to mount below `/etc/postgres`.
    pub files: Vec<VolumeProjection>,
    /// `spec.authentication.rules` as lines of `pg_hba.conf`.
    pub hba_rules: Vec<String>,
    /// `spec.service`: the Service that follows the leader.
    pub service: ServiceSpec,
    /// `spec.replicaService`.
    pub replica_service: ServiceSpec,
    /// The pooler, where there is one.
    pub pgbouncer: Option<PgBouncer>,
    /// The user's own server certificate, in place of ours.
    pub custom_certificate: Option<SecretProjection>,
    /// The user's own replication certificate, in place of ours.
    pub custom_replication_certificate: Option<SecretProjection>,
    /// OpenShift assigns groups by itself and refuses pods that name one.
    pub openshift: bool,
    /// Further groups of the pods' processes.
    pub supplemental_groups: Vec<i64>,
    /// Volumes to begin with, instead of an empty database.
    pub adoption: Option<Adoption>,
    /// The cluster that this one follows, where it does.
    pub standby: Option<Standby>,
    /// No pod runs; volumes stay.
    pub shutdown: bool,
    /// Leave out the topology spread that pods get by default.
    pub disable_default_pod_scheduling: bool,
}

/// Labels and annotations that a user adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl From<Option<&Metadata>> for ExtraMetadata {
    fn from(metadata: Option<&Metadata>) -> Self {
        metadata.map_or_else(Self::default, |metadata| Self {
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
        })
    }
}

/// Settings of Patroni.
#[derive(Clone, Debug)]
pub struct Patroni {
    /// Port of the REST API.
    pub port: i32,
    /// Seconds after which a leader that was not heard of is replaced (`ttl`).
    pub leader_lease_seconds: i32,
    /// Seconds between two looks at the cluster (`loop_wait`).
    pub sync_period_seconds: i32,
    /// What the user adds to the dynamic configuration.
    pub dynamic_configuration: Map<String, Value>,
}

/// Instances that are alike.
#[derive(Clone, Debug)]
pub struct InstanceSet {
    /// Name, unique in the cluster.
    pub name: String,
    /// How many instances.
    pub replicas: usize,
    /// Claim for the data directory's volume.
    pub data_volume: PersistentVolumeClaimSpec,
    /// Claim for a volume of the write-ahead log.
    pub wal_volume: Option<PersistentVolumeClaimSpec>,
    /// Claims with other names than ours that an instance has, since it adopted them: of the data, and of the log.
    pub adopted: AdoptedClaims,
    /// The write-ahead log has left its volume, or is about to, and nobody wants that volume any more.
    pub retiring_wal: bool,
    /// Volumes for tablespaces.
    pub tablespaces: Vec<Tablespace>,
    /// Resources of the database container.
    pub resources: ResourceRequirements,
    /// Labels and annotations of this set's objects.
    pub metadata: ExtraMetadata,
    /// Where pods may run.
    pub affinity: Option<Affinity>,
    /// Which taints pods bear.
    pub tolerations: Vec<Toleration>,
    /// How pods are spread.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Priority of the pods.
    pub priority_class_name: Option<String>,
    /// How many instances an eviction must leave running.
    pub min_available: Option<IntOrString>,
    /// The user's own containers beside the database.
    pub containers: Vec<Container>,
}

/// Names of claims that were there before their cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdoptedClaims {
    /// Of the data directory.
    pub data: Option<String>,
    /// Of the write-ahead log.
    pub log: Option<String>,
}

/// Volumes that hold a data directory already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The one with the data.
    pub data: AdoptedVolume,
    /// The one with the write-ahead log, where it has one.
    pub log: Option<AdoptedVolume>,
}

/// A volume that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedVolume {
    /// Name of its claim.
    pub claim: String,
    /// Directory on it, from its root.
    pub directory: Option<String>,
}

/// A volume for tablespaces.
#[derive(Clone, Debug)]
pub struct Tablespace {
    /// Name of its directory below `/tablespaces`.
    pub name: String,
    /// Claim for the volume.
    pub volume: PersistentVolumeClaimSpec,
}

/// A pooler in front of the cluster.
#[derive(Clone, Debug)]
pub struct PgBouncer {
    /// How many pods.
    pub replicas: i32,
    /// Image with PgBouncer.
    pub image: String,
    /// Port that clients connect to.
    pub port: i32,
    /// Labels and annotations of its objects.
    pub metadata: ExtraMetadata,
    /// Settings of the section `pgbouncer`.
    pub global: BTreeMap<String, String>,
    /// Entries of the section `databases`; none leads to every database of the cluster.
    pub databases: BTreeMap<String, String>,
    /// Entries of the section `users`.
    pub users: BTreeMap<String, String>,
    /// Files to mount below `/etc/pgbouncer`.
    pub files: Vec<VolumeProjection>,
    /// The user's own certificate, in place of ours.
    pub custom_certificate: Option<SecretProjection>,
    /// How clients reach it.
    pub service: ServiceSpec,
    /// Resources of its container.
    pub resources: ResourceRequirements,
    /// Where pods may run.
    pub affinity: Option<Affinity>,
    /// Which taints pods bear.
    pub tolerations: Vec<Toleration>,
    /// How pods are spread.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Priority of the pods.
    pub priority_class_name: Option<String>,
    /// How many pods an eviction must leave running.
    pub min_available: Option<IntOrString>,
    /// The user's own containers beside it.
    pub containers: Vec<Container>,
}

/// Another cluster that this one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    /// Host of its primary.
    pub host: String,
    /// Port of its primary.
    pub port: i32,
}

/// A role that applications connect as.
#[derive(Clone, Debug)]
pub struct User {
    /// Name of the role.
    pub name: String,
    /// Databases that it may use; created when they are missing.
    pub databases: Vec<String>,
    /// Further options.
    pub options: RoleOptions,
    /// What a generated password is made of.
    pub password: PasswordKind,
}

impl Cluster {
    /// The data directory, on the data volume. Its name changes with the major version, so that two can stand side by side
    /// during an upgrade.
    #[must_use]
    pub fn data_directory(&self) -> String {
        format!("/pgdata/pg{}", self.postgres_version)
    }

    /// Whether instances of `set` have a volume for the write-ahead log mounted.
    #[must_use]
    pub fn mounts_wal(set: &InstanceSet) -> bool {
        set.wal_volume.is_some() || set.retiring_wal
    }

    /// The directory of the write-ahead log for instances of `set`.
    #[must_use]
    pub fn wal_directory(&self, set: &InstanceSet) -> String {
        let volume = if set.wal_volume.is_some() { "/pgwal" } else { "/pgdata" };
        format!("{volume}/pg{}_wal", self.postgres_version)
    }
}

impl InstanceSet {
    /// Name of the claim of the data directory of `instance`.
    #[must_use]
    pub fn data_claim(&self, instance: &InstanceName) -> String {
        self.adopted.data.clone().unwrap_or_else(|| instance.data_volume())
    }

    /// Name of the claim of the write-ahead log of `instance`.
    #[must_use]
    pub fn wal_claim(&self, instance: &InstanceName) -> String {
        self.adopted.log.clone().unwrap_or_else(|| instance.wal_volume())
    }
}
