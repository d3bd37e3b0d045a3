mod mistakes;

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

fn given(flags: &[&str], variables: &[(&str, &str)]) -> Vec<Given> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags = flags.iter().map(|flag| Given::Flag((*flag).to_owned()));
    flags.chain(Given::from_environment(variables)).collect()
}

fn row(rows: &[Row], key: &str) -> (Option<String>, String) {
    let row = rows.iter().find(|row| row.key == key).unwrap();
    (row.value.clone(), row.origin.to_string())
}

#[test]
fn the_minimal_inventory_is_right_and_survives_its_record() {
    let inventory = Inventory::parse("minimal.toml", MINIMAL).unwrap();
    assert_eq!(inventory.installation.name.as_str(), "pgherd");
    assert_eq!(inventory.primary_storage().size, "1Gi".parse().unwrap());
    assert_eq!(inventory.images.postgres[&17].as_str(), "localhost/postgres:17");
    assert_eq!(inventory.postgres_version(), 17);
    let record = serde_json::to_string(&inventory).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&record).unwrap(), inventory);
}

#[test]
fn every_default_can_be_read_and_is_what_an_inventory_without_the_setting_has() {
    let checked = Checked::parse("minimal.toml", MINIMAL, &[], None).unwrap();
    let written = toml::Table::try_from(&checked.inventory).unwrap();
    for row in checked.rows.iter().filter(|row| row.origin == Origin::Default) {
        let Some(value) = &row.value else { continue };
        let found = row
            .key
            .split('.')
            .try_fold(&toml::Value::Table(written.clone()), |value, key| value.get(key))
            .cloned();
        // An empty table isn't written.
        let found = found.map_or_else(|| "{}".to_owned(), |value| value.to_string());
        assert_eq!(found.replace("{  }", "{}"), *value, "{}", row.key);
    }
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
            "storage1 is missing",
            "installation.name is missing",
            "installation.namespace is missing",
            "images.postgres is missing",
            "defaults.storage.primary is missing",
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
        ("replicas = 0", "replicas = 0\narchive_timeout = \"60\"", "PG-INV-11"),
        ("primary = \"standard\"", "primary = \"standart\"", "PG-INV-12"),
        ("container = \"small\"", "container = \"large\"", "PG-INV-13"),
        ("postgres_version = 17", "postgres_version = 16", "PG-INV-14"),
        ("replicas = 0", "replicas = 0\nschedules.full = \"0 25 * * *\"", "PG-INV-15"),
        ("replicas = 0", "replicas = 0\nallowed_networks = [\"10.0.0.1/8\"]", "PG-INV-16"),
        ("replicas = 0", "replicas = 0\ndatabase = \"template1\"", "PG-INV-17"),
        ("[storage1]", "[storage01]", "PG-INV-18"),
        ("limits_memory = \"512Mi\"", "limits_memory = \"64Mi\"", "PG-INV-20"),
        ("size = \"1Gi\"", "size = \"1Gi\"\ntype = \"static\"\nclass = \"fast\"", "PG-INV-21"),
        ("replicas = 0", "replicas = 0\nport = 9187\nexporter_port = 9187", "PG-INV-21"),
        ("size = \"1Gi\"", "size = \"1Gi\"\nmatch_labels = { zone = \"red\" }", "PG-INV-22"),
        ("name = \"small\"", "", "PG-INV-03"),
        ("[storage1]", "[storag1]", "PG-INV-02"),
    ];
    for (from, to, code) in cases {
        let found = codes(&changed(from, to));
        assert!(found.contains(&code), "{to}: {found:?}");
    }
}

#[test]
fn a_file_that_ends_with_a_long_character_is_reported_on() {
    let shown = Inventory::parse("test.toml", "#\u{fffc}").unwrap_err().render(false);
    assert!(shown.contains("storage1 is missing"), "{shown}");
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
    let source = changed("container = \"small\"", "container = \"smal\"").trim_end().to_owned();
    let shown = Inventory::parse("test.toml", &source).unwrap_err().render(false);
    assert!(shown.contains("container = \"smal\""), "{shown}");
}

