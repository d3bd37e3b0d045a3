//! A cluster of three that loses its primary in every way, under a client that writes all the time.

use std::{io::Write as _, process::Command, time::Duration};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Endpoints, Pod},
};
use kube::{Api, ResourceExt as _, api::DeleteParams};
use serde_json::{Value, json};

use super::super::{
    cluster::Installation,
    databases::{PREFIX, described},
    writer::{Writer, Written},
};

/// What happens to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    PodDeleted,
    PodKilled,
    PatroniKilled,
    PostgresKilled,
    StatefulSetDeleted,
    KubeletStopped,
    CutOff,
    Switchover,
}

impl Fault {
    const ALL: [Self; 8] = [
        Self::PodDeleted,
        Self::PodKilled,
        Self::PatroniKilled,
        Self::PostgresKilled,
        Self::StatefulSetDeleted,
        Self::KubeletStopped,
        Self::CutOff,
        Self::Switchover,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::PodDeleted => "pod deleted",
            Self::PodKilled => "pod killed without grace",
            Self::PatroniKilled => "Patroni killed",
            Self::PostgresKilled => "PostgreSQL killed",
            Self::StatefulSetDeleted => "StatefulSet deleted",
            Self::KubeletStopped => "node's kubelet stopped for 15 s",
            Self::CutOff => "primary cut off from the API server",
            Self::Switchover => "switchover",
        }
    }

    /// Whether a client has to notice.
    fn disturbs(self) -> bool {
        self != Self::KubeletStopped
    }

    async fn befall(self, installation: &Installation, cluster: &str) -> Aftermath {
        let primary = installation.primary(cluster).await;
        let pods = installation.pods();
        match self {
            Self::PodDeleted => {
                pods.delete(&primary, &DeleteParams::default()).await.unwrap();
            }
            Self::PodKilled => {
                let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
                pods.delete(&primary, &now).await.unwrap();
            }
            Self::PatroniKilled => kill(installation, &primary, KILL_PATRONI),
            Self::PostgresKilled => {
                kill(installation, &primary, "kill -9 $(head -n1 $PGDATA/postmaster.pid)");
            }
            Self::StatefulSetDeleted => {
                let sets: Api<StatefulSet> =
                    Api::namespaced(installation.cluster.client.clone(), &installation.databases);
                let name = primary.strip_suffix("-0").unwrap();
                sets.delete(name, &DeleteParams::default()).await.unwrap();
            }
            Self::KubeletStopped => {
                test_cluster(&["pause", "kubelet"]);
                let _resumed = Aftermath { undo: &["resume", "kubelet"], argument: None };
                // Its silence is the fault, and its length.
                tokio::time::sleep(Duration::from_secs(15)).await;
            }
            Self::CutOff => {
                let address = pods.get(&primary).await.unwrap().status.unwrap().pod_ip.unwrap();
                test_cluster(&["cut-off", &address]);
                return Aftermath { undo: &["rejoin"], argument: Some(address) };
            }
            Self::Switchover => {
                let value = format!("{:x}", rand::random::<u32>());
                let request = json!({
                    "metadata": {"annotations": {format!("{PREFIX}/trigger-switchover"): value}},
                    "spec": {"patroni": {"switchover": {"enabled": true}}},
                });
                installation.change(cluster, request).await;
            }
        }
        Aftermath { undo: &[], argument: None }
    }
}

/// Every process of Patroni, which `ps` would show if it were in the image.
const KILL_PATRONI: &str = r#"for process in /proc/[0-9]*; do
  case $(tr '\0' ' ' <"$process/cmdline") in *patroni\ /etc/patroni*) kill -9 "${process#/proc/}" ;; esac
done"#;

/// What has to be taken back, also when a test fails.
struct Aftermath {
    undo: &'static [&'static str],
    argument: Option<String>,
}

impl Drop for Aftermath {
    fn drop(&mut self) {
        if !self.undo.is_empty() {
            test_cluster(&[self.undo, &self.argument.as_deref().into_iter().collect::<Vec<_>>()].concat());
        }
    }
}

fn test_cluster(arguments: &[&str]) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/cluster");
    let status = Command::new(program).arg("-q").args(arguments).status().unwrap();
    assert!(status.success(), "{arguments:?}: {status}");
}

fn kill(installation: &Installation, pod: &str, script: &str) {
    let ran = installation.kubectl(&["exec", pod, "-c", "database", "--", "sh", "-c", script], "");
    // The shell may go down with what it kills.
    assert!(matches!(ran.code, Some(0 | 137)), "{ran}");
}

fn with(name: &str, change: &Value) -> Value {
    let mut description = described(name, 3);
    description["spec"]["patroni"] = json!({"dynamicConfiguration": change});
    description
}

