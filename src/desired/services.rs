//! Services, and the Endpoints that pgherd writes itself.

use k8s_openapi::{
    api::core::v1::{
        EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort, ServiceSpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    cluster::{Cluster, ExtraMetadata, PgBouncer},
    meta::{self, Labels},
};
use crate::api::{labels, postgres_cluster as api};

/// Name of PostgreSQL's port in Services and pods.
pub const PORT_NAME: &str = "postgres";

/// The Service of the leader. It has no selector: Patroni writes its Endpoints, so that they move in the same write that
/// makes an instance the leader.
#[must_use]
pub fn leader(cluster: &Cluster) -> Service {
    let own = meta::labels([(labels::PATRONI, cluster.names.leader().as_str())]);
    exposed(cluster, cluster.names.leader(), own, &cluster.service, None, port(cluster))
}

/// The Service that applications connect to. Its name resolves to the address of the leader's Service, so that it can stay
/// when that one is exposed in another way.
#[must_use]
pub fn primary(cluster: &Cluster) -> Service {
    headless(cluster, cluster.names.primary_service(), role(labels::ROLE_PRIMARY), None, false)
}

/// The one address behind the primary's Service: the cluster address of the leader's Service.
#[must_use]
pub fn primary_endpoints(cluster: &Cluster, leader_address: &str) -> Endpoints {
    Endpoints {
        metadata: meta::object_meta(
            cluster,
            cluster.names.primary_service(),
            role(labels::ROLE_PRIMARY),
            &[],
        ),
        subsets: Some(vec![EndpointSubset {
            addresses: Some(vec![EndpointAddress {
                ip: leader_address.to_owned(),
                ..EndpointAddress::default()
            }]),
            ports: Some(vec![EndpointPort {
                name: Some(PORT_NAME.to_owned()),
                port: cluster.port,
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
            ..EndpointSubset::default()
        }]),
    }
}

/// The Service of all replicas that are ready.
#[must_use]
pub fn replicas(cluster: &Cluster) -> Service {
    let selector =
        meta::labels([(labels::CLUSTER, cluster.name.as_str()), (labels::ROLE, labels::ROLE_REPLICA)]);
    exposed(
        cluster,
        cluster.names.replica_service(),
        role(labels::ROLE_REPLICA),
        &cluster.replica_service,
        Some(selector),
        port(cluster),
    )
}

/// The Service that gives every pod a DNS name, ready or not: replicas copy from an instance that is just starting.
#[must_use]
pub fn pods(cluster: &Cluster) -> Service {
    let selector = meta::labels([(labels::CLUSTER, cluster.name.as_str())]);
    headless(cluster, cluster.names.pod_service(), Labels::new(), Some(selector), true)
}

/// The Service that stands beside the Endpoints in which Patroni keeps its configuration. Without it Kubernetes takes those
/// for orphans and deletes them.
#[must_use]
pub fn patroni_config(cluster: &Cluster) -> Service {
    let own = meta::labels([(labels::PATRONI, cluster.names.leader().as_str())]);
    let mut service = headless(cluster, cluster.names.patroni_config(), own, None, false);
    if let Some(spec) = service.spec.as_mut() {
        spec.ports = None;
    }
    service
}

/// The Service of the pooler.
#[must_use]
pub(super) fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer, port_name: &str) -> Service {
    let port = ServicePort {
        name: Some(port_name.to_owned()),
        port: pgbouncer.port,
        target_port: Some(IntOrString::String(port_name.to_owned())),
        ..port(cluster)
    };
    exposed(
        cluster,
        cluster.names.pgbouncer(),
        super::pgbouncer::own_labels(),
        &pgbouncer.service,
        Some(super::pgbouncer::selector(cluster)),
        port,
    )
}

fn role(value: &str) -> Labels {
    meta::labels([(labels::ROLE, value)])
}

fn port(cluster: &Cluster) -> ServicePort {
    ServicePort {
        name: Some(PORT_NAME.to_owned()),
        port: cluster.port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
        ..ServicePort::default()
    }
}

fn headless(
    cluster: &Cluster,
    name: String,
    own: Labels,
    selector: Option<Labels>,
    publish_not_ready: bool,
) -> Service {
    Service {
        metadata: meta::object_meta(cluster, name, own, &[]),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: publish_not_ready.then_some(true),
            selector,
            ports: Some(vec![port(cluster)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// A Service whose kind the user chooses.
fn exposed(
    cluster: &Cluster,
    name: String,
    own: Labels,
    wanted: &api::ServiceSpec,
    selector: Option<Labels>,
    mut port: ServicePort,
) -> Service {
    let extra = ExtraMetadata::from(wanted.metadata.as_ref());
    port.node_port = wanted.node_port;
    Service {
        metadata: meta::object_meta(cluster, name, own, &[&extra]),
        spec: Some(ServiceSpec {
            type_: Some(wanted.type_.to_string()),
            external_traffic_policy: wanted.external_traffic_policy.map(|policy| policy.to_string()),
            internal_traffic_policy: wanted.internal_traffic_policy.map(|policy| policy.to_string()),
            ip_families: (!wanted.ip_families.is_empty()).then(|| wanted.ip_families.clone()),
            ip_family_policy: wanted.ip_family_policy.map(|policy| policy.to_string()),
            selector,
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