#[test]
fn a_secret_in_the_file_is_warned_about_and_never_shown() {
    let s3 = "\n[s3]\nbucket = \"backups\"\nendpoint = \"minio:9000\"\nregion = \"eu\"\nkey = \"id\"\nsecret = \"hunter2\"\n";
    let checked = Checked::parse("test.toml", &format!("{MINIMAL}{s3}"), &[], None).unwrap();
    let mistakes = checked.warnings.mistakes();
    assert!(mistakes.iter().any(|mistake| mistake.code == Code::PlainSecret));
    let everything = [
        checked.warnings.render(false),
        serde_json::to_string(&checked.warnings).unwrap(),
        serde_json::to_string(&checked.rows).unwrap(),
        serde_json::to_string(&checked.inventory).unwrap(),
        format!("{checked:?}"),
    ];
    for text in everything {
        assert!(!text.contains("hunter2"), "{text}");
    }
    // Also not when the line is wrong for another reason.
    for line in ["secret = \"hunter2\" x", "secret = { fil = \"hunter2\" }", "secret = [\"hunter2\"]"] {
        let source = format!("{MINIMAL}{}", s3.replace("secret = \"hunter2\"", line));
        let report = Inventory::parse("test.toml", &source).unwrap_err();
        assert!(!report.render(false).contains("hunter2"), "{}", report.render(false));
        assert!(!serde_json::to_string(&report).unwrap().contains("hunter2"));
    }
}

#[test]
fn a_flag_wins_over_a_variable_and_both_over_the_file() {
    let given = given(
        &["defaults.replicas=2", "namespaces.watched=orders, billing"],
        &[("PGHERD_DEFAULTS__REPLICAS", "1"), ("PGHERD_STORAGE1__SIZE", "5Gi"), ("PGHERD_NAMESPACE", "x")],
    );
    let Checked { inventory, rows, .. } = Checked::parse("test.toml", MINIMAL, &given, None).unwrap();
    assert_eq!(inventory.defaults.replicas.get(), 2);
    assert_eq!(inventory.watched().len(), 2);
    assert_eq!(row(&rows, "defaults.replicas"), (Some("2".into()), "--set".into()));
    assert_eq!(row(&rows, "storage1.size"), (Some("\"5Gi\"".into()), "$PGHERD_STORAGE1__SIZE".into()));
    assert_eq!(row(&rows, "installation.name"), (Some("\"pgherd\"".into()), "line 4".into()));
    assert_eq!(row(&rows, "defaults.port"), (Some("5432".into()), "default".into()));
    assert_eq!(row(&rows, "storage1.class"), (None, "default".into()));
}

#[test]
fn keys_of_a_map_can_be_set_one_by_one() {
    let given = given(
        &["images.postgres.17=localhost/other:17", "images.digests.localhost/pgherd:dev=sha256:short"],
        &[("PGHERD_IMAGES__POSTGRES__16", "localhost/postgres:16")],
    );
    let report = Checked::parse("test.toml", MINIMAL, &given, None).unwrap_err();
    let codes: Vec<_> = report.mistakes().iter().map(|mistake| mistake.code).collect();
    assert_eq!(codes, [Code::Text], "{}", report.render(false));
    let good: Vec<_> = given.into_iter().filter(|given| !format!("{given:?}").contains("short")).collect();
    let Checked { inventory, rows, .. } = Checked::parse("test.toml", MINIMAL, &good, None).unwrap();
    assert_eq!(inventory.images.postgres[&17].as_str(), "localhost/other:17");
    assert_eq!(inventory.images.postgres[&16].as_str(), "localhost/postgres:16");
    let images = "{ 16 = \"localhost/postgres:16\", 17 = \"localhost/other:17\" }";
    assert_eq!(row(&rows, "images.postgres").0.as_deref(), Some(images));
    // Also when the file has no such map at all.
    let without = changed("[images.postgres]\n17 = \"localhost/postgres:17\"", "");
    assert_eq!(
        Checked::parse("test.toml", &without, &good, None).unwrap().inventory.images.postgres.len(),
        2
    );
}

