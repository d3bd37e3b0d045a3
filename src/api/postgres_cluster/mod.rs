//! `PostgresCluster`: a PostgreSQL cluster as its users describe it, and as the operator reports on it.
//!
//! The names of all fields, their defaults and limits are those of manifests written for the 5.x operator, so that
//! these apply unchanged. What is accepted but has no effect yet is told in [`super::coverage`].

mod backups;
mod common;
mod data_source;
mod instances;
mod monitoring;
mod patroni;
mod proxy;
mod service;
mod status;
mod user_interface;
mod users;

use std::borrow::Cow;

use k8s_openapi::api::core::v1::{LocalObjectReference, SecretProjection};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::common::{or_default, postgres_port};
pub use self::{
    backups::*, common::*, data_source::*, instances::*, monitoring::*, patroni::*, proxy::*, service::*,
    status::*, user_interface::*, users::*,
};
use crate::api::schema::Bare;

/// A PostgreSQL cluster: what it consists of and how it behaves.
#[derive(Clone, CustomResource, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "postgres-operator.crunchydata.com",
    version = "v1beta1",
    kind = "PostgresCluster",
    plural = "postgresclusters",
    namespaced,
    status = "PostgresClusterStatus",
    derive = "PartialEq",
    doc = "A PostgreSQL cluster.",
    printcolumn = r#"{"name": "Ready", "type": "string", "description": "Whether the cluster accepts connections", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Instances", "type": "string", "description": "Ready and wanted instances", "jsonPath": ".status.instancesReady"}"#,
    printcolumn = r#"{"name": "Primary", "type": "string", "description": "Instance that leads, or did last", "jsonPath": ".status.patroni.primary"}"#,
    printcolumn = r#"{"name": "Timeline", "type": "integer", "priority": 1, "description": "Timeline of the primary", "jsonPath": ".status.patroni.timeline"}"#,
    printcolumn = r#"{"name": "Postgres", "type": "integer", "description": "Major version of PostgreSQL", "jsonPath": ".spec.postgresVersion"}"#,
    printcolumn = r#"{"name": "Progress", "type": "string", "priority": 1, "description": "What is under way", "jsonPath": ".status.conditions[?(@.type==\"Progressing\")].message"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct PostgresClusterSpec {
    /// Labels and annotations for every object of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Major version of PostgreSQL that the image has.
    #[schemars(range(min = 11, max = 18))]
    pub postgres_version: i32,
    /// Version of `PostGIS` that the image has.
    #[serde(rename = "postGISVersion", skip_serializing_if = "Option::is_none")]
    pub postgis_version: Option<String>,
    /// Image with PostgreSQL, Patroni and pgBackRest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When images are pulled; Kubernetes decides when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<PullPolicy>>")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Secrets with the passwords of image registries.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<LocalObjectReference>>")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Groups of PostgreSQL instances.
    #[schemars(length(min = 1))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub instances: Vec<InstanceSet>,
    /// Port that PostgreSQL listens on.
    #[serde(default = "postgres_port::value", deserialize_with = "postgres_port::read")]
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// Service that leads to the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,
    /// Service that leads to the replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_service: Option<ServiceSpec>,
    /// Users and their databases; when absent, one user and one database named like the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub users: Option<Vec<User>>,
    /// Who may connect from where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// Configuration of the PostgreSQL server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PostgresConfig>,
    /// SQL to run once when the cluster started first.
    #[serde(rename = "databaseInitSQL", skip_serializing_if = "Option::is_none")]
    pub database_init_sql: Option<ConfigMapKey>,
    /// Secret with the server certificate (tls.crt, tls.key, ca.crt); without it, the operator issues one.
    #[serde(rename = "customTLSSecret", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretProjection>>")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// Secret with the certificate that replicas log in with (tls.crt, tls.key, ca.crt); needs customTLSSecret too.
    #[serde(rename = "customReplicationTLSSecret", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretProjection>>")]
    pub custom_replication_tls_secret: Option<SecretProjection>,
    /// Settings of Patroni, which keeps the cluster available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patroni: Option<Patroni>,
    /// How the cluster is backed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backups: Option<Backups>,
    /// Where the data of a new cluster comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_source: Option<DataSource>,
    /// Following another cluster instead of accepting writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby: Option<Standby>,
    /// The proxy in front of PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// Metrics for Prometheus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitoring: Option<Monitoring>,
    /// Logs and metrics through an OpenTelemetry collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrumentation: Option<Instrumentation>,
    /// The graphical interface of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_interface: Option<UserInterface>,
    /// Turns off the spreading of pods over nodes and zones that the operator adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_default_pod_scheduling: Option<bool>,
    /// Whether this is OpenShift, which assigns file system groups itself; found out when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openshift: Option<bool>,
    /// Further groups of the processes in the pods.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub supplemental_groups: Vec<i64>,
    /// Stops the operator from changing anything; PostgreSQL goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Stops PostgreSQL and keeps the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<bool>,
}

impl PostgresClusterSpec {
    /// Patroni's settings, the defaults where the specification has none.
    #[must_use]
    pub fn patroni_settings(&self) -> Cow<'_, Patroni> {
        self.patroni.as_ref().map_or_else(|| Cow::Owned(Patroni::default()), Cow::Borrowed)
    }

    /// Whether the operator must leave the cluster alone.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.unwrap_or_default()
    }

    /// Whether PostgreSQL is to be stopped.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.shutdown.unwrap_or_default()
    }
}

/// When the image of a container is pulled.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// Never; the node must have it.
    Never,
    /// When the node doesn't have it.
    IfNotPresent,
}

#[cfg(test)]
mod tests;
