//! A cluster in daily life: things deleted by hand, changed, scaled, paused and shut down.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Pod, Secret, Service},
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    core::NamespaceResourceScope,
};
use pgherd::{
    api::conditions,
    k8s::wait::{self, Look},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::super::{
    cluster::{Installation, PATIENCE},
    databases::{PREFIX, condition_is, described},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_by_hand_comes_back() {
    let Some(installation) = Installation::new("mended").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    let instance = primary.strip_suffix("-0").unwrap().to_owned();
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");
    let password = installation.secret("rhino-pguser-rhino", "password").await;

    comes_back::<Service>(&installation, "rhino-primary").await;
    comes_back::<ConfigMap>(&installation, "rhino-config").await;
    comes_back::<Secret>(&installation, "rhino-cluster-cert").await;
    let before = installation.pods().get(&primary).await.unwrap().uid();
    comes_back::<StatefulSet>(&installation, &instance).await;
    let role = format!("{PREFIX}/role");
    let again =
        |pod: &Pod| pod.uid() != before && pod.labels().get(&role).is_some_and(|role| role == "master");
    installation.until_pod("rhino", again).await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
    assert_eq!(installation.secret("rhino-pguser-rhino", "password").await, password);

    // Somebody else's change is undone.
    let services: Api<Service> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let role = format!("{PREFIX}/role");
    let drift = json!({"spec": {"selector": {&role: "nobody"}}});
    services.patch("rhino-replicas", &PatchParams::default(), &Patch::Merge(drift)).await.unwrap();
    let look = |found: Option<&Service>| {
        let selector =
            found.and_then(|service| service.spec.as_ref()?.selector.as_ref()?.get(&role).cloned());
        if selector.as_deref() == Some("replica") {
            Look::Done(())
        } else {
            Look::Waiting(format!("{selector:?}"))
        }
    };
    wait::until(&services, "rhino-replicas", PATIENCE, look, |_| {}).await.unwrap();
    // Also one that the server would refuse to undo by an apply: two entries of one name.
    let ports = json!({"spec": {"ports": [{"name": "postgres", "port": 6000, "protocol": "TCP"}]}});
    let label = json!({"metadata": {"labels": {"somebody": "else"}}});
    for drift in [label, ports] {
        services.patch("rhino-replicas", &PatchParams::default(), &Patch::Merge(drift)).await.unwrap();
    }
    let look = |found: Option<&Service>| {
        let ports = found.and_then(|service| service.spec.as_ref()?.ports.clone()).unwrap_or_default();
        match ports.as_slice() {
            [only] if only.port == 5432 => Look::Done(found.cloned()),
            other => Look::Waiting(format!("{other:?}")),
        }
    };
    let healed = wait::until(&services, "rhino-replicas", PATIENCE, look, |_| {}).await.unwrap().unwrap();
    assert_eq!(
        healed.labels().get("somebody").map(String::as_str),
        Some("else"),
        "only what is in the way goes"
    );

    installation.delete("rhino").await;
    installation.uninstall();
}

async fn comes_back<K>(installation: &Installation, name: &str)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    let api: Api<K> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let before = api.get(name).await.unwrap().uid();
    api.delete(name, &DeleteParams::default()).await.unwrap();
    let look = |found: Option<&K>| match found {
        Some(object) if object.uid() != before => Look::Done(()),
        _ => Look::Waiting(format!("{name} isn't back")),
    };
    wait::until(&api, name, PATIENCE, look, |_| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_users_and_passwords_follow_the_description() {
    let Some(installation) = Installation::new("follow").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;

    let mut description = described("rhino", 1);
    description["spec"]["config"] = json!({"parameters": {"work_mem": "7MB"}});
    description["spec"]["users"] = json!([
        {"name": "rhino", "databases": ["rhino"]},
        {"name": "keeper", "databases": ["rhino", "zoo"], "options": "CREATEDB CONNECTION LIMIT 7"},
        {"name": "postgres"},
    ]);
    installation.describe(&description).await;
    installation.ready("rhino").await;
    let seen = "SELECT rolcreatedb, rolconnlimit, rolcanlogin FROM pg_roles WHERE rolname = 'keeper'";
    assert_eq!(installation.sql(&primary, seen), "t|7|t");
    assert_eq!(installation.sql(&primary, "SELECT count(*) FROM pg_database WHERE datname = 'zoo'"), "1");
    until_sql(&installation, &primary, "SHOW work_mem", "7MB").await;

    // A password that its user has chosen is taken.
    let chosen = json!({"stringData": {"password": "correct horse battery"}});
    installation
        .secrets()
        .patch("rhino-pguser-keeper", &PatchParams::default(), &Patch::Merge(chosen))
        .await
        .unwrap();
    let login = "SELECT rolpassword FROM pg_authid WHERE rolname = 'keeper'";
    let verifier = || installation.secret("rhino-pguser-keeper", "verifier");
    let begun = std::time::Instant::now();
    loop {
        if installation.sql(&primary, login) == verifier().await
            && installation.secret("rhino-pguser-keeper", "uri").await.contains("correct%20horse%20battery")
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the password was not taken");
    }
    installation.delete("rhino").await;
    installation.uninstall();
}

/// PostgreSQL offers no watch on its settings; this asks until it answers as expected.
pub(super) async fn until_sql(installation: &Installation, pod: &str, sql: &str, expected: &str) {
    let begun = std::time::Instant::now();
    loop {
        let answer = installation.sql(pod, sql);
        if answer == expected {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{sql}: {answer}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_pausing_and_shutting_down_keep_the_data() {
    let Some(installation) = Installation::new("scaled").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 3)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");

    installation.describe(&described("rhino", 1)).await;
    installation.until_volumes(1).await;
    assert_eq!(installation.primary("rhino").await, primary, "the primary stays");

    let running = installation.pods().get(&primary).await.unwrap().uid().unwrap();
    installation.change("rhino", json!({"spec": {"shutdown": true}})).await;
    installation
        .until("rhino", |cluster| {
            let message = condition_is(cluster, conditions::READY, "False")?;
            if message.contains("shutdown") { Ok(()) } else { Err(message) }
        })
        .await;
    wait::gone(&installation.pods(), &primary, &running, PATIENCE, |_| {}).await.unwrap();

    installation.change("rhino", json!({"spec": {"paused": true, "shutdown": null}})).await;
    installation.until("rhino", |cluster| condition_is(cluster, conditions::PROGRESSING, "False")).await;
    assert!(installation.pods().list(&ListParams::default()).await.unwrap().items.is_empty());

    installation.change("rhino", json!({"spec": {"paused": null}})).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
    installation.delete("rhino").await;
    installation.uninstall();
}
