use super::*;

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

fn codes(source: &str) -> Vec<&'static str> {
    let report = Inventory::parse("test.toml", source).unwrap_err();
    report.mistakes().iter().map(|mistake| mistake.code.id()).collect()
}

fn changed(from: &str, to: &str) -> String {
    assert!(MINIMAL.contains(from), "{from:?}");
    MINIMAL.replace(from, to)
}

#[test]
fn the_minimal_inventory_is_right_and_survives_its_record() {
    let inventory = Inventory::parse("minimal.toml", MINIMAL).unwrap();
    assert_eq!(inventory.installation.name.as_str(), "pgherd");
    assert_eq!(inventory.defaults.storage.size, "1Gi".parse().unwrap());
    assert_eq!(inventory.images.postgres[&17].as_str(), "localhost/postgres:17");
    let record = serde_json::to_string(&inventory).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&record).unwrap(), inventory);
}

#[test]
fn a_file_that_is_not_toml_is_only_that() {
    let codes = codes("installation:\n  name: x\n");
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "PG-INV-01"), "{codes:?}");
}

#[test]
fn an_empty_file_lacks_everything_at_once() {
    let report = Inventory::parse("test.toml", "").unwrap_err();
    let messages: Vec<_> = report.mistakes().iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "installation is missing",
            "namespaces is missing",
            "images is missing",
            "storage1 is missing",
            "defaults is missing"
        ]
    );
    assert!(report.render(false).contains("5 errors"));
}

#[test]
fn single_mistakes_have_their_codes() {
    let cases = [
        ("size = \"1Gi\"", "size = 1", "PG-INV-04"),
        ("size = \"1Gi\"", "size = \"1Gb\"", "PG-INV-07"),
        ("size = \"1Gi\"", "sise = \"1Gi\"\nsize = \"1Gi\"", "PG-INV-02"),
        ("namespace = \"pgherd\"", "namespace = \"Pgherd\"", "PG-INV-05"),
        ("\"localhost/postgres:17\"", "\"localhost/postgres\"", "PG-INV-06"),
        ("ReadWriteOnce", "ReadWriteTwice", "PG-INV-08"),
        ("replicas = 0", "replicas = -1", "PG-INV-09"),
        ("[\"postgres-operator\"]", "[\"a\", \"a\"]", "PG-INV-10"),
        ("primary = \"standard\"", "primary = \"standart\"", "PG-INV-12"),
        ("primary = \"small\"", "primary = \"large\"", "PG-INV-13"),
        ("postgres_version = 17", "postgres_version = 16", "PG-INV-14"),
        ("limits_memory = \"512Mi\"", "limits_memory = \"64Mi\"", "PG-INV-20"),
        ("name = \"small\"", "", "PG-INV-03"),
        ("[storage1]", "[storag1]", "PG-INV-02"),
    ];
    for (from, to, code) in cases {
        let found = codes(&changed(from, to));
        assert!(found.contains(&code), "{to}: {found:?}");
    }
}

#[test]
fn several_mistakes_are_reported_together_in_the_order_of_the_file() {
    let source = changed("size = \"1Gi\"", "size = \"1Gb\"").replace("replicas = 0", "replicsa = 0");
    assert_eq!(codes(&source), ["PG-INV-07", "PG-INV-02"]);
}

#[test]
fn a_report_shows_the_place_and_the_nearest_name() {
    let source = changed("primary = \"standard\"", "primary = \"standart\"")
        .replace("limits_memory = \"512Mi\"", "limits_memory = \"64Mi\"");
    let report = Inventory::parse("inventory/test.toml", &source).unwrap_err();
    insta::assert_snapshot!(report.render(false));
    insta::assert_json_snapshot!(report);
}

#[test]
fn the_last_line_without_a_newline_is_shown_too() {
    let source = changed("primary = \"small\"", "primary = \"smal\"").trim_end().to_owned();
    assert!(Inventory::parse("test.toml", &source).unwrap_err().render(false).contains("primary = \"smal\""));
}
