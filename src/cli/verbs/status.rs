//! `pgherd status`.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use super::{
    show::view::{self, Summary},
    target,
};
use crate::{
    cli::{
        Context, Exit, Failure,
        output::{counted, table, wrap},
    },
    inventory::Inventory,
    k8s::{client::Connection, clusters, plan::Change, rollout},
    pki,
    roles::{
        Catalogue, Files, certificates,
        engine::{self, Purpose, Wanted},
        labels,
        record::{Record, load_record},
        watched::Watched,
    },
};

/// Columns of the headings.
const LABEL: usize = 14;
/// Columns of what is said of a cluster.
const WIDTH: usize = 76;

/// Which installation is meant is said by `-n` or `-i`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// How an installation is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    installation: String,
    namespace: String,
    /// The version of this program.
    client: &'static str,
    /// The version that was installed.
    installed: String,
    kubernetes: String,
    operator: Operator,
    definitions: Definitions,
    namespaces: Namespaces,
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<Vec<Summary>>,
    certificates: Vec<Certificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<Update>,
    /// When this was found out.
    #[serde(skip)]
    now: Timestamp,
    /// What could not be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<String>,
}

#[derive(Serialize)]
struct Operator {
    ready: bool,
    image: String,
    /// Why it isn't ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Definitions {
    /// As this program has them.
    Current,
    /// As another version has them.
    Different,
    /// The kinds are not served.
    Missing,
    /// They may not be seen, but the kinds are served.
    Served,
}

#[derive(Serialize)]
struct Namespaces {
    mode: &'static str,
    watched: Vec<String>,
}

#[derive(Serialize)]
struct Certificate {
    name: String,
    /// Until it expires; negative once it has.
    days: i64,
}

/// What bringing it to its inventory would do.
#[derive(Serialize)]
struct Update {
    create: usize,
    change: usize,
    remove: usize,
}

impl Args {
    /// Tells how an installation is. Writes nothing.
    ///
    /// # Errors
    /// When there is none, the cluster can't be asked, or the operator isn't ready.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let given = target::inventory(context)?;
        let connection = context.connection().await?;
        let record = load_record(&connection.client, target::installation(context, given)).await?;
        let status = look(context, connection, &record, given).await?;
        let healthy = status.operator.ready && status.definitions != Definitions::Missing;
        context.printer.result(&status, || status.text())?;
        Ok(if healthy { Exit::Success } else { Exit::NotReady })
    }
}

async fn look(
    context: &Context,
    connection: &Connection,
    record: &Record,
    given: Option<&Inventory>,
) -> Result<Status, Failure> {
    let client = &connection.client;
    let inventory = &record.inventory;
    let installation = &inventory.installation;
    let home = installation.namespace.as_str();
    let selector = labels::selector(&labels::operator_selector(installation));
    let mut unseen = Vec::new();
    let state = rollout::state(client, home, installation.name.as_str(), &selector).await?;
    let wanted = given.unwrap_or(inventory);
    let (definitions, update) = match planned(context, connection, wanted, given.is_some()).await {
        Ok(planned) => planned,
        Err(failure) => {
            unseen.push(format!("what an update would do: {failure}"));
            let defined = clusters::defined(client).await?;
            (if defined { Definitions::Served } else { Definitions::Missing }, None)
        }
    };
    let watched = Watched::find(client, inventory).await?;
    unseen.extend(watched.unseen.clone());
    let clusters = match all_clusters(connection, &watched, definitions).await {
        Ok(clusters) => Some(clusters),
        Err(error) => {
            unseen.push(error.to_string());
            None
        }
    };
    let mut found = Vec::new();
    let (policy, theirs) = (certificates::policy(&inventory.tls), certificates::home(installation));
    for name in [policy.authority_secret(&theirs), theirs.leaf_secret()] {
        match certificate(connection, home, &name).await {
            Ok(certificate) => found.extend(certificate),
            Err(error) => unseen.push(error.to_string()),
        }
    }
    Ok(Status {
        installation: installation.name.to_string(),
        namespace: home.to_owned(),
        client: crate::VERSION,
        installed: record.version.clone(),
        kubernetes: connection.version.clone(),
        operator: Operator {
            ready: state.is_ok(),
            image: inventory.images.operator.to_string(),
            reasons: state.err().unwrap_or_default(),
        },
        definitions,
        namespaces: Namespaces {
            mode: inventory.namespaces.mode.as_str(),
            watched: watched.names.into_iter().collect(),
        },
        clusters,
        certificates: found,
        update,
        now: Timestamp::now(),
        unseen,
    })
}

