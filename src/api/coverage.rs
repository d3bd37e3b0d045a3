//! Fields that are accepted but do nothing yet, so that nobody finds out by losing data.
//!
//! Every field of the specification is either in [`SUPPORTED`] or in [`NOTES`]; a test walks the schema and holds
//! this page to it. `docs/reference/fields-without-effect.md` is generated from the table.

use serde_json::Value;

/// What the operator does with a cluster that sets a field without effect.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, strum::Display, strum::IntoStaticStr)]
pub enum Effect {
    /// Nothing is done to the cluster until the field is gone, since going on without it could harm data.
    Refused,
    /// The cluster is run as if the field weren't there, and an event says so.
    Ignored,
}

/// A field, with all fields below it, that does nothing yet.
#[derive(Debug, Eq, PartialEq)]
pub struct FieldNote {
    /// Where the field is: names joined by dots, with `[]` after a list.
    pub path: &'static str,
    /// What the operator does with a cluster that sets it.
    pub effect: Effect,
    /// What happens instead, for the cluster's owner.
    pub instead: &'static str,
}

/// All fields that do nothing yet.
pub const NOTES: &[FieldNote] = &[
    FieldNote {
        path: "spec.dataSource.pgbackrest",
        effect: Effect::Refused,
        instead: "The cluster would start empty, and applications would take it for the restored one. Remove the \
                  field to start empty on purpose.",
    },
    FieldNote {
        path: "spec.dataSource.postgresCluster",
        effect: Effect::Refused,
        instead: "The cluster would start empty, and applications would take it for the restored one. Remove the \
                  field to start empty on purpose.",
    },
    FieldNote {
        path: "spec.dataSource.volumes.pgBackRestVolume",
        effect: Effect::Refused,
        instead: "The repository would be left behind, and with it every backup. Remove the field to go on without it.",
    },
    FieldNote {
        path: "spec.backups",
        effect: Effect::Ignored,
        instead: "NO BACKUPS ARE MADE and no write-ahead log is archived, so lost data can't be restored. Back the \
                  cluster up by other means, for example with pg_dump or pg_basebackup.",
    },
    FieldNote {
        path: "spec.instances[].sidecars",
        effect: Effect::Ignored,
        instead: "There is no such container: instances read replication certificates where they are mounted.",
    },
    FieldNote {
        path: "spec.instances[].volumes",
        effect: Effect::Ignored,
        instead: "Temporary files are on the data volume.",
    },
    FieldNote {
        path: "spec.instrumentation",
        effect: Effect::Ignored,
        instead: "No collector runs; logs are those of the containers.",
    },
    FieldNote {
        path: "spec.monitoring",
        effect: Effect::Ignored,
        instead: "No exporter runs next to the instances.",
    },
    FieldNote {
        path: "spec.patroni.logging",
        effect: Effect::Ignored,
        instead: "Patroni writes to the log of the database container, at its own level.",
    },
    FieldNote {
        path: "spec.postGISVersion",
        effect: Effect::Ignored,
        instead: "The image is used as it is. Create the extension with SQL; the image must have it.",
    },
    FieldNote {
        path: "spec.proxy.pgBouncer.sidecars",
        effect: Effect::Ignored,
        instead: "There is no such container: PgBouncer's own reloads the configuration.",
    },
    FieldNote { path: "spec.userInterface", effect: Effect::Ignored, instead: "No pgAdmin runs." },
];

/// All fields that do what they say, each with all fields below it.
pub const SUPPORTED: &[&str] = &[
    "spec.authentication",
    "spec.config.files",
    "spec.config.parameters",
    "spec.customReplicationTLSSecret",
    "spec.customTLSSecret",
    "spec.dataSource.volumes.pgDataVolume",
    "spec.dataSource.volumes.pgWALVolume",
    "spec.databaseInitSQL",
    "spec.disableDefaultPodScheduling",
    "spec.image",
    "spec.imagePullPolicy",
    "spec.imagePullSecrets",
    "spec.instances[].affinity",
    "spec.instances[].containers",
    "spec.instances[].dataVolumeClaimSpec",
    "spec.instances[].metadata",
    "spec.instances[].minAvailable",
    "spec.instances[].name",
    "spec.instances[].priorityClassName",
    "spec.instances[].replicas",
    "spec.instances[].resources",
    "spec.instances[].tablespaceVolumes",
    "spec.instances[].tolerations",
    "spec.instances[].topologySpreadConstraints",
    "spec.instances[].walVolumeClaimSpec",
    "spec.metadata",
    "spec.openshift",
    "spec.patroni.dynamicConfiguration",
    "spec.patroni.leaderLeaseDurationSeconds",
    "spec.patroni.port",
    "spec.patroni.switchover",
    "spec.patroni.syncPeriodSeconds",
    "spec.paused",
    "spec.port",
    "spec.postgresVersion",
    "spec.proxy.pgBouncer.affinity",
    "spec.proxy.pgBouncer.config",
    "spec.proxy.pgBouncer.containers",
    "spec.proxy.pgBouncer.customTLSSecret",
    "spec.proxy.pgBouncer.image",
    "spec.proxy.pgBouncer.metadata",
    "spec.proxy.pgBouncer.minAvailable",
    "spec.proxy.pgBouncer.port",
    "spec.proxy.pgBouncer.priorityClassName",
    "spec.proxy.pgBouncer.replicas",
    "spec.proxy.pgBouncer.resources",
    "spec.proxy.pgBouncer.service",
    "spec.proxy.pgBouncer.tolerations",
    "spec.proxy.pgBouncer.topologySpreadConstraints",
    "spec.replicaService",
    "spec.service",
    "spec.shutdown",
    "spec.standby",
    "spec.supplementalGroups",
    "spec.users",
];

