//! From one version to the next and back: another program, another image, another definition, while a database is written to.

use std::{collections::BTreeMap, path::PathBuf};

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Service},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, LogParams, PostParams},
};
use pgherd::api::schema;
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    databases::{PREFIX, described, finished},
};

/// The image with the program that `PGHERD_TEST_NEXT` names.
const NEXT_IMAGE: &str = "localhost/pgherd:next";

/// Writes a row again and again, each time through a connection of its own, until it is told that it is enough. Ten rows a
/// second leave a small machine room for what is tested.
const WRITER: &str = "
set -eu
write() { psql -XAtqw --set=ON_ERROR_STOP=on -c \"$1\"; }
write 'CREATE TABLE written (n int)'
attempts=0 failed=0
until [ -e /tmp/enough ]; do
  attempts=$((attempts + 1))
  write \"INSERT INTO written VALUES ($attempts)\" || failed=$((failed + 1))
  echo \"written $attempts\"
  sleep 0.1
done
echo \"attempts $attempts failed $failed\"
";

/// An application that writes through the Service of the primary.
fn writer(cluster: &str) -> Pod {
    let secret = |variable: &str, key: &str| {
        let reference = json!({"name": format!("{cluster}-pguser-{cluster}"), "key": key});
        json!({"name": variable, "valueFrom": {"secretKeyRef": reference}})
    };
    let host = json!({"name": "PGHOST", "value": format!("{cluster}-ha")});
    let environment = json!([
        host,
        secret("PGUSER", "user"),
        secret("PGPASSWORD", "password"),
        secret("PGDATABASE", "dbname")
    ]);
    serde_json::from_value(json!({
        "metadata": {"name": "writer"},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "application", "image": "localhost/postgres:17",
                "command": ["sh", "-c", WRITER], "env": environment,
            }],
        },
    }))
    .unwrap()
}

/// Follows the writer's log until it has written `rows` more.
async fn writes(installation: &Installation, rows: usize) {
    let parameters = LogParams { follow: true, tail_lines: Some(0), ..LogParams::default() };
    let more = async {
        let mut lines = installation.pods().log_stream("writer", &parameters).await.unwrap().lines();
        for _ in 0..rows {
            assert!(lines.try_next().await.unwrap().is_some(), "the writer has ended");
        }
    };
    assert!(tokio::time::timeout(PATIENCE, more).await.is_ok(), "the writer doesn't write");
}

/// Pods of a cluster: which they are, and how often each container was restarted.
async fn pods(installation: &Installation, cluster: &str) -> BTreeMap<String, (Option<String>, Vec<i32>)> {
    let selector = ListParams::default().labels(&format!("{PREFIX}/cluster={cluster}"));
    let restarts = |pod: &Pod| -> Vec<i32> {
        let status = pod.status.iter();
        let containers = status.flat_map(|status| {
            status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
        });
        containers.map(|container| container.restart_count).collect()
    };
    let found = installation.pods().list(&selector).await.unwrap();
    found.iter().map(|pod| (pod.name_any(), (pod.uid(), restarts(pod)))).collect()
}

/// The operator that runs: its image, and what its own program says its version is.
async fn operator(installation: &Installation) -> (String, String) {
    let api: Api<Deployment> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let deployment = api.get(&installation.name).await.unwrap();
    let status = deployment.status.unwrap();
    assert_eq!((status.replicas, status.ready_replicas), (Some(1), Some(1)));
    let container = deployment.spec.unwrap().template.spec.unwrap().containers.remove(0);
    let pod = format!("deployment/{}", installation.name);
    let ran = installation
        .kubectl(&["exec", "-n", &installation.home, &pod, "--", "pgherd", "version", "-o", "json"], "");
    let version: Value = serde_json::from_str(&ran.stdout).unwrap();
    (container.image.unwrap(), version["client"].as_str().unwrap().to_owned())
}

