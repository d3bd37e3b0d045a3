//! `pgherd check --probe`: pods and volumes for a moment, and nothing of them afterwards.

use std::time::Instant;

use k8s_openapi::api::{
    core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt as _, watcher},
};
use nix::{sys::signal, unistd::Pid};
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    sandbox::Ran,
};

fn check<'a>(ran: &'a Value, code: &str) -> &'a Value {
    ran["checks"].as_array().unwrap().iter().find(|check| check["code"] == code).unwrap()
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| json!({"error": error.to_string(), "ran": ran.to_string()}))
}

impl Installation {
    /// Names of everything that a probe made.
    async fn probes(&self) -> Vec<String> {
        let client = &self.cluster.client;
        let all = ListParams::default().labels("app.kubernetes.io/component=probe");
        let mut found = Vec::new();
        for namespace in [&self.home, &self.databases] {
            let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
            let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
            found.extend(
                pods.list_metadata(&all).await.unwrap().items.iter().map(kube::ResourceExt::name_any),
            );
            found.extend(
                claims.list_metadata(&all).await.unwrap().items.iter().map(kube::ResourceExt::name_any),
            );
            found.extend(
                secrets.list_metadata(&all).await.unwrap().items.iter().map(kube::ResourceExt::name_any),
            );
        }
        found
    }

