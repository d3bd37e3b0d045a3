//! Who installs with few rights, and what the operator runs with.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, Secret},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    databases::described,
};

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

fn pull_manifest(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: from-a-manifest}}\ntype: kubernetes.io/dockerconfigjson\n\
         stringData: {{.dockerconfigjson: '{{\"auths\": {{\"registry.example.com\": {{\"auth\": \"{password}\"}}}}}}'}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_gains_the_label_gets_secrets_to_pull_images_with() {
    let Some(installation) = Installation::new("latecomer").await else { return };
    let client = installation.cluster.client.clone();
    installation.sandbox.file("pull.yaml", &pull_manifest("b25l"));
    // With the least rights: to the originals by name, and to copies by a role that somebody makes later.
    installation.inventory(|text| {
        text.replace("[namespaces]", "[namespaces]\nmode = \"readonly\"\nreconcile_rbac = false")
            .replace("[images]", "[images]\npull_secret_manifests = [\"pull.yaml\"]")
    });
    installation.succeed(&["install", "-y"]);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let secrets = |namespace: &str| -> Api<Secret> { Api::namespaced(client.clone(), namespace) };
    let key = format!("{}.{}", installation.home, installation.name);
    let names = ["later", "taken"].map(|stem| format!("{}-{stem}", installation.name));
    let [later, taken] = &names;
    for name in &names {
        let namespace = json!({"metadata": {"name": name, "labels": {"pgherd.io/installation": key}}});
        let theirs = json!({"metadata": {"name": "from-a-manifest"}, "stringData": {"theirs": "yes"}});
        let parameters = PostParams::default();
        if name == taken {
            let bare = json!({"metadata": {"name": name}});
            namespaces.create(&parameters, &serde_json::from_value(bare).unwrap()).await.unwrap();
            secrets(name).create(&parameters, &serde_json::from_value(theirs).unwrap()).await.unwrap();
            let label = Patch::Merge(&namespace);
            namespaces.patch(name, &PatchParams::default(), &label).await.unwrap();
        } else {
            namespaces.create(&parameters, &serde_json::from_value(namespace).unwrap()).await.unwrap();
        }
        // What the installer gives the operator in listed namespaces, an administrator gives it here.
        let roles: Api<Role> = Api::namespaced(client.clone(), &installation.databases);
        let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &installation.databases);
        let mut role = roles.get(&installation.name).await.unwrap();
        let mut binding = bindings.get(&installation.name).await.unwrap();
        for metadata in [&mut role.metadata, &mut binding.metadata] {
            *metadata = serde_json::from_value(json!({"name": "databases", "namespace": name})).unwrap();
        }
        binding.role_ref.name = "databases".to_owned();
        Api::namespaced(client.clone(), name).create(&parameters, &role).await.unwrap();
        Api::namespaced(client.clone(), name).create(&parameters, &binding).await.unwrap();
    }
    let holds = async |namespace: &str, password: &str| {
        let look = |found: Option<&Secret>| {
            let data = found.and_then(|secret| secret.data.as_ref()?.get(".dockerconfigjson"));
            match data {
                Some(data) if String::from_utf8_lossy(&data.0).contains(password) => Look::Done(()),
                Some(_) => Look::Waiting("it is another one".to_owned()),
                None => Look::Waiting("there is none".to_owned()),
            }
        };
        wait::until(&secrets(namespace), "from-a-manifest", PATIENCE, look, |_| {}).await.unwrap();
    };
    holds(later, "b25l").await;

    installation.sandbox.file("pull.yaml", &pull_manifest("dHdv"));
    installation.succeed(&["install", "-y"]);
    holds(&installation.databases, "dHdv").await;
    holds(later, "dHdv").await;
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    // Once it is listed the Secret is the installer's, and nothing stands against that.
    let listed = format!("namespaces.watched={},{later}", installation.databases);
    installation.sandbox.file("pull.yaml", &pull_manifest("dGhyZWU="));
    installation.succeed(&["install", "-y", "--set", &listed]);
    holds(later, "dGhyZWU=").await;
    installation.succeed(&["install", "-y"]);

    let theirs = secrets(taken).get("from-a-manifest").await.unwrap().data.unwrap();
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ["theirs"], "what others made is theirs");
    holds(later, "dGhyZWU=").await;
    // A namespace that lost the label keeps what its pods need, until the installation goes.
    let label = json!({"metadata": {"labels": {"pgherd.io/installation": null}}});
    namespaces.patch(later, &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
    installation.uninstall();
    assert!(secrets(later).get_opt("from-a-manifest").await.unwrap().is_none());
    assert!(secrets(taken).get_opt("from-a-manifest").await.unwrap().is_some());
    for name in &names {
        namespaces.delete(name, &DeleteParams::default()).await.unwrap();
    }
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