/// What bringing the installation to its inventory would do, and how the definitions compare with this program's.
async fn planned(
    context: &Context,
    connection: &Connection,
    inventory: &Inventory,
    given: bool,
) -> Result<(Definitions, Option<Update>), Failure> {
    let catalogue = Catalogue::load(None)?;
    // Where the inventory's file is, nobody knows but who names it.
    let beside = !inventory.images.written.pull_secret_manifests.is_empty();
    let files = if given {
        context.files(inventory)?
    } else {
        Files::default().with_authority(context.authority(inventory)?)
    };
    let wanted = Wanted {
        catalogue: &catalogue,
        inventory,
        files: &files,
        apply: engine::installer(false),
        purpose: Purpose::Show,
        downgrade: true,
        timeout: context.settings.timeout,
    };
    let plan = engine::plan(&connection.client, &wanted, |_| {}).await?;
    let components = plan.components.iter().filter(|component| component.name == "definitions");
    let mut definitions = Definitions::Current;
    for item in components.flat_map(|component| &component.items) {
        definitions = match item.change {
            Change::Create => Definitions::Missing,
            _ if item.compared => Definitions::Served,
            Change::Change(_) => Definitions::Different,
            Change::Hidden => Definitions::Served,
            Change::Unchanged => definitions,
        };
    }
    let update = (given || !beside).then(|| Update {
        create: plan.count(|change| *change == Change::Create),
        change: plan.count(|change| matches!(change, Change::Change(_))),
        remove: plan.removed.len(),
    });
    Ok((definitions, update))
}

async fn all_clusters(
    connection: &Connection,
    watched: &Watched,
    definitions: Definitions,
) -> Result<Vec<Summary>, crate::k8s::Error> {
    if definitions == Definitions::Missing {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for namespace in &watched.names {
        let found = clusters::list(&connection.client, Some(namespace)).await?;
        all.extend(found.iter().map(view::summary));
    }
    Ok(all)
}

async fn certificate(
    connection: &Connection,
    namespace: &str,
    name: &str,
) -> Result<Option<Certificate>, crate::k8s::Error> {
    let found = clusters::secret(&connection.client, namespace, name).await?;
    let Some(secret) = found else { return Ok(None) };
    let data = secret.data.as_ref();
    let text = ["tls.crt", "ca.crt"].iter().find_map(|key| data?.get(*key));
    let text = text.and_then(|bytes| std::str::from_utf8(&bytes.0).ok());
    let Some(Ok(until)) = text.map(pki::not_after) else { return Ok(None) };
    Ok(Some(Certificate { name: secret.name_any(), days: pki::days_left(until, Timestamp::now()) }))
}

impl Status {
    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            for (index, part) in wrap(value, 64).into_iter().enumerate() {
                let label = if index == 0 { label } else { "" };
                writeln!(text, "{label:<LABEL$}{part}").ok();
            }
        };
        line("Installation", &format!("{} in namespace {}", self.installation, self.namespace));
        let newer = if self.installed == self.client { "" } else { "   (another version)" };
        line("Versions", &format!("installed {}, this program {}{newer}", self.installed, self.client));
        if self.operator.ready {
            line("Operator", &format!("ready   {}", self.operator.image));
        } else {
            line("Operator", &format!("not ready   {}", self.operator.image));
            for reason in &self.operator.reasons {
                line("", reason);
            }
        }
        line(
            "Definitions",
            match self.definitions {
                Definitions::Current => "as this program has them",
                Definitions::Different => "not as this program has them",
                Definitions::Missing => "missing",
                Definitions::Served => "there, but whether they are this program's can't be seen",
            },
        );
        line("Namespaces", &format!("{}: {}", self.namespaces.mode, self.namespaces.watched.join(", ")));
        for Certificate { name, days } in &self.certificates {
            match usize::try_from(*days) {
                Ok(days) => line("Certificate", &format!("{name}: {}", counted(days, "day"))),
                Err(_) => line("Certificate", &format!("{name}: expired")),
            }
        }
        match &self.update {
            Some(Update { create: 0, change: 0, remove: 0 }) => line("Update", "nothing to do"),
            Some(Update { create, change, remove }) => {
                line(
                    "Update",
                    &format!("would create {create}, change {change}, remove {remove}: `pgherd plan`"),
                );
            }
            None => line("Update", "name the inventory with -i to see what an update would do"),
        }
        for unseen in &self.unseen {
            line("Unseen", unseen);
        }
        if let Some(clusters) = &self.clusters {
            text.push_str(&census(clusters, self.now));
        }
        text
    }
}

