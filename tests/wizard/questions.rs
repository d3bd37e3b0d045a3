//! The main ways through the questions.

use pgherd::inventory::Inventory;

use crate::{
    api_server::{self, Contents, storage_class},
    sandbox::Sandbox,
    terminal::{DOWN, ENTER, ESCAPE, HIDE_CURSOR, SHOW_CURSOR, Wizard},
};

/// Questions up to the summary, for somebody who takes every proposal and has no cluster.
const ALL: [&str; 20] = [
    "Name of the installation",
    "Namespace of the operator",
    "Namespaces for databases",
    "Rights of the operator on namespaces",
    "Registry of the images",
    "Image of pgherd",
    "Version of PostgreSQL",
    "Image of PostgreSQL 17",
    "Storage class",
    "Size of a volume",
    "Access to a volume",
    "Another kind of volume?",
    "CPU for a database",
    "Memory for a database",
    "The most memory for a database",
    "Another set of requests and limits?",
    "Replicas of a database",
    "Who signs certificates?",
    "Backups in S3?",
    "Metrics?",
];

const SUMMARY: &str = "Is this right?";

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs_err::read_to_string(sandbox.home().join(name)).unwrap()
}

fn inventory(text: &str) -> Inventory {
    Inventory::parse("pgherd.toml", text).unwrap_or_else(|report| panic!("{}", report.render(false)))
}

/// Everything in the home but what the test put there.
fn left(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.home()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != ".kube").collect()
}

fn sandbox_with_cluster(contents: Contents, names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", &api_server::start(contents, names));
    sandbox
}

#[test]
fn taking_every_proposal_writes_a_right_inventory() {
    let sandbox = Sandbox::new();
    let mut wizard = Wizard::start(&sandbox, &[]);
    assert!(wizard.sees("Ctrl-C leaves").contains("`<` or Esc goes back"));
    wizard.sees("no kube config was found");
    wizard.takes(&ALL);
    wizard.choose(SUMMARY, ENTER);
    let (code, said) = wizard.ends();
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("Wrote pgherd.toml, which passes") && said.contains("Next: pgherd install -i"),
        "{said}"
    );
    assert_eq!(inventory(&read(&sandbox, "pgherd.toml")).installation.name.as_str(), "pgherd");
    assert_eq!(left(&sandbox), ["pgherd.toml"]);
}

#[test]
fn what_is_in_the_cluster_is_proposed() {
    let contents = Contents {
        storage_classes: vec![storage_class("fast", true, true), storage_class("slow", false, false)],
        namespaces: vec!["default", "kube-system", "apps"],
        api_groups: vec!["apps", "route.openshift.io"],
        forbidden: vec!["customresourcedefinitions", "roles"],
        ..Contents::default()
    };
    let sandbox = sandbox_with_cluster(contents, &["here", "there"]);
    let mut wizard = Wizard::start(&sandbox, &["site.toml"]);
    wizard.choose("Context of the kube config", &format!("{DOWN}{ENTER}"));
    wizard.sees("Kubernetes 1.34.4), context there, as somebody");
    wizard.sees("fast: the default, volumes can grow");
    wizard.sees("OpenShift");
    wizard.answer("Name of the installation", "site");
    wizard.sees("In the cluster are: apps.");
    wizard.answer("[site]", "");
    wizard.takes(&ALL[2..8]);
    wizard.choose("Storage class", "s\r");
    wizard.choose("can't grow: this size is for good", ENTER);
    wizard.takes(&ALL[10..17]);
    wizard.takes(&["Leave groups of volumes to OpenShift?"]);
    wizard.takes(&ALL[17..]);
    let warned = wizard.sees("Write site.toml");
    assert!(
        warned.contains("you lack the rights to") && warned.contains("customresourcedefinitions"),
        "{warned}"
    );
    wizard.press(ENTER);
    let (code, said) = wizard.ends();
    assert_eq!(code, 0, "{said}");
    let text = read(&sandbox, "site.toml");
    let inventory = inventory(&text);
    assert_eq!(inventory.kubernetes.context.as_ref().unwrap().as_str(), "there");
    assert_eq!(inventory.primary_storage().class.as_ref().unwrap().as_str(), "slow");
    assert!(!inventory.defaults.set_fs_group, "{text}");
}

