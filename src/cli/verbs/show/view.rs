//! What is shown of a cluster, taken together from its objects. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt as _;
use serde::Serialize;

use crate::{
    api::{
        conditions::{
            self, ACCEPTED, PENDING_RESTART, PERSISTENT_VOLUME_RESIZING, PROGRESSING, READY,
            RESTORE_PROGRESSING,
        },
        postgres_cluster::PostgresCluster,
    },
    cli::output::lasting,
    domain::cluster_names::{ClusterNames, InstanceName},
    k8s::clusters,
    pki,
    postgres::member::{self, Change, Member},
};

/// Conditions that shouldn't hold.
const PASSING: &[&str] = &[PENDING_RESTART, RESTORE_PROGRESSING];

/// A cluster in a line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::verbs) struct Summary {
    pub(in crate::cli::verbs) namespace: String,
    pub(in crate::cli::verbs) name: String,
    pub(in crate::cli::verbs) state: String,
    pub(in crate::cli::verbs) postgres_version: i32,
    /// Instances that accept connections.
    pub(in crate::cli::verbs) ready: usize,
    /// Instances that there are to be.
    pub(in crate::cli::verbs) instances: usize,
    pub(in crate::cli::verbs) created: Option<Timestamp>,
    /// Conditions that aren't as they should be, and what is under way.
    pub(in crate::cli::verbs) conditions: Vec<Trouble>,
}

/// A cluster with everything that is known of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::verbs) struct Detail {
    #[serde(flatten)]
    pub(in crate::cli::verbs) summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::verbs) image: Option<String>,
    pub(in crate::cli::verbs) members: Vec<Row>,
    pub(in crate::cli::verbs) services: Vec<ServiceRow>,
    /// Days until the certificate that clients see expires; negative once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::verbs) certificate_days: Option<i64>,
}

/// An instance.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::verbs) struct Row {
    #[serde(flatten)]
    pub(in crate::cli::verbs) member: Member,
    /// Size of the volume with its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::verbs) size: Option<String>,
}

/// A Service for applications.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::verbs) struct ServiceRow {
    pub(in crate::cli::verbs) name: String,
    pub(in crate::cli::verbs) purpose: &'static str,
    /// Where it is reached from outside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli::verbs) external: Vec<String>,
}

/// A condition that isn't as it should be, or tells of something under way.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli::verbs) struct Trouble {
    #[serde(rename = "type")]
    pub(in crate::cli::verbs) type_: String,
    /// Whether the condition holds: `True`, `False` or `Unknown`.
    pub(in crate::cli::verbs) status: String,
    pub(in crate::cli::verbs) reason: String,
    pub(in crate::cli::verbs) message: String,
    /// Since when it is like this; what the message says may be newer.
    pub(in crate::cli::verbs) since: Timestamp,
}

/// The objects of a cluster.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli::verbs) struct Seen<'a> {
    pub(in crate::cli::verbs) pods: &'a [Pod],
    pub(in crate::cli::verbs) volumes: &'a [PersistentVolumeClaim],
    pub(in crate::cli::verbs) services: &'a [Service],
    /// The certificate that clients see (PEM), when it could be read.
    pub(in crate::cli::verbs) certificate: Option<&'a str>,
}

