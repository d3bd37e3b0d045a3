//! Modes of namespaces: what the operator may do, where, and what makes it begin and end there.

use k8s_openapi::api::{
    core::v1::{Namespace, Pod, Service},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role},
};
use kube::{
    Api,
    api::{ListParams, LogParams, Patch, PatchParams, PostParams},
};
use pgherd::{
    api::postgres_cluster::PostgresCluster,
    k8s::wait::{self, Look},
};
use serde_json::{Value, json};

use crate::cluster::{Installation, PATIENCE};

fn namespace(name: &str) -> Namespace {
    serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
}

fn shut_down_cluster(name: &str) -> PostgresCluster {
    // Only whether somebody looks after it matters here, so it needn't run.
    serde_json::from_value(json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1", "kind": "PostgresCluster",
        "metadata": {"name": name},
        "spec": {
            "postgresVersion": 17, "shutdown": true,
            "instances": [{"dataVolumeClaimSpec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}},
            }}],
        },
    }))
    .unwrap()
}

async fn label(installation: &Installation, name: &str, value: Option<&str>) {
    let namespaces: Api<Namespace> = Api::all(installation.cluster.client.clone());
    let patch = json!({"metadata": {"labels": {"pgherd.io/installation": value}}});
    namespaces.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

/// Waits until the operator's log says something.
pub(crate) async fn says(installation: &Installation, words: &str) {
    let pods: Api<Pod> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let list =
        pods.list(&ListParams::default().labels("app.kubernetes.io/component=operator")).await.unwrap();
    let name = list.items[0].metadata.name.clone().unwrap();
    let follow = LogParams { follow: true, ..LogParams::default() };
    let mut lines = futures::AsyncBufReadExt::lines(pods.log_stream(&name, &follow).await.unwrap());
    let mut seen = Vec::new();
    let found = async {
        while let Some(line) = futures::TryStreamExt::try_next(&mut lines).await.unwrap() {
            if line.contains(words) {
                return true;
            }
            seen.push(line);
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, found).await.unwrap_or(false);
    assert!(found, "the operator never said {words:?}:\n{}", seen.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_looked_after_while_it_carries_the_label() {
    let Some(installation) = Installation::new("readonly").await else { return };
    let client = installation.cluster.client.clone();
    installation.inventory(|text| text.replace("[namespaces]", "[namespaces]\nmode = \"readonly\""));
    installation.succeed(&["install", "-y"]);
    let roles: Api<Role> = Api::namespaced(client.clone(), &installation.databases);
    assert!(roles.list(&ListParams::default()).await.unwrap().items.is_empty(), "the cluster role is enough");

    // It begins with the same part as the installation's own names, so that the test sees it as its own.
    let later = format!("{}-later", installation.name);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &namespace(&later)).await.unwrap();
    let clusters: Api<PostgresCluster> = Api::namespaced(client.clone(), &later);
    clusters.create(&PostParams::default(), &shut_down_cluster("rhino")).await.unwrap();

    label(&installation, &later, Some(&format!("{}.{}", installation.home, installation.name))).await;
    let services: Api<Service> = Api::namespaced(client.clone(), &later);
    installation.appears(&services, "rhino-primary").await;

    let follower = async || {
        let cluster = clusters.get("rhino").await.unwrap();
        cluster.metadata.annotations.unwrap_or_default().get("pgherd.io/followed-by").cloned()
    };
    let own = format!("{}.{}", installation.home, installation.name);
    assert_eq!(follower().await, Some(own));
    label(&installation, &later, None).await;
    says(&installation, "no longer looking after").await;
    assert_eq!(follower().await, None, "another installation may follow it now");

    label(&installation, &later, Some(&format!("{}.{}", installation.home, installation.name))).await;
    clusters.delete("rhino", &kube::api::DeleteParams::default()).await.unwrap();
    let gone = |found: Option<&PostgresCluster>| match found {
        None => Look::Done(()),
        Some(_) => Look::Waiting("rhino is still there".to_owned()),
    };
    wait::until(&clusters, "rhino", PATIENCE, gone, |_| {}).await.unwrap();
    namespaces.delete(&later, &kube::api::DeleteParams::default()).await.unwrap();
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_in_labelled_namespaces_count() {
    for (stem, mode) in [("counted", "readonly"), ("counting", "dynamic")] {
        let Some(installation) = Installation::new(stem).await else { return };
        let client = installation.cluster.client.clone();
        let mode = format!("[namespaces]\nmode = \"{mode}\"");
        installation.inventory(|text| text.replace("[namespaces]", &mode));
        installation.succeed(&["install", "-y"]);
        let later = format!("{}-later", installation.name);
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &namespace(&later)).await.unwrap();
        let create = ["create", "cluster", "rhino", "-n", &later, "--dry-run"];
        let ran = installation.succeed(&create);
        assert!(ran.stderr.contains("doesn't look after namespace"), "{ran}");
        label(&installation, &later, Some(&format!("{}.{}", installation.home, installation.name))).await;
        let ran = installation.succeed(&create);
        assert!(!ran.stderr.contains("warning"), "{ran}");
        let clusters: Api<PostgresCluster> = Api::namespaced(client.clone(), &later);
        clusters.create(&PostParams::default(), &shut_down_cluster("rhino")).await.unwrap();

        let status = installation.succeed(&["status", "-o", "json"]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        assert_eq!(status["namespaces"]["watched"], json!([installation.databases, later]), "{status:#}");
        assert_eq!(status["clusters"][0]["namespace"], json!(later), "{status:#}");

        let refused = installation.run(&["uninstall", "-y"]);
        assert_eq!(refused.code, Some(6), "{refused}");
        assert!(refused.stderr.contains(&format!("{later}/rhino")), "{refused}");
        // What the operator has begun to make is there, so that its going can be seen.
        let services: Api<Service> = Api::namespaced(client, &later);
        installation.appears(&services, "rhino-primary").await;
        installation.succeed(&[
            "uninstall",
            "-y",
            "--delete-clusters",
            "--delete-data",
            "--delete-namespaces",
        ]);
        assert!(clusters.get_opt("rhino").await.unwrap().is_none());
        assert!(services.list(&ListParams::default()).await.unwrap().items.is_empty());
        assert!(namespaces.get_opt(&later).await.unwrap().is_some(), "the namespace is somebody else's");
        namespaces.delete(&later, &kube::api::DeleteParams::default()).await.unwrap();
        let left = installation.objects(|_| ()).await;
        assert!(left.is_empty(), "{left:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rights_for_all_namespaces_each_has_a_role() {
    let Some(installation) = Installation::new("prepared").await else { return };
    let client = installation.cluster.client.clone();
    installation.inventory(|text| {
        text.replace("[namespaces]", "[namespaces]\nmode = \"dynamic\"\nreconcile_rbac = false")
    });
    installation.succeed(&["install", "-y"]);
    let name = format!("pgherd:{}:{}", installation.home, installation.name);
    let cluster_roles: Api<ClusterRole> = Api::all(client.clone());
    let rules = cluster_roles.get(&name).await.unwrap().rules.unwrap();
    assert!(
        rules.iter().all(|rule| rule.resources == Some(vec!["namespaces".to_owned()])),
        "in the whole cluster it may do nothing but see and make namespaces: {rules:#?}"
    );
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    assert!(bindings.get_opt(&name).await.unwrap().is_some());
    let clusters: Api<PostgresCluster> = Api::namespaced(client.clone(), &installation.databases);
    clusters.create(&PostParams::default(), &shut_down_cluster("rhino")).await.unwrap();
    let services: Api<Service> = Api::namespaced(client, &installation.databases);
    installation.appears(&services, "rhino-primary").await;
    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_made_in_the_dynamic_mode_only() {
    let Some(installation) = Installation::new("dynamic").await else { return };
    let client = installation.cluster.client.clone();
    installation.inventory(|text| text.replace("[namespaces]", "[namespaces]\nmode = \"dynamic\""));
    installation.succeed(&["install", "-y"]);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.delete(&installation.databases, &kube::api::DeleteParams::default()).await.unwrap();
    let gone = |found: Option<&Namespace>| match found {
        None => Look::Done(()),
        Some(_) => Look::Waiting("the namespace is still there".to_owned()),
    };
    wait::until(&namespaces, &installation.databases, PATIENCE, gone, |_| {}).await.unwrap();
    // It looks what is missing when it starts; a namespace that somebody deletes is not forced upon them at once.
    let pods: Api<Pod> = Api::namespaced(client, &installation.home);
    let operator = ListParams::default().labels("app.kubernetes.io/component=operator");
    pods.delete_collection(&kube::api::DeleteParams::default(), &operator).await.unwrap();
    installation.appears(&namespaces, &installation.databases).await;
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}