#[test]
fn a_wrong_answer_is_explained_and_asked_again() {
    let sandbox = Sandbox::new();
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.answer("Name of the installation", "Mine!");
    wizard.sees("'M' is not allowed");
    wizard.answer("Name of the installation", "mine");
    wizard.takes(&ALL[1..5]);
    wizard.answer("Image of pgherd", "localhost/pgherd");
    wizard.sees("needs a tag or a digest");
    wizard.answer("Image of pgherd", "localhost/pgherd:1");
    wizard.takes(&ALL[6..9]);
    wizard.answer("Size of a volume", "10Gb");
    wizard.sees("[PG-INV-07]");
    wizard.answer("Size of a volume", "20Gi");
    wizard.takes(&ALL[10..14]);
    wizard.answer("The most memory", "1Mi");
    wizard.sees("must be at least 512Mi");
    wizard.takes(&ALL[14..]);
    wizard.choose(SUMMARY, ENTER);
    assert_eq!(wizard.ends().0, 0);
    let inventory = inventory(&read(&sandbox, "pgherd.toml"));
    assert_eq!(inventory.installation.name.as_str(), "mine");
    assert_eq!(inventory.primary_storage().size.to_string(), "20Gi");
}

#[test]
fn there_is_a_way_back_from_every_kind_of_question() {
    let sandbox = Sandbox::new();
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.answer("Name of the installation", "<");
    wizard.sees("this is the first question");
    wizard.answer("Name of the installation", "one");
    // By typing it, and by Esc; what was answered is proposed.
    wizard.answer("Namespace of the operator", "<");
    wizard.sees("Name of the installation");
    wizard.answer("[one]", "two");
    wizard.choose("Namespace of the operator", ESCAPE);
    wizard.answer("[two]", "");
    wizard.takes(&ALL[1..10]);
    // From a menu.
    wizard.choose("Access to a volume", ESCAPE);
    wizard.answer("Size of a volume", "7Gi");
    wizard.choose("Access to a volume", "<");
    wizard.answer("[7Gi]", "");
    wizard.takes(&ALL[10..]);
    // From the summary, and to a single question from there.
    wizard.choose(SUMMARY, ESCAPE);
    wizard.takes(&["Metrics?"]);
    wizard.choose(SUMMARY, &format!("{DOWN}{DOWN}{ENTER}"));
    wizard.answer("Namespace of the operator", "operators");
    wizard.choose(SUMMARY, ENTER);
    assert_eq!(wizard.ends().0, 0);
    let inventory = inventory(&read(&sandbox, "pgherd.toml"));
    assert_eq!(inventory.installation.name.as_str(), "two");
    assert_eq!(inventory.installation.namespace.as_str(), "operators");
    assert_eq!(inventory.primary_storage().size.to_string(), "7Gi");
}

#[test]
fn an_interrupt_leaves_nothing_wherever_it_comes() {
    // At a line, at a menu, at the summary.
    for answered in [0, 3, 9, 10, ALL.len()] {
        let sandbox = Sandbox::new();
        let mut wizard = Wizard::start(&sandbox, &[]);
        wizard.takes(&ALL[..answered]);
        wizard.choose(ALL.get(answered).unwrap_or(&SUMMARY), "\u{3}");
        let (code, said) = wizard.ends();
        assert_eq!(code, 130, "{said}");
        assert!(said.contains("Nothing was written."), "{said}");
        assert_eq!(left(&sandbox), Vec::<String>::new());
    }
}

#[test]
fn an_interrupt_leaves_a_file_as_it_was() {
    let sandbox = Sandbox::new();
    let minimal = include_str!("../../inventory/minimal.toml");
    sandbox.file("pgherd.toml", minimal);
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.answer("Name of the installation", "other");
    wizard.choose("Namespace of the operator", "\u{3}");
    assert_eq!(wizard.ends().0, 130);
    assert_eq!(read(&sandbox, "pgherd.toml"), minimal);
    assert_eq!(left(&sandbox), ["pgherd.toml"]);
}