/// Clusters, counted, then a line each, then what isn't as it should be.
fn census(clusters: &[Summary], now: Timestamp) -> String {
    if clusters.is_empty() {
        return format!("{:<LABEL$}none\n", "Clusters");
    }
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for cluster in clusters {
        *states.entry(&cluster.state).or_default() += 1;
    }
    let states: Vec<String> = states.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    let rows = clusters.iter().map(|cluster| {
        [
            cluster.namespace.clone(),
            cluster.name.clone(),
            cluster.state.clone(),
            cluster.postgres_version.to_string(),
            format!("{} of {}", cluster.ready, cluster.instances),
        ]
    });
    let table = table(&["NAMESPACE", "NAME", "STATE", "POSTGRESQL", "INSTANCES"], rows);
    let mut text = format!("{:<LABEL$}{}\n", "Clusters", states.join(", "));
    for row in table.lines() {
        writeln!(text, "  {row}").ok();
    }
    for Summary { namespace, name, conditions, .. } in clusters {
        for trouble in conditions {
            let told = format!("{namespace}/{name} {}: {}", trouble.type_, trouble.told(now));
            for (index, line) in wrap(&told, WIDTH).into_iter().enumerate() {
                writeln!(text, "{}{line}", if index == 0 { "  " } else { "    " }).ok();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_is_told_with_its_duration() {
        let since = "2026-01-01T00:00:00Z";
        let condition = |type_: &str, status: &str, reason: &str, message: &str| json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
        let cluster = |name: &str, conditions: &[serde_json::Value]| {
            let cluster = json!({
                "apiVersion": "postgres-operator.crunchydata.com/v1beta1", "kind": "PostgresCluster",
                "metadata": {"name": name, "namespace": "orders"},
                "spec": {"postgresVersion": 17,
                    "instances": [{"name": "00", "replicas": 2, "dataVolumeClaimSpec": {}}]},
                "status": {"conditions": conditions},
            });
            view::summary(&serde_json::from_value(cluster).unwrap())
        };
        let waits = "1 of 2 instances are ready; 00-m4qd: no node has enough memory for the pod";
        let clusters = [
            cluster("hippo", &[condition("Ready", "True", "Ready", "")]),
            cluster(
                "rhino",
                &[
                    condition("Ready", "False", "InstancesNotReady", waits),
                    condition("Progressing", "True", "RollingUpdate", "waiting: 00-m4qd is not well"),
                ],
            ),
        ];
        insta::assert_snapshot!(census(&clusters, "2026-01-01T00:05:10Z".parse().unwrap()));
    }
}
