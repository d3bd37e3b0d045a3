//! Services that applications connect to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Metadata, or_default};
use crate::api::schema::Bare;

/// How a Service is exposed.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Labels and annotations for the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Who can reach the Service: pods, everybody through the nodes' ports, or everybody through a load balancer.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub type_: ServiceType,
    /// Port on every node for the types `NodePort` and `LoadBalancer`; Kubernetes picks one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_port: Option<i32>,
    /// IP families to use, the preferred one first.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "enum": ["IPv4", "IPv6"] }))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub ip_families: Vec<String>,
    /// Whether the Service gets addresses of one or of both IP families.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<IpFamilyPolicy>>")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// Whether connections from inside Kubernetes stay on their node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<TrafficPolicy>>")]
    pub internal_traffic_policy: Option<TrafficPolicy>,
    /// Whether connections from outside stay on the node they arrive at, which keeps the client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<TrafficPolicy>>")]
    pub external_traffic_policy: Option<TrafficPolicy>,
}

/// Who can reach a Service.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum ServiceType {
    /// Pods only.
    #[default]
    ClusterIP,
    /// Everybody who reaches a node.
    NodePort,
    /// Everybody who reaches the load balancer.
    LoadBalancer,
}

/// Where connections to a Service may be sent.
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
pub enum TrafficPolicy {
    /// To any pod.
    Cluster,
    /// To pods of the same node.
    Local,
}

/// How many IP families a Service has.
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
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Both where Kubernetes has both.
    PreferDualStack,
    /// Both, or none at all.
    RequireDualStack,
}
