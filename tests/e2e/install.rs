//! Installing, again, after a mistake, and after being killed.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Secret},
};
use kube::{Api, ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use crate::cluster::Installation;

/// What a write by the installer would change: the version of an object or, where others write status, what was asked for
/// and when the installer asked for it.
fn mark(object: &DynamicObject) -> Value {
    let manager = |entry: &&_| {
        let entry: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry = entry;
        entry.manager.as_deref() == Some("pgherd-installer")
    };
    let ours: Vec<_> = object.managed_fields().iter().filter(manager).collect();
    let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    if kind == "Deployment" {
        json!([object.metadata.generation, ours])
    } else {
        json!([object.resource_version(), ours])
    }
}

/// Marks of the objects that the installer applies; what controllers derive from them lives its own life.
async fn marks(installation: &Installation) -> BTreeMap<String, Value> {
    let all = installation.objects(|object| {
        let applied =
            object.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some("pgherd-installer"));
        applied.then(|| mark(object))
    });
    all.await.into_iter().filter_map(|(id, mark)| Some((id, mark?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_writes_nothing_and_uninstall_leaves_nothing() {
    let Some(installation) = Installation::new("twice").await else { return };
    let first = installation.succeed(&["install", "-y"]);
    assert!(first.stderr.contains("1 of 1 ready"), "{first}");
    assert!(
        first.stderr.contains(&format!("Next: pgherd create cluster hippo -n {}", installation.databases))
    );

    let before = marks(&installation).await;
    assert!(before.len() >= 10, "{before:#?}");
    let second = installation.succeed(&["install"]);
    assert!(second.stderr.contains("Nothing to do"), "{second}");
    assert_eq!(before, marks(&installation).await);

    let ran = installation.succeed(&["status", "-o", "json"]);
    let status: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["operator"]["ready"], true, "{status:#}");
    assert_eq!((&status["definitions"], &status["clusters"]), (&json!("current"), &json!([])), "{status:#}");
    assert_eq!(status["update"], json!({"create": 0, "change": 0, "remove": 0}), "{status:#}");
    let named = installation.command(&["status", "-n", &installation.home]).output().unwrap();
    assert!(named.status.success(), "the inventory is only needed to say which");
    assert_eq!(before, marks(&installation).await);

    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
    let again = installation.run(&["uninstall", "-y"]);
    assert_eq!(again.code, Some(7), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_confirmation_nothing_is_created() {
    let Some(installation) = Installation::new("unasked").await else { return };
    let ran = installation.run(&["install"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("create 13") || ran.stderr.contains("create 12"), "{ran}");
    assert!(installation.objects(|_| ()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_installer_is_taken_up_by_the_next() {
    let Some(installation) = Installation::new("killed").await else { return };
    let client = installation.cluster.client.clone();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &installation.home);
    let deployments: Api<Deployment> = Api::namespaced(client, &installation.home);

    let mut child = installation.start(&["install", "-y"]);
    installation.appears(&namespaces, &installation.home).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let mut child = installation.start(&["install", "-y"]);
    installation.appears(&secrets, &format!("{}-installation", installation.name)).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let mut child = installation.start(&["install", "-y"]);
    installation.appears(&deployments, &installation.name).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let ran = installation.succeed(&["install", "-y", "-o", "json"]);
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(result["installation"], installation.name.as_str());
    let second = installation.succeed(&["install"]);
    assert!(second.stderr.contains("Nothing to do"), "{second}");
    installation.uninstall();
    assert!(installation.objects(|_| ()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_operator_from_starting_is_told_and_the_next_run_goes_on() {
    let Some(installation) = Installation::new("broken").await else { return };
    installation.inventory(|text| {
        text.replace("[images]", "[images]\npull_policy = \"Never\"")
            .replace("localhost/pgherd:dev", "localhost/no-such-image:1")
    });
    let ran = installation.run(&["install", "-y", "--timeout", "15s"]);
    assert_eq!(ran.code, Some(5), "{ran}");
    assert!(ran.stderr.contains("ErrImageNeverPull") && ran.stderr.contains("[PG-INSTALL-07]"), "{ran}");

    // Also when there is nothing left to apply, an operator that doesn't run is no success.
    let again = installation.run(&["install", "-y", "--timeout", "5s"]);
    assert_eq!(again.code, Some(5), "{again}");

    installation.inventory(|text| text);
    let mended = installation.succeed(&["install", "-y"]);
    assert!(mended.stderr.contains("1 of 1 ready"), "{mended}");
    installation.uninstall();
}
