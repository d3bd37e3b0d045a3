//! `pgherd certs`, and authorities of the user's, as far as they get without a cluster.

use std::os::unix::fs::PermissionsExt as _;

use pgherd::pki::{Authority, LeafRequest, Terms, Usage};
use secrecy::ExposeSecret as _;

use crate::sandbox::{Ran, Sandbox};

const MINIMAL: &str = include_str!("../../inventory/minimal.toml");

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Installs with an authority from files; what comes after them needs a cluster, and there is none.
fn install(certificate: &str, key: &str, mode: u32) -> Ran {
    let sandbox = Sandbox::new();
    sandbox.file("certs/ca.crt", certificate);
    let file = sandbox.file("certs/ca.key", key);
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    let tls = "[tls]\nauthority_certificate = \"certs/ca.crt\"\nauthority_key = \"certs/ca.key\"\n";
    // Files are found from the inventory's folder, wherever the run is started.
    sandbox.file("site/pgherd.toml", &format!("{MINIMAL}\n{}", tls.replace("certs/", "../certs/")));
    sandbox.run(&["install", "-y", "-i", "site/pgherd.toml"])
}

#[test]
fn an_authority_of_the_users_is_checked_before_anything_else() {
    let authority = Authority::generate("company", now(), Terms::days(10)).unwrap();
    let other = Authority::generate("other", now(), Terms::days(10)).unwrap();
    let (certificate, key) = (authority.certificate_pem(), authority.key_pem().expose_secret());
    let good = install(certificate, key, 0o600);
    assert_eq!(good.code, Some(4), "it gets as far as looking for a cluster: {good}");

    insta::assert_snapshot!("exposed", install(certificate, key, 0o644));
    insta::assert_snapshot!("another_key", install(certificate, other.key_pem().expose_secret(), 0o600));
    insta::assert_snapshot!("no_key", install(certificate, certificate, 0o600));
    let long_ago = now() - jiff::SignedDuration::from_hours(24 * 30);
    let expired = Authority::generate("company", long_ago, Terms::days(10)).unwrap();
    let ran = install(expired.certificate_pem(), expired.key_pem().expose_secret(), 0o600);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("[PG-INSTALL-05]") && ran.stderr.contains("expired at"), "{ran}");
    let request =
        LeafRequest { common_name: "leaf".into(), dns_names: vec!["leaf".into()], usage: Usage::Server };
    let leaf = authority.issue(&request, now(), Terms::days(5)).unwrap();
    let ran = install(&leaf.certificate_pem, leaf.key_pem.expose_secret(), 0o600);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("not one of a certificate authority"), "{ran}");
    for ran in [ran, good] {
        assert!(!ran.to_string().contains("PRIVATE KEY"), "{ran}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let sandbox = Sandbox::new();
    let tls = "[tls]\nauthority_certificate = \"ca.crt\"\nauthority_key = \"ca.key\"\n";
    sandbox.file("pgherd.toml", &format!("{MINIMAL}\n{tls}"));
    insta::assert_snapshot!(sandbox.run(&["plan", "-i", "pgherd.toml"]));
}

#[test]
fn files_hold_no_keys_and_say_what_somebody_else_has_to_bring() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", &format!("{MINIMAL}\n[tls]\nauthority_secret = \"company\"\n"));
    let ran = sandbox.run(&["render", "-i", "pgherd.toml", "-o", "out"]);
    assert!(ran.stderr.contains("ca.key of the Secret company"), "{ran}");
    let role = fs_err::read_to_string(sandbox.home().join("out/access/role-pgherd-pgherd-own.yaml")).unwrap();
    assert!(role.contains("- company"), "{role}");
    let deployment =
        fs_err::read_to_string(sandbox.home().join("out/operator/deployment-pgherd-pgherd.yaml")).unwrap();
    assert!(deployment.contains("PGHERD_TLS_AUTHORITY_SECRET") && !deployment.contains("volumes:"));
}

#[test]
fn rules_that_contradict_each_other_are_mistakes_of_the_inventory() {
    for (tls, told) in [
        ("renew_before = \"366d\"", "less than 365d, the default"),
        ("renew_before = \"30d\"\ncertificate_validity = \"30d\"", "less than 30d"),
        ("certificate_validity = \"4000d\"\nauthority_validity = \"400d\"", "at most 400d"),
        ("authority_certificate = \"ca.crt\"", "tls.authority_key is missing"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.file("pgherd.toml", &format!("{MINIMAL}\n[tls]\n{tls}\n"));
        let ran = sandbox.run(&["inventory", "check", "pgherd.toml"]);
        assert_eq!(ran.code, Some(3), "{tls}: {ran}");
        assert!(ran.stderr.contains(told) || ran.stdout.contains(told), "{tls}: {ran}");
    }
}

#[test]
fn without_a_cluster_every_task_says_so() {
    for arguments in [
        &["certs", "show"][..],
        &["certs", "renew", "--all"],
        &["certs", "rotate-ca"],
        &["certs", "rotate-ca", "--reissue", "-y"],
        &["certs", "export"],
        &["certs", "export", "--cluster", "hippo"],
    ] {
        let ran = Sandbox::new().run(arguments);
        assert_eq!(ran.code, Some(4), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains("[PG-K8S-01]"), "{arguments:?}: {ran}");
    }
}

#[test]
fn flags_that_can_not_be_together() {
    for (arguments, told) in [
        (&["certs", "rotate-ca", "--reissue", "--finish"][..], "cannot be used with"),
        (&["certs", "export", "--with-key"], "--to <FILE>"),
        (&["certs", "export", "--with-key", "--to", "x.pem", "--cluster", "hippo"], "cannot be used with"),
        (&["certs", "show", "-o", "file.pem"], "this verb writes no file"),
        (&["operator", "--listen", "127.0.0.1:0"], "--installation <NAME>"),
    ] {
        let ran = Sandbox::new().run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains(told), "{arguments:?}: {ran}");
    }
}

#[test]
fn a_file_that_is_there_stays() {
    let sandbox = Sandbox::new();
    sandbox.file("ca.pem", "precious");
    let ran = sandbox.run(&["certs", "export", "-o", "ca.pem"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("[PG-CLI-12]"), "{ran}");
}
