//! The verbs on clusters, from creation to deletion.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, api::ListParams};
use serde_json::Value;

use crate::cluster::{Installation, PATIENCE};

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Insists on an exit code and gives standard output and standard error.
fn ended(output: &Output, code: i32) -> (String, String) {
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout: {stdout}\nstderr: {stderr}");
    (stdout, stderr)
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&ended(output, 0).0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_from_its_creation_to_its_deletion() {
    let Some(installation) = Installation::new("verbs").await else { return };
    installation.succeed(&["install", "-y"]);
    let place = installation.databases.as_str();
    let verb = |arguments: &[&str]| run(installation.command(&[&["-n", place], arguments].concat()));

    // The defaults come from the installation's record.
    let (manifest, _) = ended(&verb(&["create", "cluster", "hippo", "--dry-run"]), 0);
    assert!(manifest.contains("kind: PostgresCluster"), "{manifest}");
    assert_eq!(json(&verb(&["show", "cluster", "-o", "json"])), Value::Array(Vec::new()));
    let created = json(&verb(&["create", "cluster", "hippo", "--replicas=1", "-o", "json"]));
    assert_eq!(created["ready"], true);
    assert_eq!(created["uri"], format!("postgresql://hippo@hippo-primary.{place}.svc:5432/hippo"));
    let (_, refused) = ended(&verb(&["create", "cluster", "hippo"]), 6);
    assert!(refused.contains("[PG-CLUSTER-01]"), "{refused}");

    let shown = json(&verb(&["show", "cluster", "hippo", "-o", "json"]));
    assert_eq!((&shown["state"], &shown["members"][0]["role"]), (&"ready".into(), &"primary".into()));
    assert_eq!(shown["members"].as_array().unwrap().len(), 2);
    assert!(shown["certificateDays"].as_i64().unwrap() > 0);
    let (_, unknown) = ended(&verb(&["show", "cluster", "hipo"]), 7);
    assert!(unknown.contains("Did you mean \"hippo\"?"), "{unknown}");

    sessions(&installation, &verb);
    interrupted(&installation).await;
    deletion(&installation, &verb).await;
    installation.uninstall();
}

/// Sessions of every kind; none of them shows the password.
fn sessions(installation: &Installation, verb: &impl Fn(&[&str]) -> Output) {
    let users = json(&verb(&["show", "user", "-c", "hippo", "--reveal", "-o", "json"]));
    let password = users[0]["password"].as_str().unwrap().to_owned();
    let (hidden, _) = ended(&verb(&["show", "user", "-c", "hippo", "-o", "yaml"]), 0);
    assert!(!hidden.contains(&password));

    for role in ["primary", "replica"] {
        let pinged = json(&verb(&["psql", "hippo", "--ping", "--role", role, "-o", "json"]));
        assert!(pinged["version"].as_str().unwrap().starts_with("PostgreSQL 17"), "{pinged}");
    }
    ended(&verb(&["psql", "hippo", "--ping", "--user", "nobody"]), 7);
    ended(&verb(&["psql", "hippo", "--ping", "--database", "nowhere"]), 5);

    // With the psql of this machine, if there is one, and with that of the pod.
    for path in ["/usr/bin:/bin", "/nowhere"] {
        let psql = |arguments: &[&str]| {
            let mut command = installation.command(&["-n", &installation.databases, "psql", "hippo", "--"]);
            command.args(arguments).env("PATH", path);
            command
        };
        // The second connection is a stream of its own.
        let again = run(psql(&[
            "-XAtq",
            "-c",
            "\\c",
            "-c",
            "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
        ]));
        assert_eq!(ended(&again, 0).0, "t\n", "{path}");
        let (_, failed) = ended(&run(psql(&["-X", "-c", "select 1/0"])), 1);
        assert!(failed.contains("division by zero") && !failed.contains(&password), "{path}: {failed}");
        let mut child = psql(&["-XAt", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"select 6 * 7;\nselect nothing;\nselect 1;\n").unwrap();
        let (answer, _) = ended(&child.wait_with_output().unwrap(), 3);
        assert_eq!(answer, "42\n", "{path}");
    }
}

/// A statement ends with the session that gave it, also where psql runs in the pod.
async fn interrupted(installation: &Installation) {
    let primary = installation.primary("hippo").await;
    let running =
        "select count(*) from pg_stat_activity where query ~ '^select pg_sleep' and state = 'active'";
    let until = |wanted: &str| {
        let begun = std::time::Instant::now();
        // PostgreSQL offers no watch on its sessions; this asks until it answers as expected.
        while installation.sql(&primary, running) != wanted {
            assert!(begun.elapsed() < PATIENCE, "the number of statements didn't become {wanted}");
        }
    };
    let mut psql = installation.command(&["-n", &installation.databases, "psql", "hippo", "--"]);
    psql.args(["-X", "-c", "select pg_sleep(3600)"]).env("PATH", "/nowhere");
    psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = psql.spawn().unwrap();
    until("1");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let (_, cancelled) = ended(&child.wait_with_output().unwrap(), 1);
    assert!(cancelled.contains("canceling statement"), "{cancelled}");
    until("0");
}

/// Of two who create the same cluster at the same moment one is told that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_away_once() {
    let Some(installation) = Installation::new("twice").await else { return };
    installation.succeed(&["install", "-y"]);
    for round in 0..5 {
        let name = format!("rhino{round}");
        let create = |replicas: &str| {
            let place = installation.databases.as_str();
            let mut command = installation.command(&["-n", place, "create", "cluster", &name, "--no-wait"]);
            command.args(["--replicas", replicas]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let both = [create("0"), create("1")].map(|child| child.wait_with_output().unwrap());
        let codes = [both[0].status.code(), both[1].status.code()];
        let winner = codes.iter().position(|code| *code == Some(0)).unwrap_or_else(|| panic!("{both:?}"));
        let (_, told) = ended(&both[1 - winner], 6);
        assert!(told.contains("[PG-CLUSTER-01]"), "{told}");
        let cluster = installation.clusters().get(&name).await.unwrap();
        assert_eq!(cluster.spec.instances[0].replicas, i32::try_from(winner + 1).unwrap());
        installation.delete(&name).await;
    }
    installation.uninstall();
}

async fn deletion(installation: &Installation, verb: &impl Fn(&[&str]) -> Output) {
    let (_, unasked) = ended(&verb(&["delete", "cluster", "hippo"]), 6);
    assert!(unasked.contains("2 instances, their 2 volumes (2.0 GiB) and no backup"), "{unasked}");
    assert_eq!(json(&verb(&["show", "cluster", "hippo", "-o", "json"]))["state"], "ready");
    let deleted = json(&verb(&["delete", "cluster", "hippo", "-y", "-o", "json"]));
    assert_eq!(deleted["volumes"].as_array().unwrap().len(), 2);
    let volumes: Api<PersistentVolumeClaim> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    assert!(volumes.list(&ListParams::default()).await.unwrap().items.is_empty());
    let (_, again) = ended(&verb(&["delete", "cluster", "hippo", "-y"]), 7);
    assert!(again.contains("[PG-CLUSTER-02]"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_operator_looks_that_is_said() {
    let Some(installation) = Installation::new("unwatched").await else { return };
    installation.succeed(&["install", "-y"]);
    let verb =
        |arguments: &[&str]| run(installation.command(&[&["-n", &installation.home], arguments].concat()));
    let create = ["create", "cluster", "lonely", "--timeout", "3s"];

    // It has the defaults of its own installation and of no other.
    let inventory = |arguments: &[&str]| installation.run(&[&["-n", &installation.home], arguments].concat());
    let first = inventory(&create);
    assert_eq!(first.code, Some(5), "{first}");
    assert!(first.stderr.contains("nothing may happen there"), "{first}");
    assert!(first.stderr.contains("no operator has looked at it yet"), "{first}");
    // What is left behind is what was asked for, so the same command waits on.
    let second = inventory(&create);
    assert_eq!(second.code, Some(5), "{second}");
    // Anything else of that name is refused.
    let other = inventory(&["create", "cluster", "lonely", "--replicas=1"]);
    assert_eq!(other.code, Some(6), "{other}");

    ended(&verb(&["psql", "lonely", "--ping"]), 7);
    ended(&verb(&["delete", "cluster", "lonely", "-y"]), 0);
    installation.uninstall();
}
