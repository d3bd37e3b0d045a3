//! `pgherd uninstall`.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde::Serialize;

use super::target;
use crate::{
    cli::{
        Code, Context, Exit, Failure,
        output::{self, counted, wrap},
    },
    k8s::{Kind, client::Connection, clusters, kinds::ObjectId, lease},
    roles::{
        contents, labels,
        removal::{self, Found, RemovalError},
    },
};

/// What goes besides the operator. Nothing of this goes without its word.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// Delete all database clusters in the watched namespaces; their volumes stay
    #[arg(long, conflicts_with = "keep_clusters")]
    delete_clusters: bool,
    /// Delete the volumes of these clusters too, with all data
    #[arg(long, requires = "delete_clusters")]
    delete_data: bool,
    /// Delete the namespaces that the installation made, if nothing of others is in them
    #[arg(long)]
    delete_namespaces: bool,
    /// Delete the definitions, if no other installation and no cluster needs them
    #[arg(long, conflicts_with = "keep_clusters")]
    delete_definitions: bool,
    /// Leave database clusters running, without an operator
    #[arg(long)]
    keep_clusters: bool,
}

#[derive(Serialize)]
struct Uninstalled {
    installation: String,
    namespace: String,
    removed: Vec<String>,
    kept: Vec<Kept>,
}

/// Something that stays, and why.
#[derive(Clone, Debug, Serialize)]
struct Kept {
    object: String,
    why: String,
}

/// What goes and what stays.
struct Fate {
    clusters: Vec<ObjectId>,
    /// Whether the clusters' volumes go with them.
    data: bool,
    /// Everything but clusters, namespaces and the record, in the order of going.
    objects: Vec<ObjectId>,
    namespaces: Vec<ObjectId>,
    kept: Vec<Kept>,
}

