//! What the operator reports about a cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::or_default;
use crate::api::schema::Bare;

/// What the operator reports about a cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresClusterStatus {
    /// What is and isn't the case, one entry a type.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    #[schemars(with = "Vec<Bare<Condition>>")]
    pub conditions: Vec<Condition>,
    /// ConfigMap and key of the SQL that was run once after the cluster started first.
    #[serde(rename = "databaseInitSQL", skip_serializing_if = "Option::is_none")]
    pub database_init_sql: Option<String>,
    /// Hash of the databases and extensions that were set up last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_revision: Option<String>,
    /// State of each instance set.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub instances: Vec<InstanceSetStatus>,
    /// Ready and wanted instances of all sets, such as 2/3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances_ready: Option<String>,
    /// State of monitoring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<MonitoringStatus>,
    /// Generation of the specification that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// State of Patroni.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patroni: Option<PatroniStatus>,
    /// State of backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbackrest: Option<PgBackRestStatus>,
    /// Major version of PostgreSQL that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_version: Option<i32>,
    /// State of the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyStatus>,
    /// Instance that starts first and creates the databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_instance: Option<String>,
    /// Instance set of that instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_instance_set: Option<String>,
    /// State of the graphical interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_interface: Option<UserInterfaceStatus>,
    /// Hash of the users that were set up last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users_revision: Option<String>,
}

/// State of an instance set.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSetStatus {
    /// Name of the set.
    pub name: String,
    /// Number of instances that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of instances that accept connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Number of instances that run as specified now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_replicas: Option<i32>,
    /// Size wanted for the data volume, by instance.
    #[serde(
        rename = "desiredPGDataVolume",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub desired_pgdata_volume: BTreeMap<String, String>,
}

/// State of monitoring.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringStatus {
    /// Hash of the exporter's setup in the databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter_configuration: Option<String>,
}

/// State of Patroni.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatroniStatus {
    /// Instance that leads; while none does, the one that did last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The last request for a switchover that was acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switchover: Option<String>,
    /// Timeline of the primary before the switchover that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switchover_timeline: Option<i64>,
    /// PostgreSQL's identifier of this cluster; it differs after the cluster was created anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// Timeline of that instance; each time another one takes over, a new one begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<i64>,
}

/// State of backups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBackRestStatus {
    /// The last backup on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_backup: Option<JobStatus>,
    /// The pod with the repositories on volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_host: Option<RepoHostStatus>,
    /// State of each repository.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub repos: Vec<RepoStatus>,
    /// The last restore in place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<JobStatus>,
    /// The last scheduled backups.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub scheduled_backups: Vec<ScheduledBackupStatus>,
}

/// State of a job that was asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// The request, as its annotation had it.
    pub id: String,
    /// Whether the job ended, successfully or not.
    pub finished: bool,
    /// When the job started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Time>>")]
    pub start_time: Option<Time>,
    /// When the job succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Time>>")]
    pub completion_time: Option<Time>,
    /// Number of its pods that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<i32>,
    /// Number of its pods that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<i32>,
    /// Number of its pods that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}

/// State of the pod with the repositories on volumes.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoHostStatus {
    /// API version of the object that runs the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind of the object that runs the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether the pod can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
}

/// State of a repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoStatus {
    /// Name of the repository.
    pub name: String,
    /// Whether its claim has a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<bool>,
    /// Whether it holds a backup that replicas can be created from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_create_backup_complete: Option<bool>,
    /// Hash of the settings of its bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_options_hash: Option<String>,
    /// Whether it is ready for backups and archives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stanza_created: Option<bool>,
    /// Name of its volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

/// State of a scheduled backup.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledBackupStatus {
    /// Name of the `CronJob` that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron_job_name: Option<String>,
    /// Repository it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Kind of backup: full, diff or incr.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// When the job started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Time>>")]
    pub start_time: Option<Time>,
    /// When the job succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<Time>>")]
    pub completion_time: Option<Time>,
    /// Number of its pods that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<i32>,
    /// Number of its pods that succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<i32>,
    /// Number of its pods that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i32>,
}

/// State of the proxy.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ProxyStatus {
    /// State of PgBouncer.
    #[serde(rename = "pgBouncer", skip_serializing_if = "Option::is_none")]
    pub pgbouncer: Option<PgBouncerStatus>,
}

/// State of PgBouncer.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBouncerStatus {
    /// Hash of PgBouncer's setup in the databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_revision: Option<String>,
    /// Number of pods that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Number of pods that accept connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
}

/// State of the graphical interface.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct UserInterfaceStatus {
    /// State of pgAdmin.
    #[serde(rename = "pgAdmin", skip_serializing_if = "Option::is_none")]
    pub pgadmin: Option<PgAdminStatus>,
}

/// State of pgAdmin.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgAdminStatus {
    /// Hash of the users that pgAdmin was given last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users_revision: Option<String>,
}
