//! Tests of the definitions: what an API server would refuse, and what users were promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::*;
use crate::api::generated::assert_current;

/// A schema of the definition with the path it is at, such as `.spec.instances[].name`.
fn visit(schema: &Value, path: &str, visitor: &mut impl FnMut(&str, &Value)) {
    visitor(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(property, &format!("{path}.{name}"), visitor);
    }
    if schema["items"].is_object() {
        visit(&schema["items"], &format!("{path}[]"), visitor);
    }
    if schema["additionalProperties"].is_object() {
        visit(&schema["additionalProperties"], &format!("{path}{{}}"), visitor);
    }
}

/// All schemas of the definition, by their paths.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let manifest = manifest(&definition()).unwrap();
    let mut all = BTreeMap::new();
    visit(&manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "", &mut |path, schema| {
        all.insert(path.to_owned(), schema.clone());
    });
    all
});

pub(crate) fn schemas() -> impl Iterator<Item = (&'static str, &'static Value)> {
    SCHEMAS.iter().map(|(path, schema)| (path.as_str(), schema))
}

pub(crate) fn at(path: &str) -> &'static Value {
    SCHEMAS.get(path).unwrap_or_else(|| panic!("the schema has no {path}"))
}

/// Paths of everything below `section` that holds a value of its own: scalars, free objects, maps and lists of these.
pub(crate) fn leaves(section: &str) -> BTreeSet<String> {
    let is_leaf = |schema: &Value| {
        !schema["properties"].is_object()
            && !schema["items"].is_object()
            && !schema["additionalProperties"].is_object()
    };
    schemas()
        .filter(|(path, schema)| path.starts_with(&format!(".{section}.")) && is_leaf(schema))
        .map(|(path, _)| path[1..].to_owned())
        .collect()
}

/// Paths of all leaves of the specification, from `spec.` on.
pub(crate) fn spec_leaves() -> BTreeSet<String> {
    leaves("spec")
}

#[test]
fn the_manifest_is_current() {
    let yaml = serde_saphyr::to_string(&manifest(&definition()).unwrap()).unwrap();
    let manifest = format!(
        "# Generated from the types in src/api/postgres_cluster: UPDATE=1 cargo test --release --lib api\n{yaml}"
    );
    let read: Value = serde_saphyr::from_str(&manifest).unwrap();
    assert_eq!(
        read,
        super::manifest(&definition()).unwrap(),
        "the YAML says something else than the definition"
    );
    assert_current("manifests/crds/postgrescluster.yaml", &manifest);
}

#[test]
fn a_plain_kubectl_apply_can_hold_the_definition() {
    // kubectl keeps the whole object in an annotation; annotations may have 262144 bytes together.
    let size = serde_json::to_string(&manifest(&definition()).unwrap()).unwrap().len();
    assert!(size <= 250_000, "{size} bytes");
}

#[test]
fn the_manifest_is_the_definition() {
    let read: CustomResourceDefinition = serde_json::from_value(manifest(&definition()).unwrap()).unwrap();
    assert_eq!(read, definition());
    assert_eq!(definitions().len(), 1);
}

#[test]
fn every_schema_is_structural() {
    for (path, schema) in schemas() {
        let schema = schema.as_object().unwrap();
        let typed = schema.contains_key("type") || schema.contains_key("x-kubernetes-int-or-string");
        assert!(typed, "{path} has no type");
        for keyword in ["$ref", "nullable", "title", "anyOf", "oneOf", "allOf", "not"] {
            assert!(!schema.contains_key(keyword), "{path} has {keyword}");
        }
        if schema.get("type") == Some(&"array".into()) {
            assert!(schema.contains_key("items"), "{path} has no items");
        }
    }
}

#[test]
fn formats_are_those_kubernetes_knows() {
    let formats: BTreeSet<_> =
        schemas().filter_map(|(_, schema)| schema["format"].as_str().map(str::to_owned)).collect();
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), ["date-time", "duration", "int32", "int64"]);
}

#[test]
fn numbers_are_whole() {
    let text = manifest(&definition()).unwrap().to_string();
    assert!(!text.contains(".0,") && !text.contains(".0}"), "a limit is a fraction");
    assert_eq!(at(".spec.port")["minimum"].to_string(), "1024");
}

