//! The first manifest of every guide, applied with plain kubectl, up to an application that trusts nobody.

use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams},
};
use pgherd::api::conditions;
use serde_json::json;

use super::super::{
    cluster::Installation,
    databases::{condition_is, described, finished},
};

/// As users of the resource have it, but for the image.
const HIPPO: &str = "\
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata:
  name: hippo
spec:
  image: localhost/postgres:17
  postgresVersion: 17
  instances:
    - name: instance1
      dataVolumeClaimSpec:
        accessModes:
        - \"ReadWriteOnce\"
        resources:
          requests:
            storage: 1Gi
";

/// What an application runs with when it trusts nothing but the cluster's authority.
fn application(name: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "application",
                "image": "localhost/postgres:17",
                "command": ["psql", "-XAt", "--set=ON_ERROR_STOP=on", "$(URI)?sslmode=verify-full&sslrootcert=/authority/ca.crt",
                    "-c", "CREATE TABLE visits (at timestamptz)", "-c", "INSERT INTO visits VALUES (now())",
                    "-c", "SELECT 'rows ' || count(*) FROM visits",
                    "-c", "SELECT 'tls ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"],
                "env": [{"name": "URI", "valueFrom": {"secretKeyRef": {"name": "hippo-pguser-hippo", "key": "uri"}}}],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "authority", "mountPath": "/authority", "readOnly": true}],
            }],
            "volumes": [{"name": "authority", "secret": {
                "secretName": "hippo-cluster-cert", "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }}],
        },
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_first_manifest_becomes_a_database_that_an_application_can_trust() {
    let Some(installation) = Installation::new("guide").await else { return };
    installation.succeed(&["install", "-y"]);
    enforce_restricted(&installation).await;

    let applied = installation.kubectl(&["apply", "-f", "-"], HIPPO);
    assert_eq!(applied.code, Some(0), "{applied}");
    installation.ready("hippo").await;

    let pods = installation.pods();
    pods.create(&PostParams::default(), &application("visitor")).await.unwrap();
    let said = finished(&pods, "visitor").await;
    assert!(said.contains("rows 1\n") && said.contains("tls true\n"), "{said}");

    // Without TLS there is no way in, with whatever password.
    let mut plain = application("plain");
    let command = plain.spec.as_mut().unwrap().containers[0].command.as_mut().unwrap();
    command[3] = "$(URI)?sslmode=disable".into();
    pods.create(&PostParams::default(), &plain).await.unwrap();
    let said = finished(&pods, "plain").await;
    assert!(said.contains("no encryption"), "{said}");

    // The same manifest with two replicas more.
    let more = HIPPO.replace("name: instance1\n", "name: instance1\n      replicas: 3\n");
    installation.kubectl(&["apply", "-f", "-"], &more);
    installation.ready("hippo").await;
    let primary = installation.primary("hippo").await;
    let streaming =
        installation.sql(&primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'");
    assert_eq!(streaming, "2");
    let encrypted = installation.sql(
        &primary,
        "SELECT bool_and(ssl AND client_dn = '/CN=_crunchyrepl') FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)",
    );
    assert_eq!(encrypted, "t", "replicas prove who they are by certificate");

    let log = operator_log(&installation).await;
    let events = events(&installation).await;
    for step in ["InstanceCreated", "DatabaseInitialized", "UsersReady", "ClusterReady"] {
        assert!(events.contains(step), "{step} in events: {events}");
        assert!(log.contains(step), "{step} in the log: {log}");
    }
    no_secret_in(&installation, &format!("{log}{events}")).await;

    pods.delete("visitor", &DeleteParams::default()).await.unwrap();
    pods.delete("plain", &DeleteParams::default()).await.unwrap();
    installation.delete("hippo").await;
    installation.nothing_left_of("hippo").await;
    let left = nothing_left(&installation).await;
    assert_eq!(left, Vec::<String>::new());
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_descriptions_are_refused_with_the_field_that_is_wrong() {
    let Some(installation) = Installation::new("bad").await else { return };
    installation.succeed(&["install", "-y"]);

    let refused =
        installation.kubectl(&["apply", "-f", "-"], &HIPPO.replace("17\n  instances", "4711\n  instances"));
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains("spec.postgresVersion"), "{refused}");
    let refused = installation.kubectl(&["apply", "-f", "-"], &HIPPO.replace("  requests:", "  request:"));
    assert!(refused.stderr.contains("resources.request"), "{refused}");
    assert!(installation.clusters().list(&ListParams::default()).await.unwrap().items.is_empty());

    // What no schema can know is told in the status, and nothing is created.
    let mut unknown = described("hippo", 1);
    unknown["spec"]["postgresVersion"] = json!(13);
    unknown["spec"]["standby"] = json!({"enabled": true});
    installation.describe(&unknown).await;
    let message = installation.until("hippo", |cluster| condition_is(cluster, "Accepted", "False")).await;
    assert!(message.contains("spec.image: name an image with PostgreSQL 13"), "{message}");
    assert!(message.contains("spec.standby.host"), "{message}");
    let made = installation.belongings("hippo").await;
    assert!(made.is_empty(), "{:?}", made.keys());
    installation.delete("hippo").await;

    // What has no effect yet is said, too.
    let mut backed_up = described("hippo", 1);
    backed_up["spec"]["backups"] = json!({"pgbackrest": {"repos": [{"name": "repo1"}]}});
    installation.describe(&backed_up).await;
    installation.until("hippo", |cluster| condition_is(cluster, conditions::READY, "True")).await;
    let events = events(&installation).await;
    assert!(events.contains("FieldWithoutEffect") && events.contains("spec.backups"), "{events}");

    // A description that gets wrong changes nothing of a cluster that runs, and says why; taken back, it goes on.
    let before = installation.versions("hippo").await;
    let primary = installation.primary("hippo").await;
    installation.sql(&primary, "CREATE TABLE kept (n int)");
    let mut wrong = backed_up.clone();
    wrong["spec"]["standby"] = json!({"enabled": true});
    wrong["spec"]["instances"][0]["replicas"] = json!(2);
    wrong["spec"]["patroni"] =
        json!({"dynamicConfiguration": {"postgresql": {"parameters": {"work_mem": "5MB"}}}});
    installation.describe(&wrong).await;
    let message = installation.until("hippo", |cluster| condition_is(cluster, "Accepted", "False")).await;
    assert!(message.contains("spec.standby.host"), "{message}");
    // Somebody else's change wakes the operator up, which still changes nothing.
    let pods = Api::<Pod>::namespaced(installation.cluster.client.clone(), &installation.databases);
    let touch = json!({"metadata": {"labels": {"touched": "yes"}}});
    pods.patch(&primary, &PatchParams::default(), &Patch::Merge(&touch)).await.unwrap();
    installation.sql(&primary, "INSERT INTO kept VALUES (42)");
    assert_eq!(installation.versions("hippo").await, before);
    installation.describe(&backed_up).await;
    installation.until("hippo", |cluster| condition_is(cluster, "Accepted", "True")).await;
    installation.ready("hippo").await;
    assert_eq!(installation.versions("hippo").await, before);
    assert_eq!(installation.sql(&primary, "SELECT n FROM kept"), "42");
    installation.delete("hippo").await;
    installation.uninstall();
}

async fn enforce_restricted(installation: &Installation) {
    let namespaces: Api<Namespace> = Api::all(installation.cluster.client.clone());
    let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    for namespace in [&installation.databases, &installation.home] {
        namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(&level)).await.unwrap();
    }
}

async fn operator_log(installation: &Installation) -> String {
    let pods: Api<Pod> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let pod = pods.list(&ListParams::default()).await.unwrap().items.remove(0);
    pods.logs(&pod.name_any(), &LogParams::default()).await.unwrap()
}

async fn events(installation: &Installation) -> String {
    let events: Api<Event> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let list = events.list(&ListParams::default()).await.unwrap();
    let line = |event: &Event| {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{} {}: {}\n", text(&event.type_), text(&event.reason), text(&event.message))
    };
    list.iter().map(line).collect()
}

/// No value of any Secret that nobody should see is in `text`.
async fn no_secret_in(installation: &Installation, text: &str) {
    for secret in installation.secrets().list(&ListParams::default()).await.unwrap() {
        for (key, value) in secret.data.iter().flatten() {
            let value = String::from_utf8_lossy(&value.0).into_owned();
            let hidden = match key.as_str() {
                "password" | "verifier" | "uri" | "jdbc-uri" => value,
                "tls.key" | "root.key" => value.lines().nth_back(1).unwrap_or_default().to_owned(),
                key if key.ends_with("combined") => value.lines().nth_back(1).unwrap_or_default().to_owned(),
                _ => continue,
            };
            assert!(
                hidden.len() >= 8 && !text.contains(&hidden),
                "{key} of {} is visible",
                secret.name_any()
            );
        }
    }
}

/// Names of what is left in the watched namespace besides what the installer and Kubernetes put there.
async fn nothing_left(installation: &Installation) -> Vec<String> {
    let all = installation.objects(Clone::clone).await;
    let of_installer = |object: &kube::api::DynamicObject| {
        object.labels().get("app.kubernetes.io/instance") == Some(&installation.name)
            || object.metadata.namespace.as_ref() != Some(&installation.databases)
    };
    all.into_iter().filter(|(_, object)| !of_installer(object)).map(|(id, _)| id).collect()
}
