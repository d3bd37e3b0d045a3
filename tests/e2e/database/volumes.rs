//! Volumes of a running database: one more for its log, one less, and larger ones.

use k8s_openapi::api::{core::v1::PersistentVolumeClaim, storage::v1::StorageClass};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pgherd::api::conditions;
use serde_json::{Value, json};

use super::super::{
    cluster::Installation,
    databases::{condition_is, described},
};

fn claim(size: &str) -> Value {
    json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_moves_to_a_volume_of_its_own_and_back() {
    let Some(installation) = Installation::new("log").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 2)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");

    let mut with = described("rhino", 2);
    with["spec"]["instances"][0]["walVolumeClaimSpec"] = claim("1Gi");
    for (description, volumes, directory) in
        [(with, 4, "/pgwal/pg17_wal"), (described("rhino", 2), 2, "/pgdata/pg17_wal")]
    {
        installation.describe(&description).await;
        installation.until_volumes(volumes).await;
        super::rollout::settled(&installation, "rhino").await;
        let primary = installation.primary("rhino").await;
        assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
        let selector = ListParams::default().labels("postgres-operator.crunchydata.com/instance");
        for pod in installation.pods().list(&selector).await.unwrap() {
            let name = pod.name_any();
            let link = ["exec", &name, "-c", "database", "--", "sh", "-c", "readlink $PGDATA/pg_wal"];
            assert_eq!(installation.kubectl(&link, "").stdout.trim(), directory, "{name}");
            let mounts = &pod.spec.unwrap().containers[0].volume_mounts.clone().unwrap();
            let mounted = mounts.iter().any(|mount| mount.mount_path == "/pgwal");
            assert_eq!(mounted, volumes == 4, "{name}");
        }
    }
    let told = super::rollout::events(&installation).await;
    assert!(told.contains("VolumeAdded") && told.contains("VolumeRemoved"), "{told}");
    installation.delete("rhino").await;
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_grow_where_their_class_lets_them() {
    let Some(installation) = Installation::new("growth").await else { return };
    installation.succeed(&["install", "-y"]);
    let classes: Api<StorageClass> = Api::all(installation.cluster.client.clone());
    let mut class = classes.get("local-path").await.unwrap();
    class.metadata = serde_json::from_value(json!({"name": installation.name})).unwrap();
    class.allow_volume_expansion = Some(true);
    classes.create(&PostParams::default(), &class).await.unwrap();
    let of_class = |name: &str, class: Option<&str>, size: &str| {
        let mut description = described(name, 1);
        let mut claim = claim(size);
        if let Some(class) = class {
            claim["storageClassName"] = json!(class);
        }
        description["spec"]["instances"][0]["dataVolumeClaimSpec"] = claim;
        description
    };
    let class = Some(installation.name.as_str());
    for (name, class) in [("rhino", class), ("gnu", None)] {
        installation.describe(&of_class(name, class, "1Gi")).await;
    }
    for name in ["rhino", "gnu"] {
        installation.ready(name).await;
    }
    let resizing = async |name: &str, state: &str| {
        let look = |cluster: &_| condition_is(cluster, conditions::PERSISTENT_VOLUME_RESIZING, state);
        installation.until(name, look).await
    };

    installation.describe(&of_class("rhino", class, "2Gi")).await;
    let message = resizing("rhino", "True").await;
    assert!(message.contains("grows to 2Gi"), "{message}");
    // What a driver would report; the class of the test cluster has none that resizes.
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let selector = ListParams::default().labels("postgres-operator.crunchydata.com/cluster=rhino");
    let grown = claims.list(&selector).await.unwrap().items.remove(0);
    let done = json!({"status": {"capacity": {"storage": "2Gi"}}});
    claims.patch_status(&grown.name_any(), &PatchParams::default(), &Patch::Merge(done)).await.unwrap();
    let settled = |cluster: &_| match condition_is(cluster, conditions::PERSISTENT_VOLUME_RESIZING, "True") {
        Ok(message) => Err(message),
        Err(_) => condition_is(cluster, conditions::READY, "True"),
    };
    installation.until("rhino", settled).await;

    // Neither a class that can't nor a smaller size stops anything else.
    installation.describe(&of_class("rhino", class, "1Gi")).await;
    let message = resizing("rhino", "False").await;
    assert!(message.contains("can't shrink to 1Gi"), "{message}");
    installation.describe(&of_class("gnu", None, "2Gi")).await;
    let message = resizing("gnu", "False").await;
    assert!(message.contains("stays as it is") && message.contains("resize"), "{message}");
    installation.change("gnu", json!({"spec": {"users": [{"name": "keeper"}]}})).await;
    installation.ready("gnu").await;
    let primary = installation.primary("gnu").await;
    assert_eq!(installation.sql(&primary, "SELECT count(*) FROM pg_roles WHERE rolname = 'keeper'"), "1");
    installation.describe(&of_class("gnu", None, "1Gi")).await;
    installation.until("gnu", settled).await;
    let told = super::rollout::events(&installation).await;
    for reason in ["VolumesGrowing", "VolumesGrown", "VolumesNotPossible"] {
        assert!(told.contains(reason), "{reason}: {told}");
    }
    for name in ["rhino", "gnu"] {
        installation.delete(name).await;
    }
    classes.delete(&installation.name, &DeleteParams::default()).await.unwrap();
    installation.uninstall();
}
