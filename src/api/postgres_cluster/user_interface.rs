//! The graphical interface next to a cluster.

use k8s_openapi::api::core::v1::{
    Affinity, SecretKeySelector, Toleration, TopologySpreadConstraint, VolumeProjection,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    common::{Metadata, Resources, VolumeClaimSpec, one_replica, or_default},
    service::ServiceSpec,
};
use crate::api::schema::{Bare, FreeObject};

/// The graphical interface of the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct UserInterface {
    /// pgAdmin, a web interface for PostgreSQL.
    #[serde(rename = "pgAdmin")]
    pub pgadmin: PgAdmin,
}

/// pgAdmin, a web interface for PostgreSQL.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgAdmin {
    /// Labels and annotations for the objects of pgAdmin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Number of pods: one or none.
    #[serde(default = "one_replica::value", deserialize_with = "one_replica::read")]
    #[schemars(range(min = 0, max = 1))]
    pub replicas: i32,
    /// Image with pgAdmin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Configuration of pgAdmin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<PgAdminConfig>,
    /// Volume for what pgAdmin keeps.
    pub data_volume_claim_spec: VolumeClaimSpec,
    /// How browsers reach pgAdmin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSpec>,
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
}

/// Configuration of pgAdmin.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PgAdminConfig {
    /// Files to mount for pgAdmin.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub files: Vec<VolumeProjection>,
    /// Password for the LDAP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretKeySelector>>")]
    pub ldap_bind_password: Option<SecretKeySelector>,
    /// Settings as pgAdmin names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FreeObject>")]
    pub settings: Option<Map<String, Value>>,
}