/// A cluster in a line, from its resource alone.
pub(in crate::cli::verbs) fn summary(cluster: &PostgresCluster) -> Summary {
    let status = cluster.status.as_ref();
    let sets = cluster.spec.instances.iter();
    let ready = status.map(|status| status.instances.as_slice()).unwrap_or_default().iter();
    Summary {
        namespace: cluster.namespace().unwrap_or_default(),
        name: cluster.name_any(),
        state: state(cluster),
        postgres_version: cluster.spec.postgres_version,
        ready: ready.map(|set| count(set.ready_replicas.unwrap_or(0))).sum(),
        instances: sets.map(|set| count(set.replicas)).sum(),
        created: cluster.creation_timestamp().map(|time| time.0),
        conditions: troubles(cluster),
    }
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// The one word for how a cluster is.
fn state(cluster: &PostgresCluster) -> String {
    let condition = |type_| {
        let status = cluster.status.as_ref()?;
        conditions::find_condition(&status.conditions, type_).map(|condition| condition.status == "True")
    };
    let state = if cluster.metadata.deletion_timestamp.is_some() {
        "being deleted"
    } else if condition(ACCEPTED) == Some(false) {
        "refused"
    } else if cluster.spec.is_shut_down() {
        "stopped"
    } else {
        match condition(READY) {
            Some(true) => "ready",
            Some(false) => "not ready",
            None => "not looked at yet",
        }
    };
    if cluster.spec.is_paused() { format!("{state}, paused") } else { state.to_owned() }
}

/// A cluster with all its objects.
pub(in crate::cli::verbs) fn detail(cluster: &PostgresCluster, seen: &Seen<'_>, now: Timestamp) -> Detail {
    let claims: BTreeMap<String, &PersistentVolumeClaim> =
        seen.volumes.iter().map(|claim| (claim.name_any(), claim)).collect();
    let members = member::members(seen.pods).into_iter().map(|member| {
        let claim = claims.get(&InstanceName::existing(&member.name).data_volume());
        Row { size: claim.and_then(|claim| clusters::size(claim)), member }
    });
    let expiry = seen.certificate.and_then(|pem| pki::not_after(pem).ok());
    Detail {
        summary: summary(cluster),
        image: cluster.spec.image.clone(),
        members: members.collect(),
        services: services(cluster, seen.services),
        certificate_days: expiry.map(|expiry| pki::days_left(expiry, now)),
    }
}

fn services(cluster: &PostgresCluster, services: &[Service]) -> Vec<ServiceRow> {
    let names = ClusterNames::new(&cluster.name_any());
    // Applications use the names on the left; what is reached from outside is the Service on the right.
    let purposes = [
        (names.primary_service(), "read/write", names.leader()),
        (names.replica_service(), "read only", names.replica_service()),
    ];
    let find = |name: &str| services.iter().find(|service| service.name_any() == name);
    let rows = purposes.into_iter().filter_map(|(name, purpose, exposed)| {
        find(&name)?;
        Some(ServiceRow { purpose, external: find(&exposed).map(external).unwrap_or_default(), name })
    });
    rows.collect()
}

/// Addresses of a Service outside of the cluster.
fn external(service: &Service) -> Vec<String> {
    let spec = service.spec.as_ref();
    let port = spec.and_then(|spec| spec.ports.as_ref()).and_then(|ports| ports.first());
    match spec.and_then(|spec| spec.type_.as_deref()) {
        Some("LoadBalancer") => {
            let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let places = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
            let port = port.map_or(0, |port| port.port);
            let address =
                places.iter().filter_map(|place| place.hostname.clone().or_else(|| place.ip.clone()));
            address.map(|address| format!("{address}:{port}")).collect()
        }
        Some("NodePort") => port
            .and_then(|port| port.node_port)
            .map(|port| format!("port {port} of every node"))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

fn troubles(cluster: &PostgresCluster) -> Vec<Trouble> {
    let conditions = cluster.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let wrong = conditions.iter().filter(|condition| {
        let holds = condition.status == "True";
        match condition.type_.as_str() {
            // Absent when there is nothing to say: true while something is under way, false while that is not possible.
            PROGRESSING | PERSISTENT_VOLUME_RESIZING => true,
            passing if PASSING.contains(&passing) => holds,
            _ => !holds,
        }
    });
    let told = wrong.map(|condition| Trouble {
        type_: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since: condition.last_transition_time.0,
    });
    told.collect()
}

impl Trouble {
    /// Why, and for how long it is like this.
    pub(in crate::cli::verbs) fn told(&self, now: Timestamp) -> String {
        format!("{} for {}: {}", self.reason, lasting(now.duration_since(self.since)), self.message)
    }
}

impl Detail {
    /// Since when a restart is pending, as far as the operator has told.
    pub(in crate::cli::verbs) fn pending_since(&self) -> Option<Timestamp> {
        let pending = self.summary.conditions.iter().find(|trouble| trouble.type_ == PENDING_RESTART);
        pending.map(|trouble| trouble.since)
    }

    /// What waits for a restart: how many instances, and which parameters with their old and new values.
    pub(in crate::cli::verbs) fn pending(&self) -> Option<(usize, BTreeMap<&str, &Change>)> {
        let waiting = || self.members.iter().filter_map(|row| row.member.pending_restart.as_ref());
        let changes = waiting().flatten().map(|(name, change)| (name.as_str(), change)).collect();
        Some((waiting().count(), changes)).filter(|(count, _)| *count > 0)
    }
}
