//! Uninstalling where something stands against it.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
    core::GroupVersionKind,
};
use serde_json::json;

use crate::cluster::Installation;

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

    installation.succeed(&["uninstall", "-y", "--delete-clusters"]);
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

    let ran = installation.succeed(&["uninstall", "-y"]);
    assert!(ran.stderr.contains(&format!("kept namespace {}", installation.databases)), "{ran}");
    assert!(maps.get_opt("precious").await.unwrap().is_some());

    maps.delete("precious", &DeleteParams::default()).await.unwrap();
    installation.succeed(&["uninstall", "-y"]);
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
    installation.succeed(&["uninstall", "-y"]);
    assert!(namespaces.get_opt(&installation.databases).await.unwrap().is_some());
    namespaces.delete(&installation.databases, &DeleteParams::default()).await.unwrap();
}
