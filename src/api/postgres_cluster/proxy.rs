//! The connection pooler in front of PostgreSQL.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        Affinity, Container, SecretProjection, Toleration, TopologySpreadConstraint, VolumeProjection,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{Metadata, Resources, Sidecar, one_replica, or_default, postgres_port},
    service::ServiceSpec,
};
use crate::api::schema::Bare;

/// The proxy in front of PostgreSQL.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Proxy {
    /// PgBouncer, which pools connections.
    #[serde(rename = "pgBouncer")]
    pub pgbouncer: PgBouncer,
}

/// PgBouncer, which pools connections.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBouncer {
    /// Labels and annotations for the objects of PgBouncer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Number of pods.
    #[serde(default = "one_replica::value", deserialize_with = "one_replica::read")]
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Image with PgBouncer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Port that clients connect to.
    #[serde(default = "postgres_port::value", deserialize_with = "postgres_port::read")]
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// Configuration of PgBouncer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PgBouncerConfig>,
    /// Secret with the certificate that clients see, and its key.
    #[serde(rename = "customTLSSecret", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretProjection>>")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// How clients reach PgBouncer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,
    /// CPU and memory of the container.
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
    /// How the pods are spread over zones and nodes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Priority class of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Pods that voluntary disruptions must leave running, as a count or a percentage; 1 when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<IntOrString>>")]
    pub min_available: Option<IntOrString>,
    /// Additional containers for each pod.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<Container>>")]
    pub containers: Vec<Container>,
    /// Settings of the helper containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<PgBouncerSidecars>,
}

/// Configuration of PgBouncer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PgBouncerConfig {
    /// Entries of the databases section; all databases of the cluster when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, String>,
    /// Files to mount below /etc/pgbouncer.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub files: Vec<VolumeProjection>,
    /// Settings of the pgbouncer section.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub global: BTreeMap<String, String>,
    /// Entries of the users section.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, String>,
}

/// Helper containers of PgBouncer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgBouncerSidecars {
    /// The container that reloads PgBouncer when its configuration changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbouncer_config: Option<Sidecar>,
}