/// Whether the definition in the cluster has the field that only the next version knows.
async fn has_next_field(installation: &Installation) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(installation.cluster.client.clone());
    let definition = api.get(&schema::definition().name_any()).await.unwrap();
    let definition = serde_json::to_value(definition).unwrap();
    let versions = definition["spec"]["versions"].as_array().unwrap();
    versions.iter().any(|version| {
        version.pointer("/schema/openAPIV3Schema/properties/spec/properties/nextField").is_some()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_version_takes_over_under_load_and_gives_way_again() {
    // Everybody's definition is changed.
    let Some(installation) = Installation::alone("versions").await else { return };
    let next = std::env::var_os("PGHERD_TEST_NEXT").map(PathBuf::from);
    let next = next.expect("PGHERD_TEST_NEXT names the program that tests/next.sh builds");
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let services: Api<Service> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    assert!(services.get_opt("rhino-ha").await.unwrap().is_some());
    let before = pods(&installation, "rhino").await;
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(!has_next_field(&installation).await);
    let this = operator(&installation).await;
    assert_eq!(this, ("localhost/pgherd:dev".to_owned(), pgherd::VERSION.to_owned()));

    installation.pods().create(&PostParams::default(), &writer("rhino")).await.unwrap();
    let running = installation.kubectl(&["wait", "--for=condition=Ready", "--timeout=90s", "pod/writer"], "");
    assert_eq!(running.code, Some(0), "{running}");
    writes(&installation, 5).await;

    let image = format!("images.operator={NEXT_IMAGE}");
    let updated = installation.run_of(&next, &["update", "-y", "--set", &image]);
    assert_eq!(updated.code, Some(0), "{updated}");
    let (running, version) = operator(&installation).await;
    assert_eq!(running, NEXT_IMAGE);
    assert_ne!(version, pgherd::VERSION);
    assert!(updated.stderr.contains(&format!("{} → {version}", pgherd::VERSION)), "{updated}");
    assert!(has_next_field(&installation).await);
    // The new operator looks after the cluster, with what is new in the definition.
    installation.change("rhino", json!({"spec": {"nextField": "known"}})).await;
    installation.ready("rhino").await;
    let cluster = installation.kubectl(&["get", "postgrescluster", "rhino", "-o", "json"], "");
    let cluster: Value = serde_json::from_str(&cluster.stdout).unwrap();
    assert_eq!(cluster["spec"]["nextField"], "known");
    writes(&installation, 5).await;
    assert_eq!(pods(&installation, "rhino").await, before);

    let refused = installation.run(&["update", "-y"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains("[PG-INSTALL-14]") && refused.stderr.contains(&version), "{refused}");
    assert_eq!(operator(&installation).await, (running, version), "nothing was changed");
    assert!(has_next_field(&installation).await);
    installation.succeed(&["update", "-y", "--allow-downgrade"]);
    assert_eq!(operator(&installation).await, this);
    assert!(!has_next_field(&installation).await);
    installation.change("rhino", json!({"metadata": {"annotations": {"seen": "by the first again"}}})).await;
    installation.ready("rhino").await;
    writes(&installation, 5).await;

    let enough = installation.kubectl(&["exec", "writer", "--", "touch", "/tmp/enough"], "");
    assert_eq!(enough.code, Some(0), "{enough}");
    let said = finished(&installation.pods(), "writer").await;
    let last = said.lines().last().unwrap_or_default();
    let attempts = last.strip_prefix("attempts ").and_then(|rest| rest.strip_suffix(" failed 0"));
    let attempts = attempts.unwrap_or_else(|| unreachable!("a write failed:\n{said}"));
    let primary = installation.primary("rhino").await;
    let counted = installation.kubectl(
        &["exec", "-i", &primary, "-c", "database", "--", "psql", "-XAtqw", "-U", "postgres", "rhino"],
        "SET ROLE rhino; SELECT count(DISTINCT n) FROM written",
    );
    assert_eq!(counted.stdout.trim(), attempts, "{counted}");
    assert_eq!(pods(&installation, "rhino").await, before, "no database was restarted");

    let deleted = installation.kubectl(&["delete", "pod", "writer"], "");
    assert_eq!(deleted.code, Some(0), "{deleted}");
    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}