#[test]
fn fractions_stay_fractions() {
    let mut value = json!([1.0, 1.5, "1.0", -2.0]);
    make_whole(&mut value);
    assert_eq!(value.to_string(), r#"[1,1.5,"1.0",-2]"#);
}

#[test]
fn our_fields_are_described_in_a_line_and_core_types_are_not() {
    let mut described = 0;
    for (path, schema) in schemas() {
        if let Some(description) = schema["description"].as_str() {
            described += 1;
            assert!(!description.contains('\n') && description.len() <= 120, "{path}: {description}");
        }
    }
    assert!(described > 300, "only {described} descriptions are left");
    for field in
        [".spec", ".spec.instances", ".spec.instances[].affinity", ".status.conditions", ".spec.users[].name"]
    {
        assert!(at(field)["description"].is_string(), "{field} has no description");
    }
    for (field, word) in [
        ("service.externalTrafficPolicy", "outside"),
        ("service.internalTrafficPolicy", "inside"),
        ("imagePullPolicy", "Kubernetes"),
    ] {
        let description = at(&format!(".spec.{field}"))["description"].as_str().unwrap();
        assert!(description.contains(word), "{field} has the description of its type: {description}");
    }
    let core = [
        ".spec.instances[].affinity.nodeAffinity",
        ".spec.instances[].containers[].image",
        ".spec.imagePullSecrets[].name",
        ".status.conditions[].reason",
        ".status.pgbackrest.restore.startTime",
    ];
    for field in &core[..4] {
        assert_eq!(at(field)["description"], Value::Null, "{field}");
    }
    assert!(at(core[4])["description"].is_string(), "the field is ours, although its type isn't");
}

#[test]
fn keys_of_lists_are_required_or_have_a_default() {
    let mut lists = BTreeSet::new();
    for (path, schema) in schemas() {
        for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
            let key = key.as_str().unwrap();
            let items = &schema["items"];
            let required = items["required"].as_array().is_some_and(|fields| fields.contains(&key.into()));
            assert!(
                required || !items["properties"][key]["default"].is_null(),
                "{path} has no certain {key}"
            );
            assert_eq!(schema["x-kubernetes-list-type"], "map", "{path}");
            lists.insert(format!("{path} by {key}"));
        }
    }
    for expected in [
        ".spec.backups.pgbackrest.repos by name",
        ".spec.instances by name",
        ".spec.instances[].tablespaceVolumes by name",
        ".spec.instrumentation.config.detectors by name",
        ".spec.users by name",
        ".status.conditions by type",
        ".status.instances by name",
        ".status.pgbackrest.repos by name",
    ] {
        assert!(lists.contains(expected), "{expected} is missing in {lists:?}");
    }
}

#[test]
fn the_server_fills_in_the_promised_defaults() {
    let defaults: Vec<_> = schemas()
        .filter(|(path, schema)| {
            // Whether embedded references need a name is not ours to promise, but for the Secrets below.
            !schema["default"].is_null() && (schema["default"] != "" || *path == ".spec.instances[].name")
        })
        .map(|(path, schema)| (path, schema["default"].clone()))
        .collect();
    let promised = [
        (".spec.backups.pgbackrest.restore.enabled", json!(false)),
        (".spec.dataSource.pgbackrest.stanza", json!("db")),
        (".spec.instances[].name", json!("")),
        (".spec.instances[].replicas", json!(1)),
        (".spec.instrumentation.logs.batches.maxDelay", json!("200ms")),
        (".spec.instrumentation.logs.batches.minRecords", json!(8192)),
        (".spec.instrumentation.metrics.customQueries.add[].collectionInterval", json!("5s")),
        (".spec.patroni.leaderLeaseDurationSeconds", json!(30)),
        (".spec.patroni.logging.level", json!("INFO")),
        (".spec.patroni.port", json!(8008)),
        (".spec.patroni.switchover.type", json!("Switchover")),
        (".spec.patroni.syncPeriodSeconds", json!(10)),
        (".spec.port", json!(5432)),
        (".spec.proxy.pgBouncer.port", json!(5432)),
        (".spec.proxy.pgBouncer.replicas", json!(1)),
        (".spec.proxy.pgBouncer.service.type", json!("ClusterIP")),
        (".spec.replicaService.type", json!("ClusterIP")),
        (".spec.service.type", json!("ClusterIP")),
        (".spec.standby.enabled", json!(true)),
        (".spec.userInterface.pgAdmin.replicas", json!(1)),
        (".spec.userInterface.pgAdmin.service.type", json!("ClusterIP")),
        (".spec.users[].password.type", json!("ASCII")),
    ];
    assert_eq!(defaults, promised);
    for secret in
        [".spec.customTLSSecret", ".spec.customReplicationTLSSecret", ".spec.proxy.pgBouncer.customTLSSecret"]
    {
        assert_eq!(at(&format!("{secret}.name"))["default"], "");
        assert_eq!(at(secret)["required"], Value::Null);
    }
}