impl Args {
    /// Takes an installation back.
    ///
    /// # Errors
    /// When there is none, clusters stand against it, it isn't confirmed, or something doesn't go.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let inventory = target::inventory(context)?;
        let connection = context.connection().await?;
        let found = removal::find(&connection.client, target::installation(context, inventory)).await?;
        if let Some(unseen) = &found.watched.unseen {
            context.printer.warning(unseen);
        }
        let fate = self.decide(connection, &found).await?;
        show(context, connection, &found, &fate);
        let name = found.installation.name.as_str();
        if fate.nothing() && !found.recorded {
            context.printer.line("Nothing to do.");
            context.printer.result(&Uninstalled::nothing(&found, fate.kept), String::new)?;
            return Ok(Exit::Success);
        }
        if fate.clusters.is_empty() {
            context.confirm("Continue?").await?;
        } else {
            let question = format!("Type the installation's name ({name}) to go on");
            context.confirm_by_name(&question, name).await?;
        }
        let result = Removal { context, connection, found: &found, removed: Vec::new() }.all(fate).await?;
        for Kept { object, why } in &result.kept {
            context.printer.line(&format!("  kept {object}: {why}"));
        }
        context.printer.line(&format!("\nInstallation {name} is gone."));
        context.printer.result(&result, String::new)?;
        Ok(Exit::Success)
    }

    async fn decide(&self, connection: &Connection, found: &Found) -> Result<Fate, Failure> {
        let client = &connection.client;
        let clusters = removal::clusters(client, Some(&found.watched.names)).await?;
        if !clusters.is_empty() && !self.delete_clusters && !self.keep_clusters {
            return Err(refuse(&clusters));
        }
        let everywhere = match removal::clusters(client, None).await {
            Ok(all) => Some(all),
            Err(error) if error.kind() == Kind::Forbidden => None,
            Err(error) => return Err(error.into()),
        };
        let mut fate = Fate {
            clusters,
            data: self.delete_data,
            objects: Vec::new(),
            namespaces: Vec::new(),
            kept: Vec::new(),
        };
        let set = labels::set_id(&found.installation);
        for id in found.objects.iter().rev() {
            match removal::is_ours(client, id, &set).await {
                Ok(true) => {}
                Ok(false) => continue,
                // Who looks after a few namespaces only leaves the rest to those who look after it.
                Err(error) if error.kind() == Kind::Forbidden && id.namespace.is_none() => {
                    let why = "you have no right to look at it".to_owned();
                    fate.kept.push(Kept { object: id.to_string(), why });
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            let stays = match id.kind.as_str() {
                "CustomResourceDefinition" => {
                    self.definition_stays(found, &fate.clusters, everywhere.as_deref())
                }
                "Namespace" if self.keep_clusters && found.watched.names.contains(&id.name) => {
                    Some("the clusters in it go on".to_owned())
                }
                "Namespace" if !self.delete_namespaces(found, &id.name) => {
                    Some("`--delete-namespaces` deletes it".to_owned())
                }
                _ => None,
            };
            match (stays, id.kind.as_str()) {
                (Some(why), _) => fate.kept.push(Kept { object: id.to_string(), why }),
                (None, "Namespace") => fate.namespaces.push(id.clone()),
                (None, _) => fate.objects.push(id.clone()),
            }
        }
        if self.keep_clusters {
            fate.kept.extend(fate.clusters.drain(..).map(|cluster| Kept {
                object: cluster.to_string(),
                why: "goes on without an operator".to_owned(),
            }));
        }
        Ok(fate)
    }

    /// Whether a namespace goes: as the command line says or, where it says nothing, the inventory that was installed.
    fn delete_namespaces(&self, found: &Found, name: &str) -> bool {
        let home = found.installation.namespace.as_str() == name;
        self.delete_namespaces || if home { found.delete.operator } else { found.delete.watched }
    }

    /// Definitions take every cluster of every installation with them, so they go only when that is nobody's loss.
    fn definition_stays(
        &self,
        found: &Found,
        going: &[ObjectId],
        everywhere: Option<&[ObjectId]>,
    ) -> Option<String> {
        if self.keep_clusters {
            return Some("the clusters need it".to_owned());
        }
        if !self.delete_definitions {
            return Some("`--delete-definitions` deletes it".to_owned());
        }
        match (found.alone, everywhere) {
            (Some(false), _) => Some("another installation uses it".to_owned()),
            (None, _) | (_, None) => Some("whether somebody else uses it can't be seen".to_owned()),
            (Some(true), Some(all)) => {
                let other = all.iter().find(|cluster| !going.contains(cluster))?;
                Some(format!("{other} is outside this installation"))
            }
        }
    }
}

fn refuse(clusters: &[ObjectId]) -> Failure {
    let count = counted(clusters.len(), "database cluster");
    let verb = if clusters.len() == 1 { "exists" } else { "exist" };
    clusters
        .iter()
        .map(|cluster| format!("{}/{}", cluster.namespace.as_deref().unwrap_or_default(), cluster.name))
        .fold(Failure::new(Code::ClustersExist, format!("{count} still {verb}")), Failure::because)
        .next(
            "Delete them first, or say `--delete-clusters` to delete them and keep their volumes, with `--delete-data` to \
             delete these too, or `--keep-clusters` to leave them running without an operator. Nothing was changed.",
        )
}

fn show(context: &Context, connection: &Connection, found: &Found, fate: &Fate) {
    let printer = &context.printer;
    let Connection { cluster, version, context: name, .. } = connection;
    let removed = found.installation.name.as_str();
    printer.line(&format!("Cluster    {cluster} (Kubernetes {version}), context {name}"));
    printer.line(&format!("Uninstall  {removed} in namespace {}", found.installation.namespace));
    let list = |title: &str, texts: Vec<String>| {
        for (index, line) in wrap(&texts.join(", "), 68).into_iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            printer.line(&format!("  {title:<8} {line}"));
        }
    };
    let objects = fate.clusters.iter().chain(&fate.objects).chain(&fate.namespaces);
    list("goes", objects.map(ToString::to_string).collect());
    if !fate.kept.is_empty() {
        list("stays", fate.kept.iter().map(|kept| format!("{} ({})", kept.object, kept.why)).collect());
    }
    if !fate.clusters.is_empty() {
        let clusters = counted(fate.clusters.len(), "database cluster");
        let them = if fate.clusters.len() == 1 { "it" } else { "them" };
        printer.warning(&if fate.data {
            format!("{clusters} and all data in {them} will be destroyed")
        } else {
            format!("{clusters} will be deleted; the volumes of {them} stay, with the data")
        });
    }
}

/// One run of the removal.
struct Removal<'a> {
    context: &'a Context,
    connection: &'a Connection,
    found: &'a Found,
    removed: Vec<String>,
}

impl Fate {
    /// Whether everything stays.
    fn nothing(&self) -> bool {
        self.clusters.is_empty() && self.objects.is_empty() && self.namespaces.is_empty()
    }
}

impl Uninstalled {
    fn nothing(found: &Found, kept: Vec<Kept>) -> Self {
        Self {
            installation: found.installation.name.to_string(),
            namespace: found.installation.namespace.to_string(),
            removed: Vec::new(),
            kept,
        }
    }
}

