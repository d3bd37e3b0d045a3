use jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json;

use super::{
    super::instances::{self, Plan},
    *,
};
use crate::{desired::secrets::text, operator::test_support};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn plan(cluster: &Cluster) -> Plan {
    instances::plan(cluster, &std::collections::BTreeMap::new(), &mut rand::rng())
}

fn built(cluster: &Cluster, objects: &ClusterObjects, now: Timestamp) -> Desired {
    build(cluster, objects, &plan(cluster), None, now, &mut rand::rng()).unwrap()
}

/// The objects as they would be found afterwards.
fn stored(desired: &Desired) -> ClusterObjects {
    let secrets = desired.secrets.iter().chain(&desired.user_secrets);
    ClusterObjects {
        root_authority: Some(desired.root_authority.clone()),
        secrets: secrets.map(|secret| (secret.name_any(), secret.clone())).collect(),
        ..ClusterObjects::default()
    }
}

/// Every object but the Secrets, whose content differs each time.
#[test]
fn a_cluster_of_one_instance_consists_of_these_objects() {
    let cluster = test_support::cluster();
    let desired = built(&cluster, &ClusterObjects::default(), now());
    insta::assert_yaml_snapshot!("services", desired.services);
    insta::assert_yaml_snapshot!("config_maps", desired.config_maps);
    insta::assert_yaml_snapshot!("volume_claims", desired.volume_claims);
    insta::assert_yaml_snapshot!("stateful_sets", desired.stateful_sets, {
        ".**.command[3]" => "[script]",
    });
    insta::assert_yaml_snapshot!("access", (desired.service_account, desired.role, desired.role_binding));
    assert!(desired.disruption_budgets.is_empty(), "one instance must not block draining its node");
}

#[test]
fn the_policy_of_a_cluster_lets_through_what_it_needs() {
    let network = Network { client_namespaces: None, api_server_ports: [443, 6443].into() };
    let policies = |network: &Network| {
        let cluster = test_support::cluster();
        let plan = plan(&cluster);
        let objects = ClusterObjects::default();
        let mut desired = build(&cluster, &objects, &plan, Some(network), now(), &mut rand::rng()).unwrap();
        desired.network_policies.remove(0)
    };
    insta::assert_yaml_snapshot!("network_policy", policies(&network));
    let clients = |namespaces: &[&str]| {
        let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
        let policy = policies(&Network { client_namespaces: Some(namespaces), ..network.clone() });
        json!(policy.spec.unwrap().ingress.unwrap()[1].from)
    };
    assert_eq!(clients(&[]), json!([{"podSelector": {}}]));
    let listed = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop", "desk"]});
    assert_eq!(
        clients(&["shop", "desk"]),
        json!([{"podSelector": {}}, {"namespaceSelector": {"matchExpressions": [listed]}}])
    );
}

#[test]
fn everything_a_user_can_ask_of_a_pod_is_in_it() {
    let mut spec = test_support::spec();
    spec["metadata"] = json!({"labels": {"team": "keepers"}, "annotations": {"note": "all"}});
    spec["imagePullPolicy"] = json!("Never");
    spec["imagePullSecrets"] = json!([{"name": "registry"}]);
    spec["openshift"] = json!(true);
    spec["supplementalGroups"] = json!([2000]);
    spec["port"] = json!(5433);
    spec["service"] =
        json!({"type": "NodePort", "nodePort": 32000, "metadata": {"labels": {"team": "door"}}});
    spec["customTLSSecret"] = json!({"name": "own-cert"});
    spec["customReplicationTLSSecret"] =
        json!({"name": "own-repl", "items": [{"key": "crt", "path": "tls.crt"}]});
    let set = &mut spec["instances"][0];
    set["replicas"] = json!(2);
    set["metadata"] = json!({"labels": {"size": "big"}});
    set["walVolumeClaimSpec"] = set["dataVolumeClaimSpec"].clone();
    set["resources"] = json!({"limits": {"memory": "1Gi", "cpu": 2}});
    set["priorityClassName"] = json!("high");
    set["tolerations"] = json!([{"key": "db", "operator": "Exists"}]);
    set["minAvailable"] = json!("50%");
    set["containers"] = json!([{"name": "shipper", "image": "localhost/shipper:1"}]);
    let cluster = test_support::cluster_from(&spec);
    let desired = built(&cluster, &ClusterObjects::default(), now());
    assert_eq!(desired.volume_claims.len(), 4);
    assert_eq!(desired.stateful_sets.len(), 2);
    insta::assert_yaml_snapshot!("everything", (
        &desired.stateful_sets[0],
        &desired.services[0],
        &desired.disruption_budgets,
    ), { ".**.command[3]" => "[script]" });
}

