//! What is written, and what stays as it was.

use super::*;

const FILE: &str = r#"# ours
[installation]
name = "pgherd" # the name
namespace = "pgo"

[namespaces]
watched = [
    "red",   # the red team
    "blue",  # the blue team
]

[images]
postgres = { 17 = "localhost/postgres:17" }
"#;

fn draft() -> Draft {
    Draft::of(FILE).unwrap()
}

#[test]
fn what_is_set_to_what_it_is_changes_nothing() {
    let mut draft = draft();
    draft.set_text("installation.name", "pgherd");
    draft.set_text("namespaces.watched", "red,blue");
    draft.set_text("images.postgres.17", "localhost/postgres:17");
    assert_eq!(draft.text(), FILE);
}

#[test]
fn comments_and_order_stay() {
    let mut draft = draft();
    draft.set_text("installation.name", "other");
    draft.set_text("namespaces.watched", "blue, green");
    draft.set_text("images.operator", "localhost/pgherd:dev");
    draft.set_text("images.postgres.18", "localhost/postgres:18");
    draft.set_text("defaults.storage.primary", "fast");
    insta::assert_snapshot!(draft.text());
}

#[test]
fn settings_are_read_as_they_would_be_typed() {
    let draft = draft();
    assert_eq!(draft.get("namespaces.watched").unwrap(), "red, blue");
    assert_eq!(draft.get("images.postgres.17").unwrap(), "localhost/postgres:17");
    assert_eq!(draft.get("images"), None);
    assert_eq!(draft.keys("images.postgres"), ["17"]);
}

#[test]
fn a_table_goes_with_its_last_setting() {
    let mut draft = draft();
    draft.remove("namespaces.watched");
    draft.remove("s3.bucket");
    assert!(!draft.has("namespaces") && draft.has("installation.name"));
}

#[test]
fn a_new_file_is_in_order_and_commented() {
    let mut draft = Draft::fresh();
    draft.set_text("defaults.storage.primary", "standard");
    draft.set_text("defaults.replicas", "1");
    draft.set_text("storage2.name", "slow");
    draft.set_text("storage1.size", "1Gi");
    draft.set_text("storage1.name", "standard");
    draft.set_text("images.postgres.17", "localhost/postgres:17");
    draft.set_text("installation.name", "pgherd");
    insta::assert_snapshot!(draft.text());
}

#[test]
fn a_mistake_is_found_at_its_setting() {
    let mut draft = draft();
    draft.set_text("installation.name", "Other");
    draft.set_text("resource1.requests_cpu", "2");
    draft.set_text("resource1.limits_cpu", "1");
    let file = Path::new("pgherd.toml");
    let codes = |paths: &[&str]| -> Vec<Code> {
        draft.mistakes(paths, file).iter().map(|mistake| mistake.code).collect()
    };
    assert_eq!(codes(&["installation.name"]), [Code::Name]);
    assert_eq!(codes(&["installation.namespace"]), []);
    assert_eq!(codes(&["resource1.limits_cpu"]), [Code::LimitBelowRequest]);
}
