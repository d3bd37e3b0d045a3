//! Uninstalling where something stands against it.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
    core::GroupVersionKind,
};
use pgherd::{
    api::{postgres_cluster::PostgresCluster, schema},
    k8s::wait,
};
use serde_json::json;

use crate::{
    cluster::{Installation, PATIENCE},
    databases::described,
    whole::Whole,
};

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

/// Takes the definitions away that earlier tests left. Nobody may have clusters: they would go with them.
async fn without_definitions(client: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in schema::definitions() {
        let name = definition.name_any();
        let Some(found) = definitions.get_opt(&name).await.unwrap() else { continue };
        let clusters: Api<PostgresCluster> = Api::all(client.clone());
        let clusters = clusters.list(&ListParams::default()).await.unwrap();
        let names: Vec<String> = clusters.iter().map(ResourceExt::name_any).collect();
        assert!(names.is_empty(), "somebody's clusters are in the way: {names:?}");
        definitions.delete(&name, &DeleteParams::default()).await.unwrap();
        wait::gone(&definitions, &name, &found.uid().unwrap(), PATIENCE, |_| {}).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_the_cluster_is_as_it_was_before() {
    let Some(installation) = Installation::alone("traceless").await else { return };
    let client = installation.cluster.client.clone();
    without_definitions(&client).await;
    let before = Whole::at_rest(&client).await;

    let manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: pull}\ntype: kubernetes.io/dockerconfigjson\n\
                    stringData: {.dockerconfigjson: '{\"auths\": {}}'}\n";
    installation.sandbox.file("pull.yaml", manifest);
    installation.inventory(|text| {
        text.replace("[namespaces]", "[namespaces]\nmode = \"dynamic\"")
            .replace("[images]", "[images]\npull_secret_manifests = [\"pull.yaml\"]")
    });
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT * FROM generate_series(1, 1000)");

    // What the comparison has to see: kinds that are in no namespace, and kinds that nobody here names.
    let during = Whole::at_rest(&client).await;
    let new: BTreeSet<&str> = during.names().filter(|name| !before.names().any(|old| old == *name)).collect();
    for kind in [
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Endpoints",
        "IPAddress",
        "Namespace",
        "PersistentVolume",
        "PodDisruptionBudget",
        "PostgresCluster",
        "Secret",
        "StatefulSet",
    ] {
        assert!(new.iter().any(|name| name.starts_with(&format!("{kind} "))), "no {kind}: {new:#?}");
    }

    installation.succeed(&[
        "uninstall",
        "-y",
        "--delete-clusters",
        "--delete-data",
        "--delete-namespaces",
        "--delete-definitions",
    ]);
    before.comes_back(&client).await;
}