impl Removal<'_> {
    async fn all(mut self, fate: Fate) -> Result<Uninstalled, Failure> {
        let Fate { clusters, data, objects, namespaces, mut kept } = fate;
        let home = self.found.installation.namespace.as_str();
        let name = format!("{}-installer", self.found.installation.name);
        let tell = |reason: &str| self.context.printer.line(&format!("… {reason}"));
        let client = &self.connection.client;
        // Without a record there may be no namespace any more that could hold a lease.
        let complete = objects.iter().any(|id| id.namespace.as_deref() == Some(home));
        let held = if complete {
            Some(lease::acquire(client, home, &name, &self.connection.user, tell).await?)
        } else {
            None
        };
        let work =
            async {
                if !data {
                    for cluster in &clusters {
                        let namespace = cluster.namespace.as_deref().unwrap_or_default();
                        clusters::keep_volumes(client, namespace, &cluster.name).await?;
                    }
                }
                self.group("clusters", &clusters).await?;
                if !clusters.is_empty() || objects.iter().any(|id| id.kind == "CustomResourceDefinition") {
                    self.leftovers().await?;
                }
                // What runs goes first, so that nothing works with rights and certificates that are about to go.
                let (running, rest): (Vec<_>, Vec<_>) =
                    objects.into_iter().partition(|id| matches!(id.kind.as_str(), "Deployment" | "Service"));
                self.group("operator", &running).await?;
                self.release().await;
                let (definitions, rest): (Vec<_>, Vec<_>) =
                    rest.into_iter().partition(|id| id.kind == "CustomResourceDefinition");
                self.group("access", &rest).await?;
                if definitions.is_empty() || removal::definitions_unused(client, self.found).await? {
                    return self.group("definitions", &definitions).await;
                }
                // Somebody came while the rest was going.
                kept.extend(definitions.iter().map(|id| Kept {
                    object: id.to_string(),
                    why: "somebody else uses it by now".to_owned(),
                }));
                Ok::<(), Failure>(())
            };
        match &held {
            Some(held) => tokio::select! {
                outcome = work => outcome?,
                () = held.lost() => return Err(Failure::new(Code::Busy, "another installer took over")),
            },
            None => work.await?,
        }
        if let Some(held) = held {
            held.release().await?;
        }
        // By the record the next run finds an installation that is half gone, so it goes when nothing else is left.
        self.group("record", &[self.found.record()]).await?;
        let mut empty = Vec::new();
        for namespace in namespaces {
            let others = contents::belongings(client, self.found, &namespace.name).await?;
            match others.as_slice() {
                [] => empty.push(namespace),
                [first, rest @ ..] => {
                    let more =
                        if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                    kept.push(Kept { object: namespace.to_string(), why: format!("{first}{more} is in it") });
                }
            }
        }
        self.group("namespaces", &empty).await?;
        Ok(Uninstalled {
            installation: self.found.installation.name.to_string(),
            namespace: home.to_owned(),
            removed: self.removed,
            kept,
        })
    }

    /// Takes the installation's name off the clusters that stay, so that another installation can follow them. Not before the
    /// operator is gone, which would write it again.
    async fn release(&self) {
        let client = &self.connection.client;
        let follower = labels::namespace_label(&self.found.installation);
        let mut released = clusters::release(client, None, &follower).await;
        // Who may not look everywhere looks where the installation's clusters are.
        if released.as_ref().is_err_and(|error| error.kind() == Kind::Forbidden) {
            released = Ok(());
            for namespace in &self.found.watched.names {
                released = released.and(clusters::release(client, Some(namespace), &follower).await);
            }
        }
        if let Err(error) = released {
            self.context.printer.warning(&format!(
                "clusters may still carry the name {follower} in {}, which keeps other installations off them; take it away \
                 with kubectl annotate: {error}",
                crate::api::labels::FOLLOWED_BY
            ));
        }
    }

    /// Waits until Kubernetes has removed what belonged to clusters: it can't once the definitions are gone, and namespaces with
    /// something of it would stay.
    async fn leftovers(&mut self) -> Result<(), Failure> {
        let client = &self.connection.client;
        let orphans = contents::orphans(client, &self.found.watched.names).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        let line = self.context.printer.start("leftovers");
        let timeout = self.context.settings.timeout;
        let waits = orphans
            .iter()
            .map(|(id, uid)| removal::collected(client, id, uid, timeout, |reason| line.update(reason)));
        let failures: Vec<_> = join_all(waits).await.into_iter().filter_map(Result::err).collect();
        finished(line, orphans.len(), orphans.len(), failures)
    }

    /// Deletes objects side by side and waits until all are gone.
    async fn group(&mut self, name: &str, ids: &[ObjectId]) -> Result<(), Failure> {
        if ids.is_empty() {
            return Ok(());
        }
        let line = self.context.printer.start(name);
        let timeout = self.context.settings.timeout;
        let client = &self.connection.client;
        let deletions =
            ids.iter().map(|id| removal::delete(client, id, timeout, |reason| line.update(reason)));
        let results = join_all(deletions).await;
        let mut gone = BTreeSet::new();
        let mut failures = Vec::new();
        for (id, result) in ids.iter().zip(results) {
            match result {
                Ok(true) => {
                    gone.insert(id.to_string());
                }
                Ok(false) => {}
                Err(error) => failures.push(error),
            }
        }
        let count = gone.len();
        self.removed.extend(gone);
        finished(line, count, ids.len(), failures)
    }
}

/// Says how a removal ended.
fn finished(
    line: output::Line,
    gone: usize,
    all: usize,
    mut failures: Vec<RemovalError>,
) -> Result<(), Failure> {
    if failures.is_empty() {
        line.done(&format!("{} removed", counted(gone, "object")));
        return Ok(());
    }
    let seen: Vec<String> = failures.iter().map(ToString::to_string).collect();
    line.failed(&format!("{} of {all} not removed", failures.len()), &seen);
    Err(failures.swap_remove(0).into())
}
