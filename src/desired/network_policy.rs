//! The NetworkPolicy of a cluster's instances, and the rules that the operator's policy shares with it.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};

use super::{
    cluster::{Cluster, PgBouncer},
    meta::{self, Labels},
};
use crate::api::labels;

/// Ports of DNS. Where a network plugin sees the pod behind a Service, OpenShift's DNS is at the second one.
const DNS: [u16; 2] = [53, 5353];

/// What Kubernetes itself puts on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// What an installation says of network policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Namespaces besides a cluster's own whose pods may connect. None: everybody may.
    pub client_namespaces: Option<Vec<String>>,
    /// Ports of the API server.
    pub api_server_ports: BTreeSet<u16>,
}

/// Lets instances reach each other, DNS and the API server, and clients reach PostgreSQL. Nothing else gets in or out.
#[must_use]
pub fn instances(cluster: &Cluster, network: &Network) -> NetworkPolicy {
    let same_cluster = || meta::labels([(labels::CLUSTER, cluster.name.as_str())]);
    let mut instances = meta::selector(same_cluster());
    // What else belongs to a cluster, such as a user's own Jobs with its label, isn't meant.
    instances.match_expressions = Some(vec![LabelSelectorRequirement {
        key: labels::INSTANCE.to_owned(),
        operator: "Exists".to_owned(),
        ..LabelSelectorRequirement::default()
    }]);
    let members = NetworkPolicyPeer {
        pod_selector: Some(meta::selector(same_cluster())),
        ..NetworkPolicyPeer::default()
    };
    let postgres = port("TCP", cluster.port);
    // Replicas ask the leader's Patroni, and Patroni asks all others before it takes the lead.
    let between = vec![postgres.clone(), port("TCP", cluster.patroni.port)];
    let mut egress =
        vec![NetworkPolicyEgressRule { to: Some(vec![members.clone()]), ports: Some(between.clone()) }];
    if let Some(standby) = &cluster.standby {
        // Wherever that is.
        egress.push(NetworkPolicyEgressRule { to: None, ports: Some(vec![port("TCP", standby.port)]) });
    }
    egress.extend(kubernetes(&network.api_server_ports));
    NetworkPolicy {
        metadata: meta::object_meta(cluster, cluster.names.network_policy(), Labels::new(), &[]),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(instances),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![
                NetworkPolicyIngressRule { from: Some(vec![members]), ports: Some(between) },
                NetworkPolicyIngressRule { from: clients(network), ports: Some(vec![postgres]) },
            ]),
            egress: Some(egress),
        }),
    }
}

/// Lets clients reach the pooler, and the pooler the instances. With databases of the user's own it may connect to anybody.
#[must_use]
pub fn pgbouncer(cluster: &Cluster, pgbouncer: &PgBouncer, network: &Network) -> NetworkPolicy {
    let instances = NetworkPolicyPeer {
        pod_selector: Some(meta::selector(meta::labels([(labels::CLUSTER, cluster.name.as_str())]))),
        ..NetworkPolicyPeer::default()
    };
    let servers = if pgbouncer.databases.is_empty() {
        NetworkPolicyEgressRule { to: Some(vec![instances]), ports: Some(vec![port("TCP", cluster.port)]) }
    } else {
        NetworkPolicyEgressRule::default()
    };
    let egress = vec![servers, dns()];
    let clients =
        NetworkPolicyIngressRule { from: clients(network), ports: Some(vec![port("TCP", pgbouncer.port)]) };
    NetworkPolicy {
        metadata: meta::object_meta(
            cluster,
            cluster.names.pgbouncer(),
            super::pgbouncer::own_labels(),
            &[&pgbouncer.metadata],
        ),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(meta::selector(super::pgbouncer::selector(cluster))),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(vec![clients]),
            egress: Some(egress),
        }),
    }
}

/// What every pod of ours has to reach: DNS, and the API server. Neither can be told by labels: DNS may be answered by the
/// node, and the API server is no pod.
#[must_use]
pub fn kubernetes(api_server: &BTreeSet<u16>) -> Vec<NetworkPolicyEgressRule> {
    let api_server = api_server.iter().map(|number| port("TCP", *number)).collect();
    let to_anybody =
        |ports| NetworkPolicyEgressRule { ports: Some(ports), ..NetworkPolicyEgressRule::default() };
    vec![dns(), to_anybody(api_server)]
}

fn dns() -> NetworkPolicyEgressRule {
    let ports = DNS.iter().flat_map(|number| ["UDP", "TCP"].map(|protocol| port(protocol, *number)));
    NetworkPolicyEgressRule { ports: Some(ports.collect()), ..NetworkPolicyEgressRule::default() }
}

/// Who may connect to PostgreSQL; none is everybody.
fn clients(network: &Network) -> Option<Vec<NetworkPolicyPeer>> {
    let namespaces = network.client_namespaces.as_ref()?;
    let own =
        NetworkPolicyPeer { pod_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let others = (!namespaces.is_empty()).then(|| NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: NAMESPACE_NAME.to_owned(),
                operator: "In".to_owned(),
                values: Some(namespaces.clone()),
            }]),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    });
    Some(std::iter::once(own).chain(others).collect())
}

fn port(protocol: &str, number: impl Into<i32>) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number.into())),
        ..NetworkPolicyPort::default()
    }
}
