//! Who installs with few rights, and what the operator runs with.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Secret},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{cluster::Installation, databases::described};

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_somebody_else_gives_are_named_and_then_used() {
    let Some(installation) = Installation::new("given").await else { return };
    installation.inventory(|text| format!("{text}\n[rbac]\ncreate = false\n"));
    installation.make_namespaces().await;
    let ran = installation.run(&["install", "-y"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("[PG-INSTALL-11]") && ran.stderr.contains("render access"), "{ran}");
    let role = format!("role {}/{} (isn't there)", installation.databases, installation.name);
    assert!(ran.stderr.contains(&role), "{ran}");

    let rendered = installation.sandbox.run(&["render", "-i", "pgherd.toml", "access", "-o", "json"]);
    let list: Value = serde_json::from_str(&rendered.stdout).unwrap();
    for object in list["items"].as_array().unwrap() {
        let object: kube::api::DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let id = pgherd::k8s::kinds::ObjectId::of(&object);
        let api = pgherd::k8s::kinds::api_of(&installation.cluster.client, &id).await.unwrap();
        api.patch(&id.name, &PatchParams::apply("an-administrator"), &Patch::Apply(&object)).await.unwrap();
    }
    installation.succeed(&["install", "-y"]);
    let plan = installation.succeed(&["plan", "--detailed-exitcode"]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan}");

    // One right less is named, too.
    let roles: Api<Role> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let less = json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    roles.patch(&installation.name, &PatchParams::default(), &Patch::Merge(&less)).await.unwrap();
    let ran = installation.run(&["install", "-y"]);
    assert!(ran.stderr.contains("differs in rules"), "{ran}");

    installation.uninstall();
    assert!(roles.get_opt(&installation.name).await.unwrap().is_some(), "what others made is theirs");
    let bindings: Api<RoleBinding> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    assert!(bindings.get_opt(&installation.name).await.unwrap().is_some());
    installation.delete_namespaces().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_to_pull_images_with_reach_every_namespace_and_every_pod() {
    let Some(installation) = Installation::new("pulling").await else { return };
    let manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: from-a-manifest}\n\
                    type: kubernetes.io/dockerconfigjson\n\
                    stringData: {.dockerconfigjson: '{\"auths\": {\"registry.example.com\": {\"auth\": \"aHVudGVyMg==\"}}}'}\n";
    installation.sandbox.file("secrets/pull.yaml", manifest);
    installation.inventory(|text| {
        text.replace(
            "[images]",
            "[images]\npull_secrets = [\"there-already\"]\npull_secret_manifests = [\"secrets/pull.yaml\"]",
        )
    });
    let ran = installation.succeed(&["install", "-y", "-vv"]);
    assert!(!format!("{ran}").contains("aHVudGVyMg"), "{ran}");
    for namespace in [&installation.home, &installation.databases] {
        let secrets: Api<Secret> = Api::namespaced(installation.cluster.client.clone(), namespace);
        assert!(secrets.get_opt("from-a-manifest").await.unwrap().is_some(), "{namespace}");
    }
    let names = |pod: Option<&k8s_openapi::api::core::v1::PodSpec>| -> Vec<String> {
        let secrets = pod.and_then(|pod| pod.image_pull_secrets.clone()).unwrap_or_default();
        secrets.into_iter().map(|secret| secret.name).collect()
    };
    let deployments: Api<Deployment> =
        Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let deployment = deployments.get(&installation.name).await.unwrap();
    let template = deployment.spec.unwrap().template.spec;
    assert_eq!(names(template.as_ref()), ["there-already", "from-a-manifest"]);

    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let pods: Api<Pod> = installation.pods();
    let pods =
        pods.list(&ListParams::default().labels("postgres-operator.crunchydata.com/cluster=rhino")).await;
    assert_eq!(names(pods.unwrap().items[0].spec.as_ref()), ["there-already", "from-a-manifest"]);
    installation.delete("rhino").await;
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_right_for_the_whole_cluster_nothing_is_made_outside_of_namespaces() {
    let Some(installation) = Installation::new("bounded").await else { return };
    installation.succeed(&["install", "-y"]);
    let outside = installation.objects(|object| object.metadata.namespace.is_none()).await;
    let outside: Vec<&String> = outside.iter().filter_map(|(id, outside)| outside.then_some(id)).collect();
    let expected =
        [format!("Namespace /{}", installation.databases), format!("Namespace /{}", installation.home)];
    assert_eq!(outside, expected.iter().collect::<Vec<_>>());
    installation.uninstall();
}
