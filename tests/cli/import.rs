//! Inventories of the 4.x installer on their way to one of pgherd's own.

use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::Sandbox;

const INVENTORY: &str = include_str!("../../src/inventory/import/fixtures/inventory-4.2.4.ini");
const VALUES: &str = include_str!("../../src/inventory/import/fixtures/values-4.7.yaml");
const METRICS: &str = include_str!("../../src/inventory/import/fixtures/metrics-4.7.yaml");

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("ansible/inventory", INVENTORY);
    sandbox
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.home()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_inventory_of_4_2_4_is_taken_over_and_passes_the_check() {
    let sandbox = sandbox();
    insta::assert_snapshot!(sandbox.run(&["inventory", "import", "ansible/inventory", "-o", "pgherd.toml"]));
    assert_eq!(names(&sandbox), ["ansible", "pgherd.toml", "pgherd.toml.import.md"]);
    let checked = sandbox.run(&["inventory", "check", "pgherd.toml"]);
    assert_eq!(checked.code, Some(0), "{checked}");
    let shown = sandbox.run(&["inventory", "show", "pgherd.toml", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let size =
        shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == "storage5.size").unwrap();
    assert_eq!(size["value"], "\"300M\"");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let sandbox = sandbox();
    sandbox.file("pgherd.toml", "mine");
    let import = ["inventory", "import", "ansible/inventory", "-o", "pgherd.toml"];
    insta::assert_snapshot!(sandbox.run(&import));
    assert_eq!(fs_err::read_to_string(sandbox.home().join("pgherd.toml")).unwrap(), "mine");
    assert_eq!(names(&sandbox), ["ansible", "pgherd.toml"]);
    let forced = sandbox.run(&[&import[..], &["--force"]].concat());
    assert_eq!(forced.code, Some(0), "{forced}");
}

#[test]
fn what_is_unsafe_is_told_all_at_once_and_nothing_is_written() {
    let sandbox = sandbox();
    sandbox.file(
        "more",
        "[all:vars]\nstorage5_size='1X'\nreplica_storage='fasst'\ndb_name={{ lookup('env', 'DB') }}\noops\n",
    );
    let files = ["inventory", "import", "ansible/inventory", "more", "-o", "pgherd.toml"];
    insta::assert_snapshot!(sandbox.run(&files));
    assert_eq!(names(&sandbox), ["ansible", "more"]);
    insta::assert_snapshot!("lenient", sandbox.run(&[&files[..], &["--lenient"]].concat()));
}

#[test]
fn what_is_right_alone_and_wrong_together_is_unsafe_too() {
    let sandbox = sandbox();
    sandbox.file("s3.yaml", "backrest_aws_s3_bucket: backups\nbackrest_aws_s3_region: eu\n");
    insta::assert_snapshot!(sandbox.run(&["inventory", "import", "ansible/inventory", "s3.yaml"]));
}

#[test]
fn secrets_go_to_files_that_only_their_owner_reads() {
    let sandbox = Sandbox::new();
    sandbox.file("values.yaml", VALUES);
    sandbox.file("metrics.yaml", METRICS);
    let ran = sandbox.run(&[
        "inventory",
        "import",
        "values.yaml",
        "metrics.yaml",
        "--to",
        "new.toml",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["valid"], true);
    assert_eq!(document["written"]["secrets"][0], "new.toml.secrets/grafana-admin-password");
    assert_eq!(document["report"]["release"], "4.7.10");
    let secret = sandbox.home().join("new.toml.secrets/grafana-admin-password");
    assert_eq!(fs_err::read_to_string(&secret).unwrap(), "admin");
    assert_eq!(fs_err::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn without_a_file_the_inventory_is_the_result() {
    let sandbox = Sandbox::new();
    sandbox.file("values.yaml", VALUES);
    sandbox.file("metrics.yaml", METRICS);
    let ran = sandbox.run(&["inventory", "import", "values.yaml", "metrics.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let table: toml::Table = ran.stdout.parse().unwrap();
    let variable = table["metrics"]["grafana"]["admin_password"]["env"].as_str().unwrap();
    assert!(ran.stderr.contains(variable), "{ran}");
    assert_eq!(names(&sandbox), ["metrics.yaml", "values.yaml"]);
}

#[test]
fn what_is_no_old_inventory_is_told() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", include_str!("../../inventory/minimal.toml"));
    insta::assert_snapshot!("already_ours", sandbox.run(&["inventory", "import", "pgherd.toml"]));
    insta::assert_snapshot!("not_there", sandbox.run(&["inventory", "import", "missing"]));
    insta::assert_snapshot!("no_file_named", sandbox.run(&["inventory", "check", "-o", "pgherd.toml"]));
}
