//! A node that doesn't exist, and kwok in the place of its kubelet: pods run as soon as they are scheduled, and a command in a
//! container is answered by a stand-in.

use std::{
    net::{IpAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use crate::site::{FIELD_MANAGER, PATIENCE};

/// The node's name, and the taint that keeps everybody else's pods away.
pub(crate) const NODE: &str = "bench-scale";
pub(crate) const TAINT: &str = "pgherd.io/bench-scale";

/// How long the node may be silent, in seconds. Its lease is renewed four times as often.
const LEASE: u32 = 40;

/// The node while the benchmark runs.
pub(crate) struct FakeNode {
    client: Client,
    kwok: Child,
    _files: tempfile::TempDir,
}

fn home() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/scale/kwok"))
}

/// Builds kwok, which takes minutes the first time.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let mut command = Command::new(home().join("build.sh"));
    command.arg(env!("CARGO_TARGET_TMPDIR")).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

impl FakeNode {
    /// Starts kwok and waits until the node is ready.
    pub(crate) async fn start(client: &Client, kwok: &Path, kubeconfig: &Path) -> anyhow::Result<Self> {
        let address = address_towards_the_server().await?;
        // Free by now, and nobody else is told of it.
        let port = TcpListener::bind((address, 0))?.local_addr()?.port();
        let files = tempfile::tempdir()?;
        let programs = home().join("programs");
        let config = fs_err::read_to_string(home().join("kwok.yaml"))?;
        let config = config.replace("@PROGRAMS@", &programs.display().to_string());
        let config_file = files.path().join("kwok.yaml");
        fs_err::write(&config_file, config)?;
        let log = fs_err::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("kwok.log"))?;
        let mut command = Command::new(kwok);
        command.arg("--kubeconfig").arg(kubeconfig).arg("--config").arg(&config_file);
        command.args(["--manage-single-node", NODE, "--cidr", "10.88.0.0/16"]);
        command.arg(format!("--node-lease-duration-seconds={LEASE}"));
        command.arg(format!("--node-ip={address}")).arg(format!("--node-port={port}"));
        command.arg(format!("--server-address={address}:{port}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.into_parts().0);
        let nodes: Api<Node> = Api::all(client.clone());
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, TAINT: "node"}},
            "spec": {"taints": [{"key": TAINT, "effect": "NoSchedule"}]},
        });
        nodes.patch(NODE, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&node)).await?;
        let kwok = command.spawn().with_context(|| format!("{command:?}"))?;
        let started = Self { client: client.clone(), kwok, _files: files };
        let ready = |node: Option<&Node>| {
            if node.is_some_and(is_ready) {
                Look::Done(())
            } else {
                Look::Waiting("it isn't ready".to_owned())
            }
        };
        wait::until(&nodes, NODE, PATIENCE, ready, |_| {})
            .await
            .context("see kwok.log beside the programs")?;
        Ok(started)
    }

    /// What a set of instances has to say to run here and nowhere else.
    pub(crate) fn placement() -> Value {
        json!({
            "tolerations": [{"key": TAINT, "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": TAINT, "operator": "In", "values": ["node"]}]},
            ]}}},
        })
    }

    /// Takes the node away.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.kwok.kill()?;
        self.kwok.wait()?;
        let nodes: Api<Node> = Api::all(self.client.clone());
        if let Some(node) = nodes.get_opt(NODE).await? {
            nodes.delete(&node.name_any(), &DeleteParams::default()).await?;
        }
        Ok(())
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.kwok.kill().ok();
        self.kwok.wait().ok();
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The address of this machine that the API server finds it under. Nothing is sent.
async fn address_towards_the_server() -> anyhow::Result<IpAddr> {
    let server = Config::infer().await?.cluster_url;
    let host = server.host().context("the kube config names no server")?;
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((host, server.port_u16().unwrap_or(443))).with_context(|| format!("no way to {host}"))?;
    Ok(socket.local_addr()?.ip())
}