#[test]
fn mistakes_of_flags_and_variables_are_shown_where_they_were_made() {
    let given = given(
        &["storage1.sise=2Gi", "defaults.replicas=many", "nonsense"],
        &[("PGHERD_STORAGE1__ACCESS_MODE", "ReadWriteTwice"), ("PGHERD_S3__SEKRET", "hunter2")],
    );
    let report = Checked::parse("test.toml", MINIMAL, &given, None).unwrap_err();
    let shown = report.render(false);
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn images_are_completed_and_rewritten() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let images = format!(
        "[images]\nregistry = \"registry.example.com\"\nprefix = \"db\"\ntag = \"1.2\"\n\
         digests = {{ \"registry.example.com/db/postgres:17.6\" = \"{digest}\" }}\n\
         mirrors = {{ \"registry.example.com/\" = \"mirror.local:5000/hub/\" }}\n"
    );
    let source = changed("[images]\noperator = \"localhost/pgherd:dev\"\n", &images)
        .replace("\"localhost/postgres:17\"", "\"postgres:17.6\"\n15 = \"other.example.com/pg:15\"");
    let inventory =
        Inventory::parse("test.toml", &source).unwrap_or_else(|report| panic!("{}", report.render(false)));
    assert_eq!(inventory.images.operator.as_str(), "mirror.local:5000/hub/db/pgherd:1.2");
    assert_eq!(
        inventory.images.postgres[&17].as_str(),
        format!("mirror.local:5000/hub/db/postgres:17.6@{digest}")
    );
    assert_eq!(inventory.images.postgres[&15].as_str(), "other.example.com/pg:15");
}

mod properties {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A line of the minimal inventory, what to make of it, and the code that this has. Each leaves the others findable.
    const MISTAKES: &[(&str, &str, &str)] = &[
        ("name = \"pgherd\" ", "name = \"Pgherd\" ", "PG-INV-05"),
        ("namespace = \"pgherd\"", "namespcae = \"pgherd\"", "PG-INV-02"),
        ("watched = [\"postgres-operator\"]", "watched = [\"a\", \"a\"]", "PG-INV-10"),
        ("operator = \"localhost/pgherd:dev\"", "operator = \"UPPER:dev\"", "PG-INV-06"),
        ("access_mode = \"ReadWriteOnce\"", "access_mode = \"ReadOnceWrite\"", "PG-INV-08"),
        ("size = \"1Gi\"", "size = 1", "PG-INV-04"),
        ("requests_cpu = \"50m\"", "requests_cpu = \"50q\"", "PG-INV-07"),
        ("limits_memory = \"512Mi\"", "limits_memory = \"1Mi\"", "PG-INV-20"),
        ("postgres_version = 17", "postgres_version = 9", "PG-INV-09"),
        ("replicas = 0", "archive_timeout = \"soon\"", "PG-INV-11"),
        ("primary = \"standard\"", "primary = \"standrad\"", "PG-INV-12"),
        ("container = \"small\"", "container = \"smlal\"", "PG-INV-13"),
    ];

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,200}") {
            let _ = Inventory::parse("test.toml", &text).map_err(|report| report.render(false));
        }

        #[test]
        fn nothing_that_looks_like_an_inventory_makes_it_panic(
            table in "(installation|images|storage[0-9]{0,3}|resource1|defaults|s3|metrics\\.grafana|[a-z]{1,6})",
            lines in prop::collection::vec(
                "(name|size|class|secret|watched|port|17|type|match_labels) = (\"[^\"\\\\]{0,9}\"|-?[0-9]{1,12}|true|\\[.{0,5}\\]|\\{ [a-z]{1,5} = \"x\" \\}|1.5)",
                0..6,
            ),
        ) {
            let text = format!("{MINIMAL}\n[{table}]\n{}\n", lines.join("\n"));
            let _ = Inventory::parse("test.toml", &text).map_err(|report| report.render(false));
        }

        #[test]
        fn every_mistake_is_reported_at_its_place(
            chosen in prop::collection::btree_set(0..MISTAKES.len(), 1..MISTAKES.len()),
        ) {
            let mut source = MINIMAL.to_owned();
            for &index in &chosen {
                let (from, to, _) = MISTAKES[index];
                prop_assert!(source.contains(from), "{}", from);
                source = source.replacen(from, to, 1);
            }
            let line = |text: &str| source.lines().position(|line| line.contains(text)).unwrap() + 1;
            let expected: BTreeSet<_> =
                chosen.iter().map(|&index| (line(MISTAKES[index].1), MISTAKES[index].2)).collect();
            let report = Inventory::parse("test.toml", &source).unwrap_err();
            let found: BTreeSet<_> =
                report.mistakes().iter().map(|mistake| (report.position(mistake).0, mistake.code.id())).collect();
            prop_assert!(found.is_superset(&expected), "{:?} lacks some of {:?}", found, expected);
            // A misspelt key is missing too; nothing else may come of it.
            let others: Vec<_> = found.difference(&expected).filter(|(_, code)| *code != "PG-INV-03").collect();
            prop_assert!(others.is_empty(), "{:?}", others);
        }
    }
}
