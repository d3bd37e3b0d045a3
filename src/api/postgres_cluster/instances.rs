//! Instance sets: groups of PostgreSQL instances that are alike.

use std::borrow::Cow;

use k8s_openapi::{
    api::core::v1::{Affinity, Container, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::util::intstr::IntOrString,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Metadata, Resources, Sidecar, VolumeClaimSpec, one_replica, or_default};
use crate::api::schema::Bare;

/// A group of PostgreSQL instances that are alike; every instance of every set can become the primary.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSet {
    /// Name of the set, part of the names of its pods; when empty, its position in the list with two digits.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(regex(pattern = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"))]
    pub name: String,
    /// Number of instances.
    #[serde(default = "one_replica::value", deserialize_with = "one_replica::read")]
    #[schemars(range(min = 1))]
    pub replicas: i32,
    /// Labels and annotations for the objects of this set, after those of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Volume for the data of each instance.
    pub data_volume_claim_spec: VolumeClaimSpec,
    /// Separate volume for the write-ahead log of each instance; without it the log is on the data volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_volume_claim_spec: Option<VolumeClaimSpec>,
    /// Volumes for tablespaces, each mounted at /tablespaces/NAME.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub tablespace_volumes: Vec<TablespaceVolume>,
    /// Further volumes of each instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes: Option<InstanceVolumes>,
    /// CPU and memory of the database container.
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
    /// How the pods are spread over zones and nodes, in addition to the default spreading.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Priority class of the pods; changing it restarts PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
    /// Instances that voluntary disruptions must leave running, as a count or a percentage; 1 when there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<IntOrString>>")]
    pub min_available: Option<IntOrString>,
    /// Additional containers for each pod.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<Container>>")]
    pub containers: Vec<Container>,
    /// Settings of the helper containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<InstanceSidecars>,
}

impl InstanceSet {
    /// The name the set goes by at this position of the list: its own, or the position with two digits.
    #[must_use]
    pub fn name_at(&self, index: usize) -> Cow<'_, str> {
        if self.name.is_empty() { format!("{index:02}").into() } else { self.name.as_str().into() }
    }
}

/// A volume for one tablespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TablespaceVolume {
    /// Name of the tablespace's directory.
    #[schemars(length(min = 1), regex(pattern = "^[a-z][a-z0-9]*$"))]
    pub name: String,
    /// The volume.
    pub data_volume_claim_spec: VolumeClaimSpec,
}

/// Further volumes of an instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct InstanceVolumes {
    /// A volume for temporary files, deleted together with its pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp: Option<VolumeClaimSpec>,
}

/// Helper containers of an instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceSidecars {
    /// The container that copies replication certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_cert_copy: Option<Sidecar>,
}