#[test]
fn limits_are_as_promised() {
    let policies = json!(["Cluster", "Local"]);
    let families = json!(["SingleStack", "PreferDualStack", "RequireDualStack"]);
    let kinds = json!(["ClusterIP", "NodePort", "LoadBalancer"]);
    for (path, keyword, value) in [
        (".spec.authentication.rules", "maxItems", json!(10)),
        (".spec.authentication.rules[].connection", "pattern", json!("^[-a-z0-9]+$")),
        (".spec.authentication.rules[].connection", "maxLength", json!(20)),
        (".spec.authentication.rules[].databases", "maxItems", json!(20)),
        (".spec.authentication.rules[].method", "pattern", json!("^[-a-z0-9]+$")),
        (".spec.authentication.rules[].users", "maxItems", json!(20)),
        (".spec.backups.pgbackrest.jobs.ttlSecondsAfterFinished", "minimum", json!(60)),
        (".spec.backups.pgbackrest.repos", "minItems", json!(1)),
        (".spec.backups.pgbackrest.repos[].name", "pattern", json!("^repo[1-4]$")),
        (".spec.backups.snapshots.volumeSnapshotClassName", "minLength", json!(1)),
        (".spec.imagePullPolicy", "enum", json!(["Always", "Never", "IfNotPresent"])),
        (".spec.instances", "minItems", json!(1)),
        (".spec.instances[].name", "pattern", json!("^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")),
        (".spec.instances[].replicas", "minimum", json!(1)),
        (".spec.instances[].tablespaceVolumes[].name", "pattern", json!("^[a-z][a-z0-9]*$")),
        (".spec.instrumentation.config.detectors", "maxItems", json!(10)),
        (".spec.instrumentation.config.environmentVariables", "minItems", json!(1)),
        (".spec.instrumentation.config.files", "minItems", json!(1)),
        (".spec.instrumentation.logs.batches.maxDelay", "format", json!("duration")),
        (".spec.instrumentation.logs.batches.maxRecords", "minimum", json!(1)),
        (".spec.instrumentation.logs.exporters", "minItems", json!(1)),
        (".spec.instrumentation.logs.retentionPeriod", "maxLength", json!(20)),
        (".spec.patroni.leaderLeaseDurationSeconds", "minimum", json!(3)),
        (
            ".spec.patroni.logging.level",
            "enum",
            json!(["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"]),
        ),
        (".spec.patroni.port", "minimum", json!(1024)),
        (".spec.patroni.switchover.type", "enum", json!(["Switchover", "Failover"])),
        (".spec.patroni.syncPeriodSeconds", "minimum", json!(1)),
        (".spec.port", "minimum", json!(1024)),
        (".spec.postgresVersion", "minimum", json!(11)),
        (".spec.postgresVersion", "maximum", json!(18)),
        (".spec.proxy.pgBouncer.replicas", "minimum", json!(0)),
        (".spec.service.externalTrafficPolicy", "enum", policies.clone()),
        (".spec.service.internalTrafficPolicy", "enum", policies),
        (".spec.service.ipFamilyPolicy", "enum", families),
        (".spec.service.type", "enum", kinds),
        (".spec.standby.port", "minimum", json!(1024)),
        (".spec.userInterface.pgAdmin.replicas", "maximum", json!(1)),
        (".spec.users", "maxItems", json!(64)),
        (".spec.users[].name", "pattern", json!("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")),
        (".spec.users[].name", "maxLength", json!(63)),
        (".spec.users[].options", "pattern", json!("^[^;]*$")),
        (".spec.users[].options", "maxLength", json!(200)),
        (".spec.users[].password.type", "enum", json!(["ASCII", "AlphaNumeric"])),
        (".status.observedGeneration", "minimum", json!(0)),
    ] {
        assert_eq!(at(path)[keyword], value, "{keyword} of {path}");
    }
}