    /// Both namespaces, where only pods at the strictest level get in.
    async fn make_restricted_namespaces(&self) {
        self.make_namespaces().await;
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        for name in [&self.home, &self.databases] {
            namespaces.patch(name, &PatchParams::default(), &Patch::Merge(&level)).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_pulled_and_volumes_made_for_a_moment() {
    let Some(installation) = Installation::new("probe").await else { return };
    for code in ["PG-IMAGE-01", "PG-STORAGE-03", "PG-STORAGE-04"] {
        let ran = parsed(&installation.succeed(&["check", "-o", "json"]));
        assert_eq!(check(&ran, code)["outcome"], "skipped", "{ran:#}");
    }
    let before = installation.succeed(&["check", "--probe", "-o", "json"]);
    let ran = parsed(&before);
    assert_eq!(
        check(&ran, "PG-IMAGE-01")["outcome"],
        "skipped",
        "without namespaces there is no place: {before}"
    );

    installation.make_restricted_namespaces().await;
    let good = installation.succeed(&["check", "--probe", "-o", "json"]);
    let ran = parsed(&good);
    assert_eq!(check(&ran, "PG-IMAGE-01")["outcome"], "ok", "{good}");
    assert_eq!(check(&ran, "PG-STORAGE-03")["outcome"], "ok", "{good}");
    assert_eq!(check(&ran, "PG-STORAGE-04")["outcome"], "skipped", "the class doesn't grow: {good}");
    assert!(installation.probes().await.is_empty());

    // A registry that isn't there, and a Secret for it that nobody may see.
    installation.sandbox.file(
        "pull.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: registry}\ntype: kubernetes.io/dockerconfigjson\n\
         stringData: {.dockerconfigjson: '{\"auths\": {\"127.0.0.1:9\": {\"username\": \"u\", \"password\": \"hunter2\"}}}'}\n",
    );
    installation.inventory(|text| {
        text.replace("localhost/postgres:17", "127.0.0.1:9/postgres:17")
            .replace("[images]", "[images]\npull_secret_manifests = [\"pull.yaml\"]")
    });
    let bad = installation.run(&["check", "--probe", "-o", "json", "--timeout", "60s"]);
    assert_eq!(bad.code, Some(5), "{bad}");
    let ran = parsed(&bad);
    let pull = check(&ran, "PG-IMAGE-01");
    assert_eq!(pull["outcome"], "failed", "{bad}");
    let details = pull["details"].to_string();
    assert!(details.contains("127.0.0.1:9/postgres:17") && details.contains("connection refused"), "{bad}");
    assert!(!bad.to_string().contains("hunter2"), "{bad}");
    // The volume doesn't depend on the image.
    assert_eq!(check(&ran, "PG-STORAGE-03")["outcome"], "ok", "{bad}");
    assert!(installation.probes().await.is_empty());
    installation.delete_namespaces().await;
}

/// A class of the test's own.
async fn class(installation: &Installation, suffix: &str, provisioner: &str) -> String {
    let classes: Api<StorageClass> = Api::all(installation.cluster.client.clone());
    let name = format!("{}-{suffix}", installation.name);
    let class = json!({
        "metadata": {"name": name}, "provisioner": provisioner, "allowVolumeExpansion": true,
        "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete",
    });
    classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    name
}

/// Gives claims of a namespace the size that they ask for, as the resizer of a real provisioner does.
async fn resize(claims: Api<PersistentVolumeClaim>) {
    let mut changes = std::pin::pin!(watcher(claims.clone(), watcher::Config::default()).applied_objects());
    while let Some(claim) = futures::StreamExt::next(&mut changes).await {
        let Ok(claim) = claim else { continue };
        let asked = claim.spec.as_ref().and_then(|spec| spec.resources.clone()?.requests).unwrap_or_default();
        let status = claim.status.clone().unwrap_or_default();
        if status.phase.as_deref() == Some("Bound") && status.capacity.as_ref() != Some(&asked) {
            let patch = json!({"status": {"capacity": asked}});
            let name = claim.name_any();
            // It may be gone by now.
            claims.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_are_not_made_or_dont_grow_are_told_with_the_reason() {
    let Some(installation) = Installation::new("stuck").await else { return };
    let client = installation.cluster.client.clone();
    installation.make_restricted_namespaces().await;
    let growing = class(&installation, "growing", "rancher.io/local-path").await;
    let nobody = class(&installation, "nobody", "example.com/nobody").await;

    let set = |class: &str| format!("storage1.class={class}");
    let stuck =
        installation.run(&["check", "--probe", "-o", "json", "--timeout", "12s", "--set", &set(&nobody)]);
    let ran = parsed(&stuck);
    let bound = check(&ran, "PG-STORAGE-03");
    assert_eq!(bound["outcome"], "failed", "{stuck}");
    assert!(
        bound["message"].to_string().contains("example.com/nobody"),
        "what Kubernetes waits for: {stuck}"
    );

    // Nobody makes these volumes larger,
    let flags = ["check", "--probe", "-o", "json", "--timeout", "20s", "--set", &set(&growing)];
    let small = installation.run(&flags);
    let ran = parsed(&small);
    assert_eq!(check(&ran, "PG-STORAGE-03")["outcome"], "ok", "{small}");
    assert_eq!(check(&ran, "PG-STORAGE-04")["outcome"], "failed", "{small}");
    // until somebody does.
    let resizer = tokio::spawn(resize(Api::namespaced(client.clone(), &installation.databases)));
    let grown = installation.run(&flags);
    resizer.abort();
    let ran = parsed(&grown);
    assert_eq!(check(&ran, "PG-STORAGE-04")["outcome"], "ok", "{grown}");
    assert!(installation.probes().await.is_empty());

    let classes: Api<StorageClass> = Api::all(client);
    for name in [&growing, &nobody] {
        classes.delete(name, &DeleteParams::default()).await.unwrap();
    }
    installation.delete_namespaces().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_probe_removes_what_it_made_and_a_killed_ones_is_removed_by_the_next() {
    let Some(installation) = Installation::new("ended").await else { return };
    installation.make_restricted_namespaces().await;
    // It waits for an image that can't come as long as it may.
    let nobody = class(&installation, "nobody", "example.com/nobody").await;
    let set = format!("storage1.class={nobody}");
    let start = || installation.start(&["check", "--probe", "--set", &set]);
    let made = async || {
        let begun = Instant::now();
        while installation.probes().await.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "the probe made nothing");
        }
    };

    let mut child = start();
    made().await;
    signal::kill(Pid::from_raw(child.id().cast_signed()), signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(installation.probes().await, Vec::<String>::new());

    let mut child = start();
    made().await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!installation.probes().await.is_empty(), "nobody was there to remove them");
    let next = installation.succeed(&["check", "--probe"]);
    assert!(next.stdout.contains("images can be pulled"), "{next}");
    assert!(next.stderr.contains("making pods and volumes"), "it says what it does: {next}");
    assert!(next.stderr.contains(&installation.databases), "and where: {next}");
    assert_eq!(installation.probes().await, Vec::<String>::new());

    let classes: Api<StorageClass> = Api::all(installation.cluster.client.clone());
    classes.delete(&nobody, &DeleteParams::default()).await.unwrap();
    installation.delete_namespaces().await;
}
