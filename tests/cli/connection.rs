//! Ways not to reach a cluster.

use std::net::TcpListener;

use crate::sandbox::{Ran, Sandbox};

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

fn kube_config(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         contexts: [{{name: here, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\n"
    )
}

fn install(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.file("pgherd.toml", MINIMAL);
    sandbox.run(&[&["install", "-y", "-i", "pgherd.toml"], more].concat())
}

#[test]
fn no_kube_config() {
    insta::assert_snapshot!(install(&Sandbox::new(), &[]));
}

#[test]
fn a_kube_config_that_is_none() {
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", "just a text");
    let ran = install(&sandbox, &[]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("[PG-K8S-02]") && ran.stderr.contains("[HOME]/.kube/config"), "{ran}");
}

#[test]
fn an_unknown_context() {
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", &kube_config("https://127.0.0.1:1"));
    insta::assert_snapshot!(install(&sandbox, &["--context", "there"]));
}

#[test]
fn a_server_that_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", &kube_config("https://127.0.0.1:1"));
    insta::assert_snapshot!(install(&sandbox, &[]));
}

#[test]
fn a_server_that_says_nothing_is_given_up_within_seconds() {
    // It accepts connections into its backlog and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", &kube_config(&server));
    let started = std::time::Instant::now();
    let ran = install(&sandbox, &[]);
    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("no answer within"), "{ran}");
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn flags_win_over_the_environment() {
    let sandbox = Sandbox::new();
    sandbox.file(".kube/config", &kube_config("https://127.0.0.1:1"));
    let run = |arguments: &[&str]| {
        let output = sandbox.command().env("PGHERD_CONTEXT", "from-env").args(arguments).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&["version"]).contains("\"from-env\""));
    assert!(run(&["version", "--context", "from-flag"]).contains("\"from-flag\""));
}
