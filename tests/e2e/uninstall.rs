//! Uninstalling where something stands against it.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim};
use kube::{
    Api,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
    core::GroupVersionKind,
};
use serde_json::json;

use crate::{cluster::Installation, databases::described};

#[tokio::test(flavor = "multi_thread")]
async fn clusters_stand_against_it_until_told_otherwise() {
    let Some(installation) = Installation::new("standing").await else { return };
    installation.succeed(&["install", "-y"]);
    let gvk = GroupVersionKind::gvk("postgres-operator.crunchydata.com", "v1beta1", "PostgresCluster");
    let api = pgherd::k8s::kinds::api(&installation.cluster.client, &gvk, Some(&installation.databases))
        .await
        .unwrap();
    let cluster = json!({
        "apiVersion": gvk.api_version(), "kind": gvk.kind, "metadata": {"name": "hippo"},
        "spec": {"postgresVersion": 17, "instances": [{"dataVolumeClaimSpec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}
    });
    api.create(&PostParams::default(), &serde_json::from_value(cluster).unwrap()).await.unwrap();

    let refused = installation.run(&["uninstall", "-y"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains(&format!("{}/hippo", installation.databases)), "{refused}");
    assert!(refused.stderr.contains("[PG-UNINSTALL-01]"), "{refused}");

    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_stays_until_told_otherwise_and_a_cluster_of_the_name_comes_back_to_it() {
    let Some(installation) = Installation::new("kept").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");
    let volumes = || async {
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(installation.cluster.client.clone(), &installation.databases);
        claims.list(&ListParams::default()).await.unwrap().items.len()
    };

    let deleted = installation.succeed(&[
        "delete",
        "cluster",
        "rhino",
        "-n",
        &installation.databases,
        "-y",
        "--keep-data",
    ]);
    assert!(deleted.stderr.contains("1 instance. 1 volume stays"), "{deleted}");
    assert_eq!(volumes().await, 1);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");

    let ran = installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-namespaces"]);
    assert!(ran.stderr.contains("kept namespace"), "what holds data stays: {ran}");
    assert_eq!(volumes().await, 1);
    let found = installation.succeed(&["uninstall", "-y"]);
    assert!(found.stderr.contains("Nothing to do"), "{found}");

    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_put_into_a_namespace_keeps_it() {
    let Some(installation) = Installation::new("lodger").await else { return };
    installation.succeed(&["install", "-y"]);
    let maps: Api<ConfigMap> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let metadata = ObjectMeta { name: Some("precious".into()), ..ObjectMeta::default() };
    maps.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await.unwrap();

    let ran = installation.uninstall();
    assert!(ran.stderr.contains(&format!("kept namespace {}", installation.databases)), "{ran}");
    assert!(maps.get_opt("precious").await.unwrap().is_some());

    maps.delete("precious", &DeleteParams::default()).await.unwrap();
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_was_there_before_stays() {
    let Some(installation) = Installation::new("guest").await else { return };
    let namespaces: Api<Namespace> = Api::all(installation.cluster.client.clone());
    let metadata = ObjectMeta { name: Some(installation.databases.clone()), ..ObjectMeta::default() };
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();

    installation.succeed(&["install", "-y"]);
    let found = namespaces.get(&installation.databases).await.unwrap();
    let labels = found.metadata.labels.unwrap_or_default();
    assert!(labels.keys().all(|key| key == "kubernetes.io/metadata.name"), "{labels:?}");
    installation.uninstall();
    assert!(namespaces.get_opt(&installation.databases).await.unwrap().is_some());
    namespaces.delete(&installation.databases, &DeleteParams::default()).await.unwrap();
}
