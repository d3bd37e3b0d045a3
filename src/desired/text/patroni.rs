//! Patroni's configuration: what all instances share, what differs, and what lives in the cluster's own store.

use serde_json::{Map, Value, json};

use crate::{
    api::labels,
    desired::{Cluster, text::scripts},
    domain::{cluster_names::InstanceName, hba, parameters},
};

/// Where the certificates that replicas authenticate with are mounted.
pub const REPLICATION_CERTIFICATE_DIRECTORY: &str = "/pgconf/tls/replication";

/// Where configuration and certificates of Patroni are mounted.
pub const MOUNT: &str = "/pgconf/patroni";

/// The roots that Patroni's API trusts, below [`MOUNT`].
pub const AUTHORITY_FILE: &str = "~postgres-operator/patroni.ca-roots";

/// Certificate and key of Patroni's API in one file, below [`MOUNT`].
pub const COMBINED_FILE: &str = "~postgres-operator/patroni.crt-combined";

/// Port of Patroni's REST API unless the cluster says otherwise.
pub const DEFAULT_API_PORT: i32 = 8008;

/// Patroni's setting for a command that it runs before it stops PostgreSQL.
const BEFORE_STOP: &str = "before_stop";

/// Stops PostgreSQL, and waits two seconds at most until it has ended. Patroni itself would look once, wait for a second, and
/// only then let another instance take over; of one that is gone it sees so at once, and of another it goes on as usual. Nobody
/// can write from the signal on.
const STOP: &str = "read -r server <\"$0\" && kill -INT \"$server\" || exit; looks=0; \
    while kill -0 \"$server\" 2>/dev/null && [ $looks -lt 40 ]; do looks=$((looks + 1)); sleep 0.05; done";

/// The configuration that all instances share: file `~postgres-operator_cluster.yaml`.
#[must_use]
pub fn cluster_file(cluster: &Cluster) -> Value {
    let replication = json!({
        "username": hba::REPLICATION_USER,
        "sslcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.crt"),
        "sslkey": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/tls.key"),
        "sslrootcert": format!("{REPLICATION_CERTIFICATE_DIRECTORY}/ca.crt"),
        // Not verify-full: a certificate that users bring need not name every pod.
        "sslmode": "verify-ca",
    });
    let authority = format!("{MOUNT}/{AUTHORITY_FILE}");
    let combined = format!("{MOUNT}/{COMBINED_FILE}");
    json!({
        "scope": cluster.names.leader(),
        "kubernetes": {
            "namespace": cluster.namespace,
            "use_endpoints": true,
            "labels": { labels::CLUSTER: cluster.name },
            "scope_label": labels::PATRONI,
            "role_label": labels::ROLE,
            "leader_label_value": labels::ROLE_PATRONI_LEADER,
            "standby_leader_label_value": labels::ROLE_PATRONI_LEADER,
        },
        "postgresql": {
            "use_unix_socket": true,
            "pgpass": "/tmp/.pgpass",
            "authentication": {
                "superuser": { "username": "postgres" },
                "replication": replication,
                "rewind": replication,
            },
        },
        "restapi": {
            "cafile": authority,
            "certfile": combined,
            // Probes come without a certificate and may only read; whatever changes something needs one.
            "verify_client": "optional",
        },
        "ctl": { "cacert": authority, "certfile": combined, "insecure": false },
        "watchdog": { "mode": "off" },
        "bootstrap": { "dcs": dynamic(cluster) },
    })
}

/// What one instance has of its own: file `~postgres-operator_instance.yaml`.
#[must_use]
pub fn instance_file(cluster: &Cluster, instance: &InstanceName, wal_directory: &str) -> Value {
    let mut file = json!({
        "name": instance.pod(),
        "bootstrap": {
            "method": "initdb",
            "initdb": ["data-checksums", { "encoding": "UTF8" }, { "waldir": wal_directory }],
            // From here on this is a database, whatever happens (start.sh): for good before it gets its first client.
            "post_bootstrap": format!(
                "sh -c 'rm -f \"$0\" && sync \"${{0%/*}}\"' {}",
                scripts::unborn(&cluster.data_directory())
            ),
        },
        "postgresql": {
            "create_replica_methods": ["basebackup"],
            // A checkpoint that is spread over minutes would only delay the copy.
            "basebackup": [{ "waldir": wal_directory }, { "checkpoint": "fast" }],
            "data_dir": cluster.data_directory(),
        },
    });
    // What is in the local file wins over the cluster's store, so one of the user's would be lost.
    if cluster.patroni.dynamic_configuration.get("postgresql").and_then(|own| own.get(BEFORE_STOP)).is_none()
    {
        let command = format!("sh -c '{STOP}' {}/postmaster.pid", cluster.data_directory());
        file["postgresql"][BEFORE_STOP] = command.into();
    }
    file
}

/// What an image without the audit library needs on top: file `~postgres-operator_without-pgaudit.yaml`.
#[must_use]
pub fn without_audit_file(cluster: &Cluster) -> Value {
    let libraries = parameters::preload_without_audit(&merged_parameters(cluster));
    json!({ "postgresql": { "parameters": { "shared_preload_libraries": libraries } } })
}

/// The dynamic configuration, which Patroni keeps in the cluster's store and applies to every instance.
#[must_use]
pub fn dynamic(cluster: &Cluster) -> Value {
    let mut root = cluster.patroni.dynamic_configuration.clone();
    root.insert("ttl".into(), cluster.patroni.leader_lease_seconds.into());
    root.insert("loop_wait".into(), cluster.patroni.sync_period_seconds.into());

    if let Some(standby) = &cluster.standby {
        let other = json!({
            "host": standby.host, "port": standby.port, "create_replica_methods": ["basebackup"],
        });
        root.insert("standby_cluster".into(), other);
    }

    let mut postgresql = object(root.remove("postgresql"));
    let user_lines: Vec<String> = match postgresql.remove("pg_hba") {
        Some(Value::Array(lines)) => {
            lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    let rules: Vec<String> = cluster.hba_rules.iter().cloned().chain(user_lines).collect();
    postgresql.insert("parameters".into(), json!(merged_parameters(cluster)));
    postgresql.insert("pg_hba".into(), json!(hba::lines(&rules, cluster.pgbouncer.is_some())));
    postgresql.entry("use_pg_rewind").or_insert(true.into());
    // The primary makes the slot of a new replica at its next look only, seconds after the replica could have begun to follow.
    // Patroni keeps 128 MB of the log instead (`wal_keep_size`).
    postgresql.entry("use_slots").or_insert(false.into());
    root.insert("postgresql".into(), Value::Object(postgresql));
    Value::Object(root)
}

fn merged_parameters(cluster: &Cluster) -> parameters::Parameters {
    let dynamic = cluster
        .patroni
        .dynamic_configuration
        .get("postgresql")
        .and_then(|postgresql| postgresql.get("parameters"))
        .and_then(Value::as_object)
        .map(|map| map.iter().map(|(name, value)| (name.clone(), scalar(value))).collect());
    parameters::merge(parameters::Sources { spec: Some(&cluster.parameters), dynamic: dynamic.as_ref() })
}

/// A parameter as PostgreSQL reads it; YAML lets users write numbers and booleans without quotes.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        other => other.to_string(),
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