/// Lets one fault happen and waits until the cluster is whole again.
async fn suffer(installation: &Installation, writer: &mut Writer<'_>, name: &str, fault: Fault) -> Written {
    writer.goes_on(40).await;
    let from = writer.position();
    let aftermath = fault.befall(installation, name).await;
    if fault.disturbs() {
        writer.is_disturbed(from).await;
        writer.goes_on(100).await;
    } else {
        writer.goes_on(100).await;
    }
    drop(aftermath);
    installation.ready(name).await;
    whole(installation, name).await;
    writer.goes_on(20).await;
    writer.written(from).await
}

/// Waits until two replicas stream and, where some are synchronous, Patroni has chosen them. It does so at its own pace after
/// another instance has taken over; without one, only the instance that led may lead.
async fn whole(installation: &Installation, name: &str) {
    let endpoints: Api<Endpoints> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let deadline = tokio::time::Instant::now() + super::super::cluster::PATIENCE;
    loop {
        let pods = installation.pods();
        let selector =
            kube::api::ListParams::default().labels(&format!("{PREFIX}/cluster={name},{PREFIX}/instance"));
        let seen = pods.list(&selector).await.unwrap().items;
        let role =
            |pod: &&Pod, role: &str| pod.labels().get(&format!("{PREFIX}/role")).is_some_and(|is| is == role);
        let serving = |pod: &&Pod| pgherd::k8s::reasons::ready(pod);
        let primaries = seen.iter().filter(|pod| role(pod, "master") && serving(pod)).count();
        let replicas = seen.iter().filter(|pod| role(pod, "replica") && serving(pod)).count();
        let synchronous = endpoints.get_opt(&format!("{name}-ha-sync")).await.unwrap();
        let chosen = synchronous.is_none_or(|endpoints| {
            let annotation = |key| endpoints.annotations().get(key).filter(|value| !value.is_empty());
            annotation("leader").is_none() || annotation("sync_standby").is_some()
        });
        if (primaries, replicas, chosen) == (1, 2, true) {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{name}: {primaries} primaries and {replicas} replicas, synchronous ones chosen: {chosen}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// With a replica that has every row before it is acknowledged, none is ever missing. `PGHERD_ROUNDS` asks for all faults,
/// that many times, also without such a replica, and for a table.
#[tokio::test(flavor = "multi_thread")]
async fn soak_of_primaries_that_are_lost() {
    let Some(installation) = Installation::new("lost").await else { return };
    let rounds = std::env::var("PGHERD_ROUNDS").ok().and_then(|text| text.parse::<usize>().ok());
    installation.succeed(&["install", "-y"]);
    let modes: &[bool] = if rounds.is_some() { &[false, true] } else { &[true] };
    let faults: &[Fault] = if rounds.is_some() { &Fault::ALL } else { &[Fault::PodKilled] };
    for synchronous in modes {
        let name = if *synchronous { "careful" } else { "quick" };
        installation.describe(&with(name, &json!({"synchronous_mode": synchronous}))).await;
        installation.ready(name).await;
        whole(&installation, name).await;
        let mut writer = Writer::start(&installation, name).await;
        for fault in faults {
            for _ in 0..rounds.unwrap_or(1).min(5) {
                let written = suffer(&installation, &mut writer, name, *fault).await;
                let replication = if *synchronous { "synchronous" } else { "asynchronous" };
                let line = format!(
                    "| {} | {replication} | {:.2} s | {} of {} |",
                    fault.name(),
                    written.gap.as_secs_f64(),
                    written.missing.len(),
                    written.acknowledged,
                );
                writeln!(std::io::stderr(), "{line}").unwrap();
                assert!(!synchronous || written.missing.is_empty(), "{fault:?}: {written:?}");
            }
        }
        writer.stop().await;
        installation.delete(name).await;
    }
    installation.uninstall();
}

/// A parameter that needs a restart, on three instances that are written to.
#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_needs_a_restart_costs_a_client_one_reconnection() {
    let Some(installation) = Installation::new("buffers").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&with("rhino", &json!({"synchronous_mode": true}))).await;
    installation.ready("rhino").await;
    whole(&installation, "rhino").await;
    let mut writer = Writer::start(&installation, "rhino").await;
    writer.goes_on(40).await;
    let from = writer.position();
    installation
        .change("rhino", json!({"spec": {"config": {"parameters": {"shared_buffers": "64MB"}}}}))
        .await;
    writer.is_disturbed(from).await;
    writer.goes_on(100).await;
    installation.ready("rhino").await;
    whole(&installation, "rhino").await;
    let written = writer.written(from).await;
    writeln!(
        std::io::stderr(),
        "shared_buffers changed: the longest gap was {:.2} s",
        written.gap.as_secs_f64()
    )
    .unwrap();
    assert_eq!(written.missing, Vec::<u64>::new());
    for error in &written.errors {
        let expected = ["connection", "terminating", "starting up", "shutting down", "closed"];
        assert!(expected.iter().any(|words| error.contains(words)), "{error}");
    }
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SHOW shared_buffers"), "64MB");
    writer.stop().await;
    installation.delete("rhino").await;
    installation.uninstall();
}