/// The notes on fields that this specification sets: refused ones first, else in the order of their paths.
///
/// Empty objects and lists set nothing.
#[must_use]
pub fn without_effect(spec: &Value) -> Vec<&'static FieldNote> {
    let sets = |note: &&FieldNote| {
        let below = note.path.strip_prefix("spec.").unwrap_or(note.path);
        is_set(spec, &below.split('.').collect::<Vec<_>>())
    };
    NOTES.iter().filter(sets).collect()
}

/// Whether the value has something at the path.
fn is_set(value: &Value, path: &[&str]) -> bool {
    match path {
        [] => match value {
            Value::Null => false,
            Value::Object(object) => !object.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        },
        [field, rest @ ..] => match field.strip_suffix("[]") {
            Some(list) => value
                .get(list)
                .and_then(Value::as_array)
                .is_some_and(|items| items.iter().any(|item| is_set(item, rest))),
            None => value.get(field).is_some_and(|inner| is_set(inner, rest)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Write as _};

    use serde_json::json;

    use super::*;
    use crate::api::{generated::assert_current, schema::tests::spec_leaves};

    /// Whether `path` is `field` or below it.
    fn is_within(path: &str, field: &str) -> bool {
        path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    }

    fn paths_without_effect(spec: &Value) -> Vec<&'static str> {
        without_effect(spec).iter().map(|note| note.path).collect()
    }

    #[test]
    fn every_field_is_supported_or_has_a_note_and_not_both() {
        let fields = || SUPPORTED.iter().copied().chain(NOTES.iter().map(|note| note.path));
        let leaves = spec_leaves();
        for leaf in &leaves {
            let homes: Vec<_> = fields().filter(|field| is_within(leaf, field)).collect();
            assert_eq!(homes.len(), 1, "{leaf} must be below exactly one entry of the two tables: {homes:?}");
        }
        for field in fields() {
            assert!(leaves.iter().any(|leaf| is_within(leaf, field)), "{field} isn't in the schema");
        }
    }

    #[test]
    fn the_tables_are_in_order() {
        assert!(SUPPORTED.is_sorted());
        assert!(NOTES.is_sorted_by_key(|note| (note.effect, note.path)));
    }

    #[test]
    fn a_plain_cluster_has_no_note() {
        let spec = json!({
            "postgresVersion": 17,
            "users": [{ "name": "rhino" }],
            "patroni": { "port": 8009 },
            "config": { "parameters": { "max_connections": 10 } },
            "instances": [{ "name": "one", "dataVolumeClaimSpec": {} }],
        });
        assert_eq!(paths_without_effect(&spec), Vec::<&str>::new());
    }

    #[test]
    fn fields_are_found_in_any_item_of_a_list() {
        let spec = json!({
            "backups": { "pgbackrest": { "repos": [{ "name": "repo1" }] } },
            "instances": [
                { "name": "one" },
                { "name": "two", "sidecars": { "replicaCertCopy": {} }, "volumes": { "temp": {} } },
            ],
        });
        assert_eq!(
            paths_without_effect(&spec),
            ["spec.backups", "spec.instances[].sidecars", "spec.instances[].volumes"]
        );
    }

    #[test]
    fn what_is_empty_sets_nothing() {
        let spec = json!({
            "backups": {},
            "dataSource": null,
            "monitoring": null,
            "instances": [{ "volumes": {}, "sidecars": {} }],
        });
        assert_eq!(paths_without_effect(&spec), Vec::<&str>::new());
        assert_eq!(paths_without_effect(&json!({ "postGISVersion": "3.4" })), ["spec.postGISVersion"]);
    }

    #[test]
    fn the_reference_page_is_current() {
        let mut page = String::from(
            "# Fields without effect\n\n\
             <!-- Generated from src/api/coverage.rs: UPDATE=1 cargo test --release --lib api -->\n\n\
             A `PostgresCluster` may set every field of the resource, so that manifests apply unchanged. The fields\n\
             below are stored but do nothing yet. Every field that isn't listed works.\n",
        );
        let about = [
            (
                Effect::Refused,
                "Refused",
                "A cluster that sets one of these is left as it is, and an event and its \
              condition `Accepted` say why.",
            ),
            (
                Effect::Ignored,
                "Ignored",
                "A cluster that sets one of these runs as if it didn't, and a warning event \
              says so.",
            ),
        ];
        for (effect, title, text) in about {
            write!(page, "\n## {title}\n\n{text}\n\n| field | what happens instead |\n| --- | --- |\n")
                .unwrap();
            for note in NOTES.iter().filter(|note| note.effect == effect) {
                writeln!(page, "| `{}` | {} |", note.path, note.instead).unwrap();
            }
        }
        let listed: BTreeSet<_> = NOTES.iter().map(|note| note.path).collect();
        assert_eq!(listed.len(), NOTES.len(), "a field has two notes");
        assert_current("docs/reference/fields-without-effect.md", &page);
    }
}
