//! Without a terminal.

use serde_json::{Value, json};

use crate::{
    api_server::{self, Contents, storage_class},
    sandbox::{Ran, Sandbox},
};

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

fn with_classes(classes: Vec<Value>) -> Sandbox {
    let sandbox = Sandbox::new();
    let contents = Contents { storage_classes: classes, ..Contents::default() };
    sandbox.file(".kube/config", &api_server::start(contents, &["here"]));
    sandbox
}

fn defaults(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.run(&[&["init", "--defaults"], more].concat())
}

#[test]
fn without_a_terminal_it_has_to_be_told_to_guess() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["init"]));
    assert!(!sandbox.home().join("pgherd.toml").exists());
}

#[test]
fn everything_can_be_guessed_without_a_cluster() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(defaults(&sandbox, &[]));
    let check = sandbox.run(&["inventory", "check", "pgherd.toml"]);
    assert_eq!(check.code, Some(0), "{check}");
    let again = defaults(&sandbox, &[]);
    assert!(again.stdout.contains("stays as it is"), "{again}");
}

#[test]
fn what_was_written_is_data_too() {
    let sandbox = with_classes(vec![storage_class("only", false, true)]);
    let ran = defaults(&sandbox, &["site.toml", "--set", "defaults.replicas=2", "-o", "json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let written: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&written["file"], &written["changed"]), (&"site.toml".into(), &true.into()));
    let value = |key: &str| {
        let settings = written["settings"].as_array().unwrap();
        settings
            .iter()
            .find(|setting| setting["key"] == key)
            .map(|setting| setting["value"].as_str().unwrap())
    };
    assert_eq!(value("storage1.class"), Some("\"only\""));
    assert_eq!(value("defaults.replicas"), Some("2"));
    assert_eq!(value("defaults.port"), None);
}

#[test]
fn what_cannot_be_guessed_is_asked_for() {
    let sandbox = with_classes(vec![storage_class("a", false, true), storage_class("b", false, true)]);
    let ran = defaults(&sandbox, &[]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("--set storage1.class=NAME"), "{ran}");
    assert!(!sandbox.home().join("pgherd.toml").exists());
    let ran = defaults(&sandbox, &["--set", "storage1.class=b"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn a_server_that_is_not_there_is_told_and_gone_without() {
    let sandbox = Sandbox::new();
    let config = api_server::start(Contents::default(), &["here"]);
    let server = config.split('"').nth(1).unwrap();
    sandbox.file(".kube/config", &config.replace(server, "http://127.0.0.1:1"));
    let ran = defaults(&sandbox, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("can't be reached"), "{ran}");
}

#[test]
fn what_may_not_be_looked_at_is_told() {
    let sandbox = Sandbox::new();
    let forbidden = vec!["storageclasses", "secrets"];
    let contents = Contents { forbidden, namespaces: vec!["apps"], ..Contents::default() };
    sandbox.file(".kube/config", &api_server::start(contents, &["here"]));
    let ran = defaults(&sandbox, &[]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for told in ["storage classes can't be seen", "installations can't be seen", "you lack the rights to"] {
        assert!(ran.stderr.contains(told), "{ran}");
    }
}

#[test]
fn a_file_with_mistakes_is_not_touched() {
    for (text, code) in
        [("installation:\n", "PG-INV-01"), (&*MINIMAL.replace("size =", "syze ="), "PG-INV-02")]
    {
        let sandbox = Sandbox::new();
        sandbox.file("pgherd.toml", text);
        let ran = defaults(&sandbox, &[]);
        assert_eq!(ran.code, Some(3), "{ran}");
        assert!(ran.stderr.contains(code), "{ran}");
        assert_eq!(fs_err::read_to_string(sandbox.home().join("pgherd.toml")).unwrap(), text);
    }
}

#[test]
fn a_file_that_is_right_stays_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", MINIMAL);
    let ran = defaults(&sandbox, &["-i", "pgherd.toml"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(fs_err::read_to_string(sandbox.home().join("pgherd.toml")).unwrap(), MINIMAL);
}

#[test]
fn settings_that_do_not_exist_are_refused() {
    let ran = defaults(&Sandbox::new(), &["--set", "defaults.replica=2"]);
    assert_eq!(ran.code, Some(7), "{ran}");
    assert!(ran.stderr.contains("there is no setting defaults.replica"), "{ran}");
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let ran = defaults(&Sandbox::new(), &["missing/pgherd.toml"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("there is no folder missing"), "{ran}");
}

#[test]
fn a_file_of_somebody_is_not_changed_without_a_yes() {
    let sandbox = Sandbox::new();
    let store =
        "[s3]\nbucket = \"backups\"\nendpoint = \"s3.example.com\"\nregion = \"here\"\nkey = \"AKIA\"";
    let with_secret = format!("{MINIMAL}\n{store}\nsecret = \"hunter1\" # soon elsewhere\n");
    let set = ["--set", "defaults.replicas=2", "--set", "s3.secret=hunter2"];
    let path = sandbox.file("pgherd.toml", &with_secret);
    let ran = defaults(&sandbox, &set);
    assert_eq!(ran.code, Some(6), "{ran}");
    for told in ["~ defaults.replicas: 0 → 2", "~ s3.secret: (hidden) → (hidden)", "Answer it with `--yes`"]
    {
        assert!(ran.stderr.contains(told), "{told} in {ran}");
    }
    assert_eq!(fs_err::read_to_string(&path).unwrap(), with_secret);

    let agreed = defaults(&sandbox, &[&set[..], &["--yes", "-o", "json"]].concat());
    assert_eq!(agreed.code, Some(0), "{agreed}");
    let written: Value = serde_json::from_str(&agreed.stdout).unwrap();
    assert_eq!(written["changes"][0], json!({"key": "defaults.replicas", "before": "0", "after": "2"}));
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(text, with_secret.replace("replicas = 0", "replicas = 2").replace("hunter1", "hunter2"));
    assert!(![ran, agreed].iter().any(|ran| ran.to_string().contains("hunter")));
}

#[test]
fn the_same_cluster_leads_to_the_same_file() {
    let classes = || vec![storage_class("slow", false, true), storage_class("fast", true, true)];
    let text = |sandbox: &Sandbox| {
        let ran = defaults(sandbox, &[]);
        assert_eq!(ran.code, Some(0), "{ran}");
        fs_err::read_to_string(sandbox.home().join("pgherd.toml")).unwrap()
    };
    assert_eq!(text(&with_classes(classes())), text(&with_classes(classes())));
}

#[test]
fn the_file_is_named_with_o_too() {
    let sandbox = Sandbox::new();
    let ran = defaults(&sandbox, &["-o", "site.toml"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "Wrote site.toml, which passes `pgherd inventory check`.\n"),
        "{ran}"
    );
    let ran = defaults(&sandbox, &["other.toml", "-o", "site.toml"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(
        ran.stderr.contains("two files are named") && !sandbox.home().join("other.toml").exists(),
        "{ran}"
    );
}

#[test]
fn an_old_server_is_told() {
    let sandbox = Sandbox::new();
    let contents = Contents { version: Some("v1.30.2"), ..Contents::default() };
    sandbox.file(".kube/config", &api_server::start(contents, &["here"]));
    let ran = defaults(&sandbox, &["--set", "storage1.class=any"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("this is Kubernetes 1.30.2, and pgherd needs 1.33 or newer"), "{ran}");
}
