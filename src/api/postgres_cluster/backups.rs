//! Backups: repositories, schedules, the jobs around them, and restoring in place.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, ConfigMapProjection, SecretProjection, Toleration, TopologySpreadConstraint, VolumeProjection,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Metadata, REPO_NAME, Resources, Sidecar, VolumeClaimSpec, or_default};
use crate::api::schema::Bare;

/// How the cluster is backed up.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Backups {
    /// Backups and write-ahead log archives with pgBackRest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbackrest: Option<PgBackRest>,
    /// Snapshots of the data volume after each backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<VolumeSnapshots>,
}

/// Snapshots of the data volume.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSnapshots {
    /// Class of the snapshots.
    #[schemars(length(min = 1))]
    pub volume_snapshot_class_name: String,
}

/// Backups and write-ahead log archives with pgBackRest.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBackRest {
    /// Labels and annotations for everything around backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// `ConfigMaps` and Secrets with further pgBackRest configuration, such as the keys of a bucket.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub configuration: Vec<VolumeProjection>,
    /// Options for the global section of the pgBackRest configuration.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// Image with pgBackRest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Settings of the backup jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<BackupJobs>,
    /// Repositories that hold backups and archives.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub repos: Vec<Repo>,
    /// Settings of the pod that holds the repositories on volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_host: Option<RepoHost>,
    /// What a backup on request does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual: Option<ManualBackup>,
    /// Restoring the cluster in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// Settings of the helper containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<PgBackRestSidecars>,
}

/// A place that holds backups and archives; it has one of volume, s3, gcs and azure.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Repo {
    /// Which of pgBackRest's four repositories this is: repo1 to repo4.
    #[schemars(regex(pattern = REPO_NAME))]
    pub name: String,
    /// When backups are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Schedules>,
    /// On a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<RepoVolume>,
    /// In a bucket of S3 or of a service that speaks its protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<RepoS3>,
    /// In a bucket of Google Cloud Storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcs: Option<RepoGcs>,
    /// In a container of Azure Blob Storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<RepoAzure>,
}

/// When backups are made, as cron writes it, in UTC.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Schedules {
    /// When everything is backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6))]
    pub full: Option<String>,
    /// When the changes since the last full backup are backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6))]
    pub differential: Option<String>,
    /// When the changes since the last backup of any kind are backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 6))]
    pub incremental: Option<String>,
}

/// A repository on a volume.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoVolume {
    /// The volume.
    pub volume_claim_spec: VolumeClaimSpec,
}

/// A repository in a bucket of S3.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RepoS3 {
    /// Name of the bucket.
    pub bucket: String,
    /// Host that serves the bucket.
    pub endpoint: String,
    /// Region of the bucket.
    pub region: String,
}

/// A repository in a bucket of Google Cloud Storage.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RepoGcs {
    /// Name of the bucket.
    pub bucket: String,
}

/// A repository in a container of Azure Blob Storage.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RepoAzure {
    /// Name of the container.
    pub container: String,
}

/// Settings of the backup jobs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupJobs {
    /// CPU and memory of a backup job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pods may and should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Affinity>>")]
    pub affinity: Option<Affinity>,
    /// Node taints the pods put up with.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// Priority class of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Seconds after which a finished job is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60))]
    pub ttl_seconds_after_finished: Option<i32>,
}

/// The pod that holds the repositories on volumes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoHost {
    /// CPU and memory of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the pod may and should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Affinity>>")]
    pub affinity: Option<Affinity>,
    /// Node taints the pod puts up with.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// How the pod is spread over zones and nodes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Priority class of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Without use: repositories are reached over TLS, never over SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<ConfigMapProjection>>")]
    pub ssh_config_map: Option<ConfigMapProjection>,
    /// Without use: repositories are reached over TLS, never over SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretProjection>>")]
    pub ssh_secret: Option<SecretProjection>,
}

/// What a backup on request does.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManualBackup {
    /// Repository to back up to.
    #[schemars(regex(pattern = REPO_NAME))]
    pub repo_name: String,
    /// Options for pgbackrest backup.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Restoring the cluster in place from a backup.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// Whether the annotation pgbackrest-restore starts a restore, which stops the cluster and replaces its data.
    #[serde(default, deserialize_with = "or_default")]
    pub enabled: bool,
    /// Cluster whose backup is restored; this one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Namespace of that cluster; the namespace of this one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_namespace: Option<String>,
    /// Repository to restore from.
    #[schemars(regex(pattern = REPO_NAME))]
    pub repo_name: String,
    /// Options for pgbackrest restore, such as a point in time.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// CPU and memory of the restore job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Where the restore job may and should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Affinity>>")]
    pub affinity: Option<Affinity>,
    /// Node taints the restore job puts up with.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// Priority class of the restore job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// Helper containers around backups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBackRestSidecars {
    /// The pgBackRest server next to each instance and in the repository pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbackrest: Option<Sidecar>,
    /// The container that reloads the server's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbackrest_config: Option<Sidecar>,
}