#[test]
fn what_is_stored_is_kept() {
    let cluster = test_support::cluster();
    let first = built(&cluster, &ClusterObjects::default(), now());
    let second = built(&cluster, &stored(&first), now() + SignedDuration::from_hours(1));
    assert_eq!(second.root_authority.data, first.root_authority.data);
    assert_eq!(second.secrets, first.secrets);
    assert_eq!(second.user_secrets, first.user_secrets);
}

#[test]
fn certificates_are_renewed_in_time_by_the_same_authority() {
    let cluster = test_support::cluster();
    let first = built(&cluster, &ClusterObjects::default(), now());
    let later = built(&cluster, &stored(&first), now() + SignedDuration::from_hours(24 * 300));
    assert_eq!(later.root_authority.data, first.root_authority.data);
    for (before, after) in first.secrets.iter().zip(&later.secrets) {
        assert_ne!(before.data, after.data, "{}", before.name_any());
    }
    assert_eq!(later.user_secrets, first.user_secrets);
}

#[test]
fn a_password_that_the_user_has_set_is_taken_and_an_emptied_one_replaced() {
    let cluster = test_support::cluster();
    let first = built(&cluster, &ClusterObjects::default(), now());
    let with_password = |password: Option<&str>| {
        let mut objects = stored(&first);
        let secret = objects.secrets.get_mut("rhino-pguser-rhino").unwrap();
        let data = secret.data.as_mut().unwrap();
        match password {
            Some(password) => data.insert("password".into(), k8s_openapi::ByteString(password.into())),
            None => data.remove("password"),
        };
        built(&cluster, &objects, now()).user_secrets.remove(0)
    };
    let original = &first.user_secrets[0];

    let chosen = with_password(Some("k/ö p"));
    assert_eq!(text(&chosen, "password").unwrap(), "k/ö p");
    assert_ne!(text(&chosen, "verifier"), text(original, "verifier"));
    let uri = "postgresql://rhino:k%2F%C3%B6%20p@rhino-primary.zoo.svc:5432/rhino";
    assert_eq!(text(&chosen, "uri").unwrap(), uri);
    assert_eq!(
        text(&chosen, "jdbc-uri").unwrap(),
        "jdbc:postgresql://rhino-primary.zoo.svc:5432/rhino?password=k%2F%C3%B6%20p&user=rhino"
    );

    let emptied = with_password(Some(""));
    assert_eq!(text(&emptied, "password").unwrap().len(), 24);
    assert_ne!(text(&emptied, "password"), text(original, "password"));

    // Only a verifier: its author alone knows the password, so nothing can be said that needs it.
    let unknown = with_password(None);
    assert_eq!(text(&unknown, "verifier"), text(original, "verifier"));
    assert_eq!(text(&unknown, "password"), None);
    assert_eq!(text(&unknown, "uri"), None);
    assert_eq!(text(&unknown, "dbname").unwrap(), "rhino");
}

