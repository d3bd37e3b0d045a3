//! Tests of the types: nothing that the schema accepts is lost on its way through them.

use k8s_openapi::api::core::v1::{PersistentVolumeClaimSpec, ResourceRequirements};
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    api::schema::tests::{at, schemas},
    domain::quantity::Quantity,
};

const FULL: &str = include_str!("../../../tests/fixtures/postgrescluster-full.yaml");

const HIPPO: &str = "
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata:
  name: hippo
spec:
  postgresVersion: 17
  instances:
    - name: instance1
      dataVolumeClaimSpec:
        accessModes:
        - ReadWriteOnce
        resources:
          requests:
            storage: 1Gi
";

const HIPPO_BACKUPS: &str = "
  backups:
    pgbackrest:
      repos:
      - name: repo1
        volume:
          volumeClaimSpec:
            accessModes:
            - ReadWriteOnce
            resources:
              requests:
                storage: 1Gi
";

fn read(yaml: &str) -> PostgresCluster {
    serde_saphyr::from_str(yaml).unwrap()
}

fn round_trip(value: &Value) -> Value {
    let cluster: PostgresCluster = serde_json::from_value(value.clone()).unwrap();
    serde_json::to_value(cluster).unwrap()
}

/// Whether the value has anything at a path of the schema, such as `.spec.instances[].resources.limits{}`.
fn has(value: &Value, path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    if let Some(rest) = path.strip_prefix("[]") {
        return value.as_array().is_some_and(|items| items.iter().any(|item| has(item, rest)));
    }
    if let Some(rest) = path.strip_prefix("{}") {
        return value.as_object().is_some_and(|fields| fields.values().any(|field| has(field, rest)));
    }
    let path = path.strip_prefix('.').unwrap();
    let end = path.find(['.', '[', '{']).unwrap_or(path.len());
    let (field, rest) = path.split_at(end);
    value.get(field).is_some_and(|field| has(field, rest))
}

/// A value that has everything the schema knows.
fn sample(path: &str, schema: &Value) -> Value {
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let field = |name: &String| {
            let path = format!("{path}.{name}");
            (name.clone(), sample(&path, at(&path)))
        };
        return properties.keys().map(field).collect::<Map<_, _>>().into();
    }
    if schema["items"].is_object() {
        return json!([sample(&format!("{path}[]"), &schema["items"])]);
    }
    if schema["additionalProperties"].is_object() {
        return json!({ "some-key": sample(&format!("{path}{{}}"), &schema["additionalProperties"]) });
    }
    if let Some(choices) = schema["enum"].as_array() {
        return choices[choices.len() - 1].clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("date-time")) => json!("2026-05-01T08:00:00Z"),
        (Some("string"), _) => json!(format!("text of {path}")),
        (Some("integer"), _) => json!(7),
        (Some("boolean"), _) => json!(true),
        (Some("object"), _) => json!({ "free": [1, "two", null] }),
        (None, _) if schema["x-kubernetes-int-or-string"] == true => json!("42"),
        other => panic!("no sample for {path}: {other:?}"),
    }
}

#[test]
fn a_manifest_with_every_field_is_kept_as_it_is() {
    let full: Value = serde_saphyr::from_str(FULL).unwrap();
    assert_eq!(round_trip(&full), full);

    // Our own fields are those with a description. The one left out here can't be set, a rule forbids it.
    let forbidden = ".spec.dataSource.pgbackrest.repo.volume";
    for (path, schema) in schemas() {
        let ours = schema["description"].is_string() && !path.starts_with(forbidden);
        assert!(!ours || has(&full, path), "tests/fixtures/postgrescluster-full.yaml lacks {path}");
    }
}

#[test]
fn everything_the_schema_accepts_is_kept() {
    let mut everything = json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": { "name": "everything" },
    });
    for section in ["spec", "status"] {
        let path = format!(".{section}");
        everything[section] = sample(&path, at(&path));
    }
    for (path, _) in schemas().filter(|(path, _)| path.starts_with(".spec") || path.starts_with(".status")) {
        assert!(has(&everything, path), "the sample lacks {path}");
    }
    assert_eq!(round_trip(&everything), everything);
}

#[test]
fn the_first_cluster_of_the_guide_is_read() {
    let hippo = read(HIPPO);
    assert_eq!(hippo.metadata.name.as_deref(), Some("hippo"));
    let spec = &hippo.spec;
    assert_eq!((spec.postgres_version, spec.port), (17, 5432));
    assert_eq!((&spec.users, &spec.backups, &spec.patroni), (&None, &None, &None));
    assert!(!spec.is_paused() && !spec.is_shut_down());
    let [instance] = spec.instances.as_slice() else { panic!("{:?}", spec.instances) };
    assert_eq!((instance.name.as_str(), instance.replicas), ("instance1", 1));
    let claim = &instance.data_volume_claim_spec;
    assert_eq!(claim.access_modes, ["ReadWriteOnce"]);
    assert_eq!(claim.storage_request().map(Quantity::as_str), Some("1Gi"));

    let backed_up = read(&format!("{HIPPO}{HIPPO_BACKUPS}"));
    let repos = backed_up.spec.backups.unwrap().pgbackrest.unwrap().repos;
    assert_eq!(repos[0].name, "repo1");
    assert_eq!(
        repos[0].volume.as_ref().unwrap().volume_claim_spec.storage_request(),
        Some(&"1024Mi".parse().unwrap())
    );
}

