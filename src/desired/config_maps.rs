//! ConfigMaps of a cluster.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::{
    cluster::{Cluster, InstanceSet},
    meta::{self, Labels},
    text::patroni,
};
use crate::domain::cluster_names::InstanceName;

/// Key of Patroni's configuration in both ConfigMaps.
pub const PATRONI_KEY: &str = "patroni.yaml";

/// Key of what an image without the audit library needs on top.
pub const WITHOUT_AUDIT_KEY: &str = "without-pgaudit.yaml";

const HEADER: &str = "# Written by pgherd, and written again when somebody changes it. Settings belong into the\n\
                      # PostgresCluster, under spec.patroni.dynamicConfiguration or spec.config.parameters.\n";

/// What all instances share.
#[must_use]
pub fn cluster(cluster: &Cluster) -> ConfigMap {
    config_map(
        cluster,
        cluster.names.config(),
        Labels::new(),
        &[
            (PATRONI_KEY, &patroni::cluster_file(cluster)),
            (WITHOUT_AUDIT_KEY, &patroni::without_audit_file(cluster)),
        ],
    )
}

/// What `instance` has of its own.
#[must_use]
pub fn instance(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> ConfigMap {
    config_map(
        cluster,
        instance.config(),
        meta::instance_labels(&set.name, instance),
        &[(PATRONI_KEY, &patroni::instance_file(cluster, instance, &cluster.wal_directory(set)))],
    )
}

fn config_map(cluster: &Cluster, name: String, own: Labels, files: &[(&str, &Value)]) -> ConfigMap {
    ConfigMap {
        metadata: meta::object_meta(cluster, name, own, &[]),
        data: Some(files.iter().map(|(key, value)| ((*key).to_owned(), yaml(value))).collect()),
        ..ConfigMap::default()
    }
}

/// YAML 1.2 contains JSON, so this is YAML that no quoting rule can get wrong.
fn yaml(value: &Value) -> String {
    format!("{HEADER}{value:#}\n")
}