#[test]
fn clusters_of_a_namespace_share_one_authority() {
    let rhino = test_support::cluster();
    let first = built(&rhino, &ClusterObjects::default(), now());
    let mut gnu = test_support::cluster();
    gnu.owner.uid = "another".into();
    gnu.owner.name = "gnu".into();
    let objects =
        ClusterObjects { root_authority: stored(&first).root_authority, ..ClusterObjects::default() };
    let second = built(&gnu, &objects, now());
    assert_eq!(second.root_authority.data, first.root_authority.data);
    let owners: Vec<&str> =
        second.root_authority.owner_references().iter().map(|owner| owner.name.as_str()).collect();
    assert_eq!(owners, ["rhino", "gnu"]);
    assert!(second.root_authority.owner_references().iter().all(|owner| owner.controller.is_none()));
}

#[test]
fn secrets_hold_the_keys_that_applications_know() {
    let desired = built(&test_support::cluster(), &ClusterObjects::default(), now());
    let keys: Vec<String> = desired
        .secrets
        .iter()
        .chain(&desired.user_secrets)
        .chain([&desired.root_authority])
        .map(|secret| {
            let keys: Vec<&str> = secret.data.as_ref().unwrap().keys().map(String::as_str).collect();
            let name = secret
                .name_any()
                .replace(&test_support::cluster().names.startup_instance("herd").to_string(), "INSTANCE");
            format!("{name}: {}", keys.join(" "))
        })
        .collect();
    assert_eq!(
        keys,
        [
            "rhino-cluster-cert: ca.crt tls.crt tls.key",
            "rhino-replication-cert: ca.crt tls.crt tls.key",
            "INSTANCE-certs: patroni.ca-roots patroni.crt-combined",
            "rhino-pguser-rhino: dbname host jdbc-uri password port uri user verifier",
            "pgo-root-cacert: root.crt root.key",
        ]
    );
}

#[test]
fn a_pooler_gets_what_its_user_asks_for() {
    let mut spec = test_support::spec();
    spec["customTLSSecret"] = json!({"name": "own", "items": [{"key": "roots", "path": "ca.crt"}, {"key": "tls.crt", "path": "tls.crt"}]});
    spec["customReplicationTLSSecret"] = json!({"name": "own-replication"});
    spec["proxy"] = json!({"pgBouncer": {
        "replicas": 2, "image": "localhost/pooler:1", "port": 6432,
        "config": {
            "global": {"pool_mode": "transaction", "listen_addr": "nowhere", "client_tls_sslmode": "verify-full"},
            "databases": {"reports": "host=elsewhere"}, "users": {"rhino": "pool_mode=session"},
            "files": [{"configMap": {"name": "mine"}}],
        },
        "customTLSSecret": {"name": "front", "items": [{"key": "chain", "path": "tls.crt"}]},
    }});
    let cluster = test_support::cluster_from(&spec);
    let objects = built(&cluster, &ClusterObjects::default(), now()).pgbouncer.unwrap();
    insta::assert_snapshot!("pgbouncer_configuration", objects.config_map.data.unwrap()["pgbouncer.ini"]);
    insta::assert_yaml_snapshot!("pgbouncer_deployment", objects.deployment, {".**.command[3]" => "[script]"});
    insta::assert_yaml_snapshot!("pgbouncer_service", objects.service);
    assert!(objects.disruption_budget.is_some());
    let command = &objects.deployment.spec.unwrap().template.spec.unwrap().containers[0].command;
    let script = &command.as_ref().unwrap()[3];
    let checked = std::process::Command::new("sh").args(["-n", "-c", script]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let secret = objects.secret;
    assert_eq!(text(&secret, "pgbouncer-frontend.crt"), None, "the user's own is used");
    let password = text(&secret, "pgbouncer-password").unwrap();
    assert_eq!(
        text(&secret, "pgbouncer-users.txt").unwrap(),
        format!("\"_crunchypgbouncer\" \"{password}\"\n")
    );

    // What is stored stays.
    let stored =
        ClusterObjects { secrets: [(secret.name_any(), secret.clone())].into(), ..ClusterObjects::default() };
    assert_eq!(built(&cluster, &stored, now()).pgbouncer.unwrap().secret, secret);
}