#[test]
fn a_key_with_nothing_after_it_is_an_absent_key() {
    let nothing = "  port:\n  users:\n  patroni:\n  imagePullSecrets:\n  supplementalGroups:\n";
    assert_eq!(read(&format!("{HIPPO}{nothing}")), read(HIPPO));

    let patroni: Patroni =
        serde_json::from_value(json!({ "port": null, "syncPeriodSeconds": null })).unwrap();
    assert_eq!(patroni, Patroni::default());
    let set: InstanceSet =
        serde_json::from_value(json!({ "name": null, "replicas": null, "dataVolumeClaimSpec": {} })).unwrap();
    assert_eq!((set.name.as_str(), set.replicas), ("", 1));
    let standby: Standby = serde_json::from_value(json!({ "enabled": null })).unwrap();
    assert!(standby.enabled, "a standby section alone makes a standby");
}

#[test]
fn defaults_of_types_are_those_of_the_schema() {
    let read: Patroni = serde_json::from_value(json!({})).unwrap();
    assert_eq!(read, Patroni::default());
    for (name, value) in serde_json::to_value(Patroni::default()).unwrap().as_object().unwrap() {
        assert_eq!(at(&format!(".spec.patroni.{name}"))["default"], *value, "{name}");
    }
    assert_eq!(read, *PostgresCluster::new("hippo", super::tests::read(HIPPO).spec).spec.patroni_settings());
}

#[test]
fn no_users_and_an_empty_list_of_users_differ() {
    let with_none = read(&format!("{HIPPO}  users: []\n"));
    assert_eq!(with_none.spec.users, Some(Vec::new()));
    assert_eq!(serde_json::to_value(&with_none).unwrap()["spec"]["users"], json!([]));
    assert_eq!(serde_json::to_value(read(HIPPO)).unwrap()["spec"].get("users"), None);
}

#[test]
fn instance_sets_without_a_name_go_by_their_position() {
    let mut set = read(HIPPO).spec.instances.remove(0);
    assert_eq!(set.name_at(0), "instance1");
    set.name.clear();
    assert_eq!(set.name_at(0), "00");
    assert_eq!(set.name_at(11), "11");
}

#[test]
fn amounts_may_be_written_as_numbers_everywhere() {
    let hippo = read(&format!(
        "{HIPPO}      resources:
        limits: {{ cpu: 2 }}
      containers:
      - name: helper
        resources: {{ limits: {{ cpu: 2, memory: 1000000000 }} }}
        env:
        - name: CPU
          valueFrom: {{ resourceFieldRef: {{ resource: limits.cpu, divisor: 1 }} }}
"
    ));
    let instance = serde_json::to_value(&hippo.spec.instances[0]).unwrap();
    assert_eq!(instance["resources"]["limits"]["cpu"], "2");
    let container = &instance["containers"][0];
    assert_eq!(container["resources"]["limits"], json!({ "cpu": "2", "memory": "1000000000" }));
    assert_eq!(container["env"][0]["valueFrom"]["resourceFieldRef"]["divisor"], "1");
}

#[test]
fn parameters_are_whole_numbers_or_text() {
    let config: PostgresConfig = serde_json::from_value(json!({
        "parameters": { "wal_keep_size": 10_000_000_000_i64, "work_mem": "8MB" }
    }))
    .unwrap();
    assert_eq!(config.parameters["wal_keep_size"], IntOrText::Int(10_000_000_000));
    assert_eq!(config.parameters["wal_keep_size"].to_string(), "10000000000");
    assert_eq!(config.parameters["work_mem"].to_string(), "8MB");

    let error = serde_json::from_value::<IntOrText>(json!(true)).unwrap_err().to_string();
    assert!(error.contains("in quotes"), "{error}");
    assert!(serde_json::from_value::<IntOrText>(json!(u64::MAX)).is_err());
}

#[test]
fn claims_and_resources_become_those_of_kubernetes() {
    let full = read(FULL);
    let set = &full.spec.instances[0];
    let claim = PersistentVolumeClaimSpec::from(&set.data_volume_claim_spec);
    assert_eq!(
        serde_json::to_value(claim).unwrap(),
        serde_json::to_value(&set.data_volume_claim_spec).unwrap(),
        "both are spelled alike"
    );
    let resources = set.resources.as_ref().unwrap();
    assert_eq!(
        serde_json::to_value(ResourceRequirements::from(resources)).unwrap(),
        serde_json::to_value(resources).unwrap()
    );
    assert_eq!(ResourceRequirements::from(&Resources::default()), ResourceRequirements::default());
    assert_eq!(
        PersistentVolumeClaimSpec::from(&VolumeClaimSpec::default()),
        PersistentVolumeClaimSpec::default()
    );
}

#[test]
fn choices_are_spelled_as_kubernetes_spells_them() {
    for (choice, json) in [
        (ServiceType::ClusterIP.to_string(), json!(ServiceType::ClusterIP)),
        (ServiceType::LoadBalancer.to_string(), json!(ServiceType::LoadBalancer)),
        (TrafficPolicy::Local.to_string(), json!(TrafficPolicy::Local)),
        (IpFamilyPolicy::PreferDualStack.to_string(), json!(IpFamilyPolicy::PreferDualStack)),
        (PullPolicy::IfNotPresent.to_string(), json!(PullPolicy::IfNotPresent)),
        (PasswordType::Ascii.to_string(), json!(PasswordType::Ascii)),
        (PasswordType::AlphaNumeric.to_string(), json!(PasswordType::AlphaNumeric)),
        (LogLevel::NotSet.to_string(), json!(LogLevel::NotSet)),
        (SwitchoverType::Failover.to_string(), json!(SwitchoverType::Failover)),
    ] {
        assert_eq!(json!(choice), json);
    }
}
