//! What every new cluster gets from the inventory's defaults besides instances, volumes and users.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Affinity, PodAffinityTerm, PodAntiAffinity as AntiAffinity},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use serde_json::{Map, json};

use crate::{
    api::{
        labels,
        postgres_cluster::{
            Authentication, AuthenticationRule, IntOrText, Patroni, PostgresConfig, ServiceSpec, ServiceType,
        },
    },
    inventory::{self, Defaults, LogStatement, PodAntiAffinity},
};

/// The label of a node that says which one it is.
const NODE: &str = "kubernetes.io/hostname";

/// How the databases are reached; nothing when only from inside the cluster, which is what they get anyway.
pub(super) fn service(defaults: &Defaults) -> Option<ServiceSpec> {
    let type_ = match defaults.service_type {
        inventory::ServiceType::ClusterIP => return None,
        inventory::ServiceType::NodePort => ServiceType::NodePort,
        inventory::ServiceType::LoadBalancer => ServiceType::LoadBalancer,
    };
    Some(ServiceSpec { type_, ..ServiceSpec::default() })
}

/// Who may connect from where; nothing when everybody may from anywhere.
pub(super) fn authentication(defaults: &Defaults) -> Option<Authentication> {
    let networks = defaults.allowed_networks.as_ref()?;
    let rules = networks
        .iter()
        .map(|network| AuthenticationRule {
            hba: Some(format!("hostssl all all {network} scram-sha-256")),
            ..AuthenticationRule::default()
        })
        .collect();
    Some(Authentication { rules })
}

/// Parameters of PostgreSQL that differ from what it or the operator would take.
pub(super) fn config(defaults: &Defaults) -> Option<PostgresConfig> {
    let mut parameters = BTreeMap::new();
    if defaults.log_statement != LogStatement::None {
        let statements = defaults.log_statement.as_str().to_owned();
        parameters.insert("log_statement".to_owned(), IntOrText::Text(statements));
    }
    let threshold = defaults.log_min_duration_statement.milliseconds();
    if threshold >= 0 {
        parameters.insert("log_min_duration_statement".to_owned(), IntOrText::Text(format!("{threshold}ms")));
    }
    let timeout = defaults.archive_timeout.length().as_secs();
    if timeout != ARCHIVE_TIMEOUT_SECONDS {
        parameters.insert("archive_timeout".to_owned(), IntOrText::Text(format!("{timeout}s")));
    }
    (!parameters.is_empty()).then(|| PostgresConfig { parameters, ..PostgresConfig::default() })
}

/// What the operator sets by itself.
const ARCHIVE_TIMEOUT_SECONDS: u64 = 60;

/// Whether commits wait for a replica.
pub(super) fn patroni(defaults: &Defaults) -> Option<Patroni> {
    defaults.synchronous_replication.then(|| {
        let configuration = Map::from_iter([("synchronous_mode".to_owned(), json!(true))]);
        Patroni { dynamic_configuration: Some(configuration), ..Patroni::default() }
    })
}

/// Where instances may be besides what the operator prefers by itself.
pub(super) fn affinity(defaults: &Defaults, cluster: &str) -> Option<Affinity> {
    if defaults.pod_anti_affinity != PodAntiAffinity::Required {
        return None;
    }
    let instances = LabelSelector {
        match_labels: Some(BTreeMap::from([
            (labels::CLUSTER.to_owned(), cluster.to_owned()),
            (labels::DATA.to_owned(), labels::DATA_POSTGRES.to_owned()),
        ])),
        ..LabelSelector::default()
    };
    let term = PodAffinityTerm {
        label_selector: Some(instances),
        topology_key: NODE.to_owned(),
        ..PodAffinityTerm::default()
    };
    let apart = AntiAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![term]),
        ..AntiAffinity::default()
    };
    Some(Affinity { pod_anti_affinity: Some(apart), ..Affinity::default() })
}
