//! Verbs on clusters, as far as they get without one.

use crate::sandbox::Sandbox;

#[test]
fn a_name_that_no_cluster_can_have() {
    insta::assert_snapshot!(Sandbox::new().run(&["create", "cluster", "Hippo"]));
}

#[test]
fn a_name_that_leaves_no_room_for_instances() {
    let ran = Sandbox::new().run(&["create", "cluster", &"h".repeat(43)]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("at most 42 characters"), "{ran}");
}

#[test]
fn values_that_are_none() {
    for (flag, value, told) in [
        ("--label", "team", "write it like team=a"),
        ("--replicas", "-1", "invalid value"),
        ("--replicas", "100", "100 is not in 0..=99"),
        ("--image", "postgres", "a tag or a digest is missing"),
        ("--user", "Admin", "'A' is not allowed"),
        ("--database", "", "1 to 63 bytes"),
    ] {
        let ran = Sandbox::new().run(&["create", "cluster", "hippo", &format!("{flag}={value}")]);
        assert_eq!(ran.code, Some(2), "{flag} {value}: {ran}");
        assert!(ran.stderr.contains(told), "{flag} {value}: {ran}");
    }
}

#[test]
fn flags_of_the_old_client_are_understood() {
    let ran = Sandbox::new().run(&[
        "create",
        "cluster",
        "hippo",
        "--replica-count=2",
        "--storage-config=fast",
        "--resources-config=small",
    ]);
    // It gets as far as looking for a cluster.
    assert_eq!(ran.code, Some(4), "{ran}");
}

#[test]
fn an_inventory_is_looked_at_before_the_cluster() {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", "x = 1\n");
    let ran = sandbox.run(&["create", "cluster", "hippo", "-i", "pgherd.toml"]);
    assert_eq!(ran.code, Some(3), "{ran}");
}

#[test]
fn flags_that_contradict_each_other() {
    for arguments in [
        &["create", "cluster", "hippo", "--dry-run", "--no-wait"][..],
        &["psql", "hippo", "--ping", "--", "-l"],
        &["show", "cluster", "hippo", "-A"],
    ] {
        let ran = Sandbox::new().run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains("cannot be used with"), "{arguments:?}: {ran}");
    }
}

#[test]
fn without_a_cluster_every_verb_says_so() {
    for arguments in [
        &["show", "cluster"][..],
        &["show", "cluster", "hippo"],
        &["show", "user", "-c", "hippo"],
        &["psql", "hippo", "--ping"],
        &["delete", "cluster", "hippo", "-y"],
    ] {
        let ran = Sandbox::new().run(arguments);
        assert_eq!(ran.code, Some(4), "{arguments:?}: {ran}");
        assert!(ran.stderr.contains("[PG-K8S-01]"), "{arguments:?}: {ran}");
    }
}