#[test]
fn an_interrupt_while_the_cluster_is_looked_at_leaves_nothing() {
    // It accepts connections into its backlog and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new();
    let config = api_server::start(Contents::default(), &["here"]);
    let server = config.split('"').nth(1).unwrap();
    sandbox
        .file(".kube/config", &config.replace(server, &format!("http://{}", silent.local_addr().unwrap())));
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.sees("Ctrl-C leaves");
    // A connection that is closed would be an answer.
    let _connection = silent.accept().unwrap();
    wizard.press("\u{3}");
    let (code, said) = wizard.ends();
    assert_eq!(code, 130, "{said}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
fn a_signal_leaves_nothing_either() {
    let sandbox = Sandbox::new();
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.sees("Name of the installation");
    wizard.sees("> ");
    assert!(!wizard.is_ordinary());
    wizard.terminate();
    let (code, said) = wizard.ends();
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("Nothing was written."), "{said}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
fn a_file_that_nobody_was_asked_about_is_changed_only_on_request() {
    let minimal = include_str!("../../inventory/minimal.toml");
    let changed = minimal.replace("replicas = 0", "replicas = 2");
    for (key, code, expected) in
        [("y", 0, &*changed), ("n", 6, minimal), (ENTER, 6, minimal), ("\u{3}", 130, minimal)]
    {
        let sandbox = Sandbox::new();
        sandbox.file("pgherd.toml", minimal);
        let mut wizard = Wizard::start_with_codes(&sandbox, &["--defaults", "--set", "defaults.replicas=2"]);
        wizard.sees("~ defaults.replicas: 0");
        wizard.sees("Change pgherd.toml?");
        wizard.sees(HIDE_CURSOR);
        wizard.press(key);
        // Also after an interrupt the cursor is there again.
        wizard.sees(SHOW_CURSOR);
        let (ended, said) = wizard.ends();
        assert_eq!(ended, code, "{said}");
        assert_eq!(read(&sandbox, "pgherd.toml"), expected);
        assert_eq!(left(&sandbox), ["pgherd.toml"]);
    }
}

#[test]
fn leaving_from_the_summary_writes_nothing() {
    let sandbox = Sandbox::new();
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.takes(&ALL);
    wizard.choose(SUMMARY, "l\r");
    let (code, said) = wizard.ends();
    assert_eq!(code, 6, "{said}");
    assert_eq!(left(&sandbox), Vec::<String>::new());
}

#[test]
fn changing_a_file_keeps_its_comments() {
    let sandbox = Sandbox::new();
    let minimal = include_str!("../../inventory/minimal.toml");
    sandbox.file("pgherd.toml", minimal);
    let mut wizard = Wizard::start(&sandbox, &["-i", "pgherd.toml"]);
    wizard.sees("This changes pgherd.toml.");
    wizard.takes(&ALL[..9]);
    wizard.sees("Size of a volume");
    wizard.answer("[1Gi]", "3Gi");
    wizard.takes(&ALL[10..]);
    wizard.sees(SUMMARY);
    wizard.choose("~ storage1.size: \"1Gi\"", ENTER);
    let (code, said) = wizard.ends();
    assert_eq!(code, 0, "{said}");
    assert_eq!(read(&sandbox, "pgherd.toml"), minimal.replace("\"1Gi\"", "\"3Gi\""));
}

#[test]
fn a_secret_is_never_typed_into_the_file() {
    let sandbox = Sandbox::new();
    sandbox.file("s3.key", "hidden");
    let mut wizard = Wizard::start(&sandbox, &[]);
    wizard.takes(&ALL[..18]);
    wizard.answer("Backups in S3?", "y");
    wizard.answer("Bucket", "backups");
    wizard.answer("Host of the store", "s3.example.com");
    wizard.answer("Region", "here");
    wizard.takes(&["Bucket in an address"]);
    wizard.answer("Id of the access key", "AKIA");
    wizard.takes(&["Where is the secret"]);
    wizard.answer("File with the secret", "missing.key");
    wizard.sees("names a file that isn't here");
    wizard.choose("Metrics?", "<\r");
    wizard.sees("File with the secret");
    wizard.answer("[missing.key]", "s3.key");
    wizard.takes(&["Metrics?"]);
    wizard.choose(SUMMARY, ENTER);
    assert_eq!(wizard.ends().0, 0);
    let text = read(&sandbox, "pgherd.toml");
    assert!(text.contains("secret = { file = \"s3.key\" }") && !text.contains("hidden"), "{text}");
}