#[test]
fn nothing_is_required_but_what_was_always_required() {
    let mut required = Vec::new();
    for (path, schema) in schemas() {
        // Fields of core types, which have no descriptions, are not ours; claims occur wherever resources do.
        let ours = |field: &&str| {
            !schema["properties"][*field]["description"].is_null() && !path.ends_with(".resources.claims[]")
        };
        let fields = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        required.extend(fields.filter(ours).map(|field| format!("{path}.{field}")));
    }
    let repo = |repo: &str| {
        [
            "azure.container",
            "gcs.bucket",
            "s3.bucket",
            "s3.endpoint",
            "s3.region",
            "volume.volumeClaimSpec",
            "name",
        ]
        .map(|field| format!("{repo}.{field}"))
    };
    let mut expected: Vec<_> = [
        ".spec",
        ".spec.instances",
        ".spec.postgresVersion",
        ".spec.backups.pgbackrest.manual.repoName",
        ".spec.backups.pgbackrest.repos",
        ".spec.backups.pgbackrest.restore.repoName",
        ".spec.backups.snapshots.volumeSnapshotClassName",
        ".spec.dataSource.pgbackrest.repo",
        ".spec.dataSource.postgresCluster.repoName",
        ".spec.dataSource.volumes.pgBackRestVolume.pvcName",
        ".spec.dataSource.volumes.pgDataVolume.pvcName",
        ".spec.dataSource.volumes.pgWALVolume.pvcName",
        ".spec.databaseInitSQL.key",
        ".spec.databaseInitSQL.name",
        ".spec.instances[].dataVolumeClaimSpec",
        ".spec.instances[].tablespaceVolumes[].dataVolumeClaimSpec",
        ".spec.instances[].tablespaceVolumes[].name",
        ".spec.instrumentation.config.detectors[].name",
        ".spec.instrumentation.metrics.customQueries.add[].name",
        ".spec.instrumentation.metrics.customQueries.add[].queries",
        ".spec.instrumentation.metrics.customQueries.add[].queries.key",
        ".spec.instrumentation.metrics.customQueries.add[].queries.name",
        ".spec.patroni.logging.storageLimit",
        ".spec.patroni.switchover.enabled",
        ".spec.proxy.pgBouncer",
        ".spec.userInterface.pgAdmin",
        ".spec.userInterface.pgAdmin.dataVolumeClaimSpec",
        ".spec.users[].name",
        ".status.instances[].name",
        ".status.pgbackrest.manualBackup.finished",
        ".status.pgbackrest.manualBackup.id",
        ".status.pgbackrest.repos[].name",
        ".status.pgbackrest.restore.finished",
        ".status.pgbackrest.restore.id",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(repo(".spec.backups.pgbackrest.repos[]"))
    .chain(repo(".spec.dataSource.pgbackrest.repo"))
    .collect();
    required.sort();
    expected.sort();
    assert_eq!(required, expected);
}

#[test]
fn every_rule_says_what_to_do() {
    let mut with_rules = BTreeSet::new();
    for (path, schema) in schemas() {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            assert!(rule["rule"].as_str().is_some_and(|rule| !rule.contains("  ")), "{path}: {rule}");
            assert!(rule["message"].as_str().is_some_and(|message| message.len() > 10), "{path}: {rule}");
            with_rules.insert(path);
        }
    }
    for expected in [
        ".spec.authentication.rules[]",
        ".spec.authentication.rules[].hba",
        ".spec.authentication.rules[].method",
        ".spec.backups.pgbackrest.repos[].volume.volumeClaimSpec",
        ".spec.config.parameters",
        ".spec.dataSource.pgbackrest",
        ".spec.instances[].dataVolumeClaimSpec",
        ".spec.instances[].tablespaceVolumes[].dataVolumeClaimSpec",
        ".spec.instances[].volumes.temp",
        ".spec.instances[].walVolumeClaimSpec",
        ".spec.instrumentation.logs.batches",
        ".spec.instrumentation.logs.batches.maxDelay",
        ".spec.instrumentation.logs.retentionPeriod",
        ".spec.userInterface.pgAdmin.dataVolumeClaimSpec",
        ".spec.users[].options",
    ] {
        assert!(with_rules.contains(expected), "{expected} has no rule");
    }
}

#[test]
fn only_free_objects_keep_unknown_fields() {
    let free: Vec<_> = schemas()
        .filter(|(_, schema)| schema["x-kubernetes-preserve-unknown-fields"] == true)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(
        free,
        [
            ".spec.instrumentation.config.exporters",
            ".spec.patroni.dynamicConfiguration",
            ".spec.userInterface.pgAdmin.config.settings"
        ]
    );
}

#[test]
fn amounts_may_be_numbers() {
    for path in [
        ".spec.instances[].resources.limits{}",
        ".spec.instances[].containers[].resources.requests{}",
        ".spec.instances[].containers[].env[].valueFrom.resourceFieldRef.divisor",
        ".spec.patroni.logging.storageLimit",
        ".spec.config.parameters{}",
        ".spec.instances[].minAvailable",
    ] {
        assert_eq!(at(path)["x-kubernetes-int-or-string"], true, "{path}");
    }
    assert_eq!(at(".spec.patroni.logging.storageLimit")["pattern"], crate::domain::quantity::PATTERN);
}
