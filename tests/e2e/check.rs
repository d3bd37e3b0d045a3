//! `pgherd check`: what it sees, and that the roles it prints are exactly enough.

use k8s_openapi::api::{core::v1::ResourceQuota, rbac::v1::Role};
use kube::{
    Api,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use pgherd::k8s::kinds::{self, ObjectId};
use serde_json::{Value, json};

use crate::{cluster::Installation, sandbox::Ran};

fn outcome<'a>(checked: &'a Value, code: &str) -> &'a str {
    let checks = checked["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["code"] == code);
    assert!(found.is_some(), "{code}: {checked:#}");
    found.unwrap()["outcome"].as_str().unwrap()
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_looked_at_and_left_as_it_is() {
    let Some(installation) = Installation::new("checked").await else { return };
    let before = parsed(&installation.succeed(&["check", "-o", "json"]));
    for code in [
        "PG-SERVER-01",
        "PG-SERVER-02",
        "PG-RIGHTS-01",
        "PG-STORAGE-01",
        "PG-NAMESPACE-01",
        "PG-NEIGHBOUR-04",
    ] {
        assert_eq!(outcome(&before, code), "ok", "{code}: {before:#}");
    }
    assert!(installation.objects(|_| ()).await.is_empty(), "a check writes nothing");

    let ran = installation.run(&["check", "--set", "storage1.class=fasst", "--short"]);
    assert_eq!(ran.code, Some(5), "{ran}");
    assert!(
        ran.stdout.starts_with("failed PG-STORAGE-01 storage1 \"standard\": there is no class \"fasst\""),
        "{ran}"
    );

    installation.succeed(&["install", "-y"]);
    let quotas: Api<ResourceQuota> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let quota = json!({"metadata": {"name": "team"}, "spec": {"hard": {"requests.memory": "64Mi"}}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
    let full =
        |found: Option<&ResourceQuota>| match found.and_then(|quota| quota.status.as_ref()?.hard.as_ref()) {
            Some(_) => pgherd::k8s::wait::Look::Done(()),
            None => pgherd::k8s::wait::Look::Waiting("the quota was not counted yet".to_owned()),
        };
    pgherd::k8s::wait::until(&quotas, "team", crate::cluster::PATIENCE, full, |_| {}).await.unwrap();
    let after = parsed(&installation.succeed(&["check", "-o", "json"]));
    assert_eq!(outcome(&after, "PG-NAMESPACE-03"), "warning", "{after:#}");
    assert_eq!(outcome(&after, "PG-NEIGHBOUR-01"), "ok", "it isn't its own neighbour: {after:#}");
    let strict = installation.run(&["check", "--fail-on", "warning"]);
    assert_eq!(strict.code, Some(5), "{strict}");
    quotas.delete("team", &DeleteParams::default()).await.unwrap();

    let other = installation.run(&["check", "--set", "installation.name=other", "--short"]);
    assert!(
        other.stdout.contains("PG-NEIGHBOUR-01 another installation looks after the same namespaces"),
        "{other}"
    );
    installation.uninstall();
}

/// Applies roles as the administrator of the cluster does.
async fn grant(installation: &Installation, roles: &Value) {
    let client = &installation.cluster.client;
    for object in roles["items"].as_array().unwrap() {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let id = ObjectId::of(&object);
        let api = kinds::api_of(client, &id).await.unwrap();
        api.patch(&id.name, &PatchParams::apply("an-administrator"), &Patch::Apply(&object)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_two_namespaces_installs_with_the_roles_that_check_prints() {
    let Some(installation) = Installation::new("jane").await else { return };
    let client = installation.cluster.client.clone();
    // Definitions stay when an installation goes.
    installation.succeed(&["install", "-y"]);
    installation.uninstall();
    installation.make_namespaces().await;
    installation.account("jane").await;

    let user = format!("system:serviceaccount:{}:jane", installation.home);
    let roles = parsed(&installation.succeed(&["check", "--role", "--user", &user, "-o", "json"]));
    let kinds: Vec<&Value> = roles["items"].as_array().unwrap().iter().map(|role| &role["kind"]).collect();
    assert_eq!(kinds, ["Role", "RoleBinding", "Role", "RoleBinding"], "nothing for the whole cluster");
    grant(&installation, &roles).await;
    let jane = |arguments: &[&str]| {
        let common = ["-i", "pgherd.toml", "--kubeconfig", "jane.conf", "--timeout", "90s"];
        installation.sandbox.run(&[arguments, &common].concat())
    };

    // With one verb less, it is named, and nothing is written.
    let own = format!("{}-installer", installation.name);
    let rights: Api<Role> = Api::namespaced(client.clone(), &installation.databases);
    let mut role = rights.get(&own).await.unwrap();
    let whole = role.rules.clone();
    for rule in role.rules.iter_mut().flatten() {
        if rule.resources == Some(vec!["statefulsets".to_owned()]) {
            rule.verbs.retain(|verb| verb != "delete");
        }
    }
    rights.replace(&own, &PostParams::default(), &role).await.unwrap();
    let ran = jane(&["check", "-o", "json"]);
    assert_eq!(ran.code, Some(5), "{ran}");
    let missing = format!("delete statefulsets.apps in {}", installation.databases);
    assert!(ran.stdout.contains(&missing), "{missing}: {ran}");
    let before = installation.objects(|_| ()).await;
    let refused = jane(&["install", "-y"]);
    assert_ne!(refused.code, Some(0), "{refused}");
    let written: Vec<String> =
        installation.objects(|_| ()).await.into_keys().filter(|id| !before.contains_key(id)).collect();
    assert!(written.is_empty(), "{written:?}");

    let mut role = rights.get(&own).await.unwrap();
    role.rules = whole;
    rights.replace(&own, &PostParams::default(), &role).await.unwrap();
    let ran = jane(&["check", "-o", "json"]);
    assert_eq!(outcome(&parsed(&ran), "PG-RIGHTS-01"), "ok", "{ran}");
    let ran = jane(&["install", "-y"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let again = jane(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    let ran = jane(&["uninstall", "-y", "-n", &installation.home]);
    assert_eq!(ran.code, Some(0), "{ran}");

    // A probe takes a little more, which is printed when it is asked for.
    let roles = installation.succeed(&["check", "--role", "--probe", "--user", &user, "-o", "json"]);
    let roles = parsed(&roles);
    grant(&installation, &roles).await;
    let probed = parsed(&jane(&["check", "--probe", "-o", "json"]));
    for code in ["PG-IMAGE-01", "PG-STORAGE-03"] {
        assert_eq!(outcome(&probed, code), "ok", "{probed:#}");
    }
    for object in roles["items"].as_array().unwrap() {
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let id = ObjectId::of(&object);
        let api = kinds::api_of(&client, &id).await.unwrap();
        api.delete(&id.name, &DeleteParams::default()).await.unwrap();
    }
    installation.delete_namespaces().await;
}
