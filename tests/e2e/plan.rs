//! What an installation would do, told beforehand.

use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::cluster::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_the_installation_then_does() {
    let Some(installation) = Installation::new("planned").await else { return };
    let plan = |arguments: &[&str]| -> Value {
        let ran = installation.succeed(&[&["plan", "-o", "json"], arguments].concat());
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let first = plan(&[]);
    assert_eq!((&first["change"], &first["remove"]), (&json!(0), &json!(0)), "{first:#}");
    assert!(installation.objects(|_| ()).await.is_empty(), "a plan writes nothing");
    let ran = installation.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(ran.code, Some(10), "{ran}");

    let installed = installation.succeed(&["install", "-y", "-o", "json"]);
    let installed: Value = serde_json::from_str(&installed.stdout).unwrap();
    assert_eq!(first["create"], installed["created"]);

    let ran = installation.succeed(&["plan", "--detailed-exitcode"]);
    assert!(ran.stdout.contains("Nothing to do"), "{ran}");

    let ran = installation.succeed(&["plan", "--set", "installation.debug=true"]);
    assert!(ran.stdout.contains("rolls the operator, databases run on"), "{ran}");
    assert!(ran.stdout.contains("spec.template.spec.containers[operator].command"), "{ran}");
    assert!(!ran.stdout.contains("eyJ"), "what is in Secrets stays there: {ran}");
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_gets_a_plan_that_says_what_it_could_not_see() {
    let Some(installation) = Installation::new("reader").await else { return };
    installation.succeed(&["install", "-y"]);
    let client = installation.cluster.client.clone();
    let token = installation.account("reader").await;
    let bindings: Api<ClusterRoleBinding> = Api::all(client);
    let binding = json!({
        "metadata": {
            "name": format!("{}-reader", installation.name),
            "labels": {"app.kubernetes.io/instance": installation.name},
        },
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": installation.home}],
    });
    let binding =
        bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let ran = installation.sandbox.run(&[
        "plan",
        "-i",
        "pgherd.toml",
        "--kubeconfig",
        "reader.conf",
        "--set",
        "installation.debug=true",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let deployment =
        plan["objects"].as_array().unwrap().iter().find(|row| row["kind"] == "Deployment").unwrap();
    assert_eq!(deployment["action"], "change", "{plan:#}");
    let blind = plan["blind"].to_string();
    for words in ["what was installed before is unknown", "certificates can't be seen", "could not be asked"]
    {
        assert!(blind.contains(words), "{words}: {blind}");
    }
    assert!(!ran.stdout.contains(&token) && !ran.stderr.contains(&token));

    bindings.delete(&binding.metadata.name.unwrap(), &kube::api::DeleteParams::default()).await.unwrap();
    installation.uninstall();
}
