//! Updating an installation while a database is written to, and going back when that fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{cluster::Installation, databases::described};

async fn operator_image(installation: &Installation) -> (String, Option<i32>) {
    let deployments: Api<Deployment> =
        Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let deployment = deployments.get(&installation.name).await.unwrap();
    let image = deployment.spec.unwrap().template.spec.unwrap().containers[0].image.clone().unwrap();
    (image, deployment.status.and_then(|status| status.ready_replicas))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_rolls_the_operator_and_no_database() {
    let Some(installation) = Installation::new("updated").await else { return };
    let nothing = installation.run(&["update", "-y"]);
    assert_eq!(nothing.code, Some(7), "{nothing}");
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    let before = installation.pods().get(&primary).await.unwrap();
    installation.sql(&primary, "CREATE TABLE written (at timestamptz DEFAULT clock_timestamp())");

    let installation = Arc::new(installation);
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (installation, primary, stop) = (Arc::clone(&installation), primary.clone(), Arc::clone(&stop));
        tokio::task::spawn_blocking(move || {
            let (mut rows, begun) = (0, Instant::now());
            while !stop.load(Ordering::Relaxed) || rows < 3 {
                // Fails the test when it fails.
                installation.sql(&primary, "INSERT INTO written DEFAULT VALUES");
                rows += 1;
                assert!(begun.elapsed() < Duration::from_mins(5), "the update never ended");
            }
            rows
        })
    };
    let updated = {
        let installation = Arc::clone(&installation);
        let update = ["update", "-y", "--set", "installation.debug=true", "-o", "json"];
        tokio::task::spawn_blocking(move || installation.run(&update)).await.unwrap()
    };
    stop.store(true, Ordering::Relaxed);
    let rows = writer.await.unwrap();
    assert_eq!(updated.code, Some(0), "{updated}");
    let result: Value = serde_json::from_str(&updated.stdout).unwrap();
    assert_ne!(result["changed"], 0, "{result:#}");
    let after = installation.pods().get(&primary).await.unwrap();
    assert_eq!(before.uid(), after.uid(), "the database's pod is the same one");
    assert_eq!(installation.sql(&primary, "SELECT count(*) FROM written"), rows.to_string());

    // Its Patroni may still be told what to do by the operator that came up.
    installation.change("rhino", json!({"metadata": {"annotations": {"seen": "by the new one"}}})).await;
    installation.ready("rhino").await;
    installation.delete("rhino").await;
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_fails_goes_back_when_asked_to() {
    let Some(installation) = Installation::new("back").await else { return };
    installation.succeed(&["install", "-y"]);
    let before = operator_image(&installation).await;
    let ran = installation.run(&[
        "update",
        "-y",
        "--rollback-on-failure",
        "--timeout",
        "20s",
        "--set",
        "images.operator=localhost/no-such-image:1",
        "--set",
        "images.pull_policy=Never",
    ]);
    assert_eq!(ran.code, Some(5), "{ran}");
    assert!(ran.stderr.contains("ErrImageNeverPull"), "what was seen is told: {ran}");
    assert!(ran.stderr.contains("Everything is as it was before this update"), "{ran}");
    assert_eq!(operator_image(&installation).await, before);
    let plan = installation.succeed(&["plan"]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan}");

    // A record of a newer version stands against it.
    let secrets: Api<Secret> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let name = format!("{}-installation", installation.name);
    let secret = secrets.get(&name).await.unwrap();
    let mut record: Value = serde_json::from_slice(&secret.data.unwrap()["record.json"].0).unwrap();
    record["version"] = json!("9.9.9");
    let newer = json!({"stringData": {"record.json": record.to_string()}});
    secrets.patch(&name, &PatchParams::default(), &Patch::Merge(&newer)).await.unwrap();
    let refused = installation.run(&["update", "-y"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    assert!(refused.stderr.contains("[PG-INSTALL-14]"), "{refused}");
    installation.succeed(&["update", "-y", "--allow-downgrade", "--force-conflicts"]);
    installation.uninstall();
}
