//! What the program says of itself.

use crate::sandbox::Sandbox;

#[test]
fn help_lists_the_verbs() {
    insta::assert_snapshot!(Sandbox::new().run(&["--help"]));
}

#[test]
fn an_unknown_verb_is_a_usage_error() {
    insta::assert_snapshot!(Sandbox::new().run(&["instal"]));
}

#[test]
fn completion_needs_no_cluster() {
    let ran = Sandbox::new().run(&["completion", "bash"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("pgherd") && ran.stderr.is_empty());
}

#[test]
fn the_result_is_on_standard_output_in_the_form_asked_for() {
    let sandbox = Sandbox::new();
    let json = sandbox.run(&["version", "--client", "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(value["client"], pgherd::VERSION);
    let yaml = sandbox.run(&["version", "--client", "-o", "yaml"]);
    assert_eq!(yaml.stdout.trim(), format!("client: \"{}\"", pgherd::VERSION));
}
