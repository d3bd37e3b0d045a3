//! Installing with `pgherd install`, and the floor: `kubectl apply --server-side` of the same objects.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context as _;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, ResourceExt as _, api::DeleteParams, api::ListParams};
use pgherd::{
    api::{postgres_cluster::PostgresCluster, schema},
    certificates::Stored,
    k8s::wait,
    roles::{self, Catalogue, Files, Live, record},
};
use serde_json::{Value, json};

use crate::site::{PATIENCE, Site};

/// The definitions, which all installations of a cluster share.
pub(crate) struct Definitions {
    were_there: bool,
}

impl Definitions {
    pub(crate) async fn look(client: &Client) -> anyhow::Result<Self> {
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        let mut were_there = false;
        for definition in schema::definitions() {
            were_there |= api.get_opt(&definition.name_any()).await?.is_some();
        }
        Ok(Self { were_there })
    }

    /// Whether each installation has to make them.
    pub(crate) fn in_every_run(&self) -> bool {
        !self.were_there
    }

    /// Takes them away again if they weren't there before, and nobody has come to need them.
    pub(crate) async fn restore(&self, client: &Client) -> anyhow::Result<()> {
        if self.were_there || !record::records(client, None).await?.is_empty() {
            return Ok(());
        }
        let clusters: Api<PostgresCluster> = Api::all(client.clone());
        if clusters.list_metadata(&ListParams::default()).await.is_ok_and(|list| !list.items.is_empty()) {
            return Ok(());
        }
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        for definition in schema::definitions() {
            let name = definition.name_any();
            let Some(found) = api.get_opt(&name).await? else { continue };
            api.delete(&name, &DeleteParams::default()).await?;
            wait::gone(&api, &name, &found.uid().unwrap_or_default(), PATIENCE, |_| {}).await?;
        }
        Ok(())
    }
}

/// Seconds that `pgherd install` takes, from the start of the program to its end.
pub(crate) async fn by_pgherd(site: &Site, program: &Path) -> anyhow::Result<f64> {
    let mut command = Command::new(program);
    command.args(["install", "-y", "-i"]).arg(site.file.path());
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || finish(command, None)).await??;
    Ok(begun.elapsed().as_secs_f64())
}

/// The objects of an installation, as `pgherd render` writes them.
pub(crate) fn objects(site: &Site) -> anyhow::Result<Vec<Value>> {
    let live = Live { certificates: Some(Stored::default()), ..Live::unseen(&site.inventory) };
    let components = roles::components(
        &Catalogue::load(None)?,
        &site.inventory,
        &Files::default(),
        &live,
        Timestamp::now(),
    )?;
    let objects = components.iter().flat_map(|component| &component.objects);
    objects.map(|object| Ok(serde_json::to_value(object)?)).collect()
}

/// Seconds that kubectl takes to apply the objects of the same installation and to wait for the Deployment. They are
/// rendered before the clock starts.
pub(crate) async fn by_kubectl(site: &Site) -> anyhow::Result<f64> {
    let manifest = serde_json::to_vec(&json!({"apiVersion": "v1", "kind": "List", "items": objects(site)?}))?;
    let (home, deployment) = (site.home().to_owned(), site.inventory.installation.name.to_string());
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || {
        let mut apply = Command::new("kubectl");
        apply.args(["apply", "--server-side", "-f", "-"]);
        finish(apply, Some(&manifest))?;
        let mut wait = Command::new("kubectl");
        wait.args(["rollout", "status", "--timeout=180s", "-n", &home, &format!("deployment/{deployment}")]);
        finish(wait, None)
    })
    .await??;
    Ok(begun.elapsed().as_secs_f64())
}

/// Runs a program to its end, and gives what it wrote; that is shown when it failed.
pub(crate) fn finish(mut command: Command, input: Option<&[u8]>) -> anyhow::Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.unwrap_or_default())?;
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(
        output.status.success(),
        "{command:?} ended with {}:\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}
