//! Examples of inventories that a cluster of one node without a registry can hold: installed, and gone again.

use k8s_openapi::{
    api::{apps::v1::Deployment, rbac::v1::RoleBinding},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use crate::{cluster::Installation, databases::described};

/// Installs, and insists on an operator of the test's image that runs and looks at its own namespace only.
async fn install(installation: &Installation) {
    let ran = installation.succeed(&["install", "-y", "-o", "json"]);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result["installation"], installation.name.as_str(), "{ran}");
    assert_eq!(result["inventory"]["warnings"].as_array().map(Vec::len), Some(0), "{ran}");
    assert_runs(installation).await;
}

async fn assert_runs(installation: &Installation) {
    let client = &installation.cluster.client;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &installation.home);
    let deployment = deployments.get(&installation.name).await.unwrap();
    assert_eq!(
        deployment.status.as_ref().and_then(|status| status.ready_replicas),
        Some(1),
        "{deployment:#?}"
    );
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    let container = &pod.containers[0];
    assert_eq!(container.image.as_deref(), Some("localhost/pgherd:dev"));
    let watched = container.env.iter().flatten().find(|variable| variable.name == "PGHERD_WATCH_NAMESPACES");
    assert_eq!(watched.and_then(|variable| variable.value.as_ref()), Some(&installation.databases));
    let bindings: Api<RoleBinding> = Api::all(client.clone());
    let list = bindings.list(&kube::api::ListParams::default()).await.unwrap();
    let ours = list.items.iter().filter(|binding| {
        binding.subjects.iter().flatten().any(|subject| {
            subject.name == installation.name && subject.namespace.as_deref() == Some(&installation.home)
        })
    });
    for binding in ours {
        let namespace = binding.namespace().unwrap();
        assert!([&installation.home, &installation.databases].contains(&&namespace), "{namespace}");
    }
}

async fn uninstall(installation: &Installation) {
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_laptop_is_installed_and_taken_back() {
    let Some(installation) = Installation::of_example("laptop.toml").await else { return };
    install(&installation).await;
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    uninstall(&installation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_installations_live_side_by_side_and_one_goes_without_the_other() {
    let Some(orders) = Installation::of_example("several-orders.toml").await else { return };
    let Some(billing) = Installation::of_example("several-billing.toml").await else { return };
    install(&orders).await;
    install(&billing).await;
    // The second changed nothing of the first.
    for installation in [&orders, &billing] {
        let again = installation.succeed(&["install"]);
        assert!(again.stderr.contains("Nothing to do"), "{again}");
    }
    // Both look after a database of their own, and none after the other's.
    for installation in [&orders, &billing] {
        installation.describe(&described("rhino", 1)).await;
    }
    for installation in [&orders, &billing] {
        installation.ready("rhino").await;
    }
    let primary = billing.primary("rhino").await;
    billing.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");
    let pod = billing.pods().get(&primary).await.unwrap();
    let refused = orders.run(&["uninstall", "-y", "--delete-definitions"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    let ran = orders.succeed(&[
        "uninstall",
        "-y",
        "--delete-clusters",
        "--delete-data",
        "--delete-namespaces",
        "--delete-definitions",
    ]);
    assert!(ran.stderr.contains("another installation uses it"), "{ran}");
    let left = orders.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
    assert_runs(&billing).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(billing.cluster.client.clone());
    let name = "postgresclusters.postgres-operator.crunchydata.com";
    assert!(definitions.get_opt(name).await.unwrap().is_some(), "{name}");
    let again = billing.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");

    // It goes on with what is wanted of it only now: another user of a cluster that was there, and a cluster that wasn't.
    let mut more = described("rhino", 1);
    more["spec"]["users"] = json!([{"name": "late", "databases": ["later"]}]);
    billing.describe(&more).await;
    billing.ready("rhino").await;
    billing.appears(&billing.secrets(), "rhino-pguser-late").await;
    let made = |sql: &str| billing.sql(&primary, sql);
    assert_eq!(made("SELECT count(*) FROM pg_database WHERE datname = 'later'"), "1");
    assert_eq!(made("SELECT answer FROM kept"), "42");
    let now = billing.pods().get(&primary).await.unwrap();
    assert_eq!(now.uid(), pod.uid(), "the database's pod is the same one");
    billing.describe(&described("hippo", 1)).await;
    billing.ready("hippo").await;
    for cluster in ["rhino", "hippo"] {
        billing.delete(cluster).await;
    }
    uninstall(&billing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_can_be_planned() {
    let folder = format!("{}/inventory", env!("CARGO_MANIFEST_DIR"));
    let mut planned = 0;
    for file in fs_err::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(installation) = Installation::of_example(&name).await else { return };
        let ran = installation.succeed(&["plan", "-o", "json"]);
        let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(plan["create"].as_u64() >= Some(9), "{name}: {plan:#}");
        assert_eq!(
            (&plan["remove"], &plan["blind"]),
            (&0.into(), &Value::Array(Vec::new())),
            "{name}: {plan:#}"
        );
        planned += 1;
    }
    assert!(planned >= 8, "{planned} examples");
}
