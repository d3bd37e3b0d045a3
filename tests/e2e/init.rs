//! What `init` makes of a real cluster.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use pgherd::inventory::Inventory;

use crate::cluster::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn what_init_proposes_fits_the_cluster() {
    let Some(installation) = Installation::new("init").await else { return };
    let run = |arguments: &[&str]| {
        let output = installation.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let [name, home, databases] = [
        format!("installation.name={}", installation.name),
        format!("installation.namespace={}", installation.home),
        format!("namespaces.watched={}", installation.databases),
    ];
    let init = ["init", "site.toml", "--defaults", "--set", &name, "--set", &home, "--set", &databases];
    let (_, seen) = run(&init);
    assert!(!seen.contains("can't be seen") && !seen.contains("lack the rights"), "{seen}");

    let classes: Api<StorageClass> = Api::all(installation.cluster.client.clone());
    let classes = classes.list(&kube::api::ListParams::default()).await.unwrap();
    for class in classes {
        let class = class.metadata.name.unwrap();
        assert!(seen.contains(&class), "the class {class} is missing in {seen}");
    }
    let text = fs_err::read_to_string(installation.sandbox.home().join("site.toml")).unwrap();
    let inventory = Inventory::parse("site.toml", &text).unwrap();
    assert_eq!(inventory.watched()[0].as_str(), installation.databases);

    // A dry run of the server takes all of it, and a second run changes nothing.
    run(&["plan", "-i", "site.toml"]);
    let (again, _) = run(&init);
    assert!(again.contains("stays as it is"), "{again}");
}
