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
fn install_tells_of_the_inventory_and_its_warnings_before_it_looks_for_a_cluster() {
    let sandbox = Sandbox::new();
    sandbox.file("sub/pgherd.toml", &MINIMAL.replace("replicas = 0", "replicas = 0\nfailover = false"));
    let install = ["install", "-i", "sub/pgherd.toml", "-y"];
    insta::assert_snapshot!(sandbox.run(&install));
    // Warnings are not progress: `-q` leaves them.
    let quiet = sandbox.run(&[&install[..], &["-q"]].concat());
    assert!(quiet.stderr.contains("warning[PG-INV-32]") && !quiet.stderr.contains("Inventory  "), "{quiet}");
    sandbox.file("sub/pgherd.toml", MINIMAL);
    let without = sandbox.run(&[&install[..], &["--set", "defaults.replicas=2"]].concat());
    assert!(without.stderr.contains(" defaults, no warnings\n"), "{without}");
}

#[test]
fn install_without_an_inventory() {
    insta::assert_snapshot!(Sandbox::new().run(&["install"]));
}

#[test]
fn a_file_that_does_not_exist() {
    insta::assert_snapshot!(Sandbox::new().run(&["install", "-i", "missing.toml"]));
}

const OLD: &str = include_str!("../../src/inventory/import/fixtures/inventory-4.2.4.ini");

#[test]
fn an_old_inventory_is_imported_and_passes_the_check() {
    let sandbox = Sandbox::new();
    sandbox.file("inventory", OLD);
    insta::assert_snapshot!(
        sandbox.run(&["inventory", "import", "inventory", "--to", "pgherd.toml"]).to_string()
    );
    insta::assert_snapshot!(sandbox.run(&["inventory", "check", "pgherd.toml"]).to_string());
    let again = sandbox.run(&["inventory", "import", "inventory", "--to", "pgherd.toml"]).to_string();
    assert!(again.contains("is there already"), "{again}");
}

#[test]
fn an_old_inventory_that_is_not_safe_to_import() {
    let sandbox = Sandbox::new();
    sandbox.file("inventory", &OLD.replace("storage1_size='1G'", "storage1_size='1X'"));
    insta::assert_snapshot!(
        sandbox.run(&["inventory", "import", "inventory", "--to", "pgherd.toml"]).to_string()
    );
    assert!(sandbox.run(&["inventory", "check", "pgherd.toml"]).to_string().contains("can't be read"));
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", MINIMAL);
    let shown =
        sandbox.run(&["inventory", "show", "pgherd.toml", "--set", "defaults.replicas=2"]).to_string();
    insta::assert_snapshot!(shown);
    let resolved = sandbox.run(&["inventory", "show", "pgherd.toml", "--resolved"]).to_string();
    assert!(resolved.contains("defaults.port") && resolved.contains("5432"), "{resolved}");
}

#[test]
fn settings_and_codes_are_explained() {
    let sandbox = Sandbox::new();
    for (key, words) in [
        ("storage1.size", "storage<ID>.size"),
        ("pgo_operator_namespace", "installation.namespace"),
        ("storage3_access_mode", "ReadWriteMany"),
        ("storge1.size", "Did you mean `storage<ID>.size`?"),
    ] {
        let explained = sandbox.run(&["inventory", "explain", key]).to_string();
        assert!(explained.contains(words), "{key}: {explained}");
    }
    insta::assert_snapshot!(sandbox.run(&["explain", "pg-inv-12"]).to_string());
    assert!(sandbox.run(&["explain", "PG-INV-99"]).to_string().contains("there is no code"));
}
