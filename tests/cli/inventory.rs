//! Inventories with mistakes, on their way to `inventory check` and to `install`.

use crate::sandbox::Sandbox;

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

fn check(text: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", text);
    sandbox.run(&["inventory", "check", "pgherd.toml"]).to_string()
}

#[test]
fn the_minimal_inventory_is_right() {
    insta::assert_snapshot!(check(MINIMAL));
}

#[test]
fn a_file_that_is_not_toml() {
    insta::assert_snapshot!(check("installation:\n  name: pgherd\n"));
}

#[test]
fn missing_keys() {
    let text = MINIMAL.replace("namespace = \"pgherd\"       # where the operator runs\n", "");
    insta::assert_snapshot!(check(&text.replace("size = \"1Gi\"\n", "")));
}

#[test]
fn a_storage_that_does_not_exist() {
    insta::assert_snapshot!(check(&MINIMAL.replace("primary = \"standard\"", "primary = \"standart\"")));
}

#[test]
fn unknown_keys() {
    insta::assert_snapshot!(check(
        &MINIMAL.replace("size =", "syze =").replace("[storage1]", "[storage1]\ncolour = 1")
    ));
}

#[test]
fn every_example_is_right() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/inventory");
    let mut seen = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let ran = Sandbox::new().run(&["inventory", "check", &path.to_string_lossy()]);
        assert_eq!(ran.code, Some(0), "{ran}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn mistakes_are_data_too() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", &MINIMAL.replace("1Gi", "1Gb"));
    let ran = sandbox.run(&["inventory", "check", "pgherd.toml", "-o", "json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    let document: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(document["exit"], 3);
    assert_eq!(document["diagnostics"][0]["code"], "PG-INV-07");
}

#[test]
fn install_looks_at_the_inventory_before_the_cluster() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", "x = 1\n");
    let ran = sandbox.run(&["install", "-i", "pgherd.toml", "-y"]);
    assert_eq!(ran.code, Some(3), "{ran}");
}

#[test]
fn install_without_an_inventory() {
    insta::assert_snapshot!(Sandbox::new().run(&["install"]));
}

#[test]
fn a_file_that_does_not_exist() {
    insta::assert_snapshot!(Sandbox::new().run(&["install", "-i", "missing.toml"]));
}
