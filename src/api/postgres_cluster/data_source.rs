//! Where the data of a new cluster comes from, and following another cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, VolumeProjection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    backups::Repo,
    common::{REPO_NAME, Resources, or_default, server_default},
};
use crate::api::schema::{Bare, Rule, rules};

server_default! {
    /// The stanza every cluster of this operator archives to.
    stanza: String = "db";
    /// A standby section means a standby.
    standby_enabled: bool = true;
}

/// Where the data of a new cluster comes from; without it, the cluster starts empty.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    /// A backup in a repository that no cluster of this Kubernetes may own.
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: "!has(self.repo.volume)",
        message: "use a repository in s3, gcs or azure; for one on a volume, set postgresCluster",
    }])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbackrest: Option<BackupSource>,
    /// A backup of another cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_cluster: Option<ClusterSource>,
    /// Volumes that hold the data already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<VolumeSources>,
}

/// A backup in a repository.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupSource {
    /// The repository.
    pub repo: Repo,
    /// Name of the stanza in the repository.
    #[serde(default = "stanza::value", deserialize_with = "stanza::read")]
    pub stanza: String,
    /// `ConfigMaps` and Secrets with further pgBackRest configuration, such as the keys of the bucket.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub configuration: Vec<VolumeProjection>,
    /// Options for the global section of the pgBackRest configuration.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
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

/// A backup of another cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSource {
    /// Name of the cluster; required unless the namespace is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Namespace of the cluster; the namespace of this one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_namespace: Option<String>,
    /// Repository of that cluster to restore from.
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

/// Volumes that hold the data of a cluster already.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSources {
    /// Volume with the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pg_data_volume: Option<VolumeSource>,
    /// Volume with the write-ahead log.
    #[serde(rename = "pgWALVolume", skip_serializing_if = "Option::is_none")]
    pub pg_wal_volume: Option<VolumeSource>,
    /// Volume with the backup repository.
    #[serde(rename = "pgBackRestVolume", skip_serializing_if = "Option::is_none")]
    pub pgbackrest_volume: Option<VolumeSource>,
}

/// One volume that holds data already.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSource {
    /// Name of the volume's claim.
    pub pvc_name: String,
    /// Directory on the volume; the data is moved from there to where the operator expects it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// Following another cluster instead of accepting writes.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standby {
    /// Whether the cluster follows another one; turning it off promotes the cluster.
    #[serde(default = "standby_enabled::value", deserialize_with = "standby_enabled::read")]
    pub enabled: bool,
    /// Host of the primary to stream from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Port of the primary to stream from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024))]
    pub port: Option<i32>,
    /// Repository whose archive is replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = REPO_NAME))]
    pub repo_name: Option<String>,
}
