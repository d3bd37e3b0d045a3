//! Clusters for unit tests, made by the real validation. The names are not those of any role, label or default, so that a
//! value in the wrong place is seen.

use serde_json::{Value, json};

use super::cluster::validate::{DefaultImages, validate};
use crate::{api::postgres_cluster::PostgresCluster, desired::Cluster};

pub(crate) fn set(name: &str) -> Value {
    json!({
        "name": name,
        "dataVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    })
}

pub(crate) fn spec() -> Value {
    json!({ "postgresVersion": 17, "instances": [set("herd")] })
}

pub(crate) fn resource(spec: &Value) -> PostgresCluster {
    serde_json::from_value(json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": {"name": "rhino", "namespace": "zoo", "uid": "3c9ab4f4-0001", "generation": 3},
        "spec": spec,
    }))
    .unwrap()
}

pub(crate) fn cluster_from(spec: &Value) -> Cluster {
    let images = DefaultImages {
        postgres: [(17, "localhost/postgres:17".to_owned())].into(),
        pull_secrets: Vec::new(),
    };
    validate(&resource(spec), &images).unwrap()
}

pub(crate) fn cluster() -> Cluster {
    cluster_from(&spec())
}
