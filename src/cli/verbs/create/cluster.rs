//! `pgherd create cluster`.

use std::{collections::BTreeMap, time::Instant};

use kube::ResourceExt as _;
use serde::Serialize;

use super::manifest::{self, Manifest, Unmet, Wish};
use crate::{
    api::{conditions::READY, postgres_cluster::PostgresCluster},
    cli::{
        Code, Context, Exit, Failure, Printer,
        output::counted,
        verbs::{defaults, target},
    },
    domain::{
        cluster_names::ClusterNames,
        image::ImageReference,
        names::{ClusterName, SettingName, UserName},
    },
    inventory::{Inventory, NamespaceMode},
    k8s::{
        self, Kind,
        client::Connection,
        cluster_wait::{self, ClusterWaitError},
        clusters,
    },
    operator::cluster::status,
    postgres::login,
    roles::labels,
};

/// The cluster to create. What isn't said comes from the inventory (`-i`) or from the installation.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name
    name: ClusterName,
    /// Instances besides the primary
    #[arg(long, value_name = "N", visible_alias = "replica-count", value_parser = clap::value_parser!(u16).range(..=99))]
    replicas: Option<u16>,
    /// Major version of PostgreSQL
    #[arg(long, value_name = "N")]
    postgres_version: Option<u16>,
    /// Image with PostgreSQL
    #[arg(long, value_name = "REFERENCE")]
    image: Option<ImageReference>,
    /// Storage of the inventory that volumes are made from
    #[arg(long, value_name = "NAME", visible_alias = "storage-config")]
    storage: Option<SettingName>,
    /// Resources of the inventory that instances get
    #[arg(long, value_name = "NAME", visible_alias = "resources-config")]
    resources: Option<SettingName>,
    /// User to create [default: the cluster's name]
    #[arg(long, value_name = "NAME")]
    user: Option<UserName>,
    /// Database to create, which the user owns [default: the cluster's name]
    #[arg(long, value_name = "NAME", value_parser = database)]
    database: Option<String>,
    /// Label for the cluster and everything of it; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Print the resource as the API server would take it, and create nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't wait until the cluster is ready
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
}

fn database(text: &str) -> Result<String, String> {
    match text.len() {
        1..=63 => Ok(text.to_owned()),
        _ => Err("the name of a database has 1 to 63 bytes".to_owned()),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it like team=a".to_owned()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    name: String,
    namespace: String,
    ready: bool,
    /// Where to connect to, without the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    resource: PostgresCluster,
}

impl Args {
    /// Creates a cluster.
    ///
    /// # Errors
    /// When the defaults aren't known, there is one of that name, it is rejected, or doesn't become ready.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (dry_run, no_wait) = (self.dry_run, self.no_wait);
        let named = defaults::named(context)?;
        let connection = context.connection().await?;
        let namespace = target::namespace(context, connection);
        let defaults = defaults::find(named, &connection.client, &namespace).await?;
        let manifest =
            manifest::build(self.wish(&namespace), &defaults.inventory).map_err(|unmet| refused(&unmet))?;
        let client = &connection.client;
        let printer = &context.printer;
        let name = manifest.resource.name_any();

        let existing = target::find(client, &namespace, &name).await?;
        let would_be = match clusters::would_be(client, &manifest.resource).await {
            Ok(would_be) => would_be,
            Err(_) if existing.is_some() => return Err(exists(&namespace, &name)),
            Err(error) => return Err(rejected(&manifest.resource, error)),
        };
        if existing.as_ref().is_some_and(|existing| !unfinished(existing, &would_be)) {
            return Err(exists(&namespace, &name));
        }
        if !defaults.watched {
            unwatched(printer, &namespace, &defaults.inventory);
        }
        if dry_run {
            let resource = Shown(manifest.resource);
            printer.result(&resource, || serde_saphyr::to_string(&resource).unwrap_or_default())?;
            return Ok(Exit::Success);
        }
        let resource = if let Some(existing) = existing {
            existing
        } else {
            let line = printer.start(&name);
            let created = clusters::create(client, &manifest.resource).await;
            let resource = created.map_err(|error| match error.kind() {
                // Somebody was faster.
                Kind::Conflict => exists(&namespace, &name),
                _ => rejected(&manifest.resource, error),
            })?;
            line.done(&format!("created: {}", manifest.summary()));
            resource
        };
        let uri = uri(&resource);
        let (resource, ready) = if no_wait {
            (resource, false)
        } else {
            (wait(context, connection, &namespace, &name).await?, true)
        };
        if let Some(uri) = &uri {
            let how = format!("password: pgherd show user -c {name} -n {namespace} --reveal");
            printer.line(&format!("  {uri}\n  {how}"));
        }
        printer.result(&Created { name, namespace, ready, uri, resource }, String::new)?;
        Ok(Exit::Success)
    }

    fn wish(self, namespace: &str) -> Wish {
        Wish {
            name: self.name,
            namespace: namespace.to_owned(),
            replicas: self.replicas,
            postgres_version: self.postgres_version,
            image: self.image,
            storage: self.storage,
            resources: self.resources,
            user: self.user,
            database: self.database,
            labels: self.label.into_iter().collect::<BTreeMap<_, _>>(),
        }
    }
}

impl Manifest {
    fn summary(&self) -> String {
        format!(
            "PostgreSQL {}, {}, storage {:?} {}",
            self.postgres_version,
            counted(self.instances as usize, "instance"),
            self.storage.name.as_str(),
            self.storage.size
        )
    }
}

/// The resource with its kind, as a manifest has it.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown(PostgresCluster);

/// Whether an existing cluster is exactly what was asked for and has not become ready yet: what a run leaves behind that
/// was interrupted, and the next one goes on with.
fn unfinished(existing: &PostgresCluster, would_be: &PostgresCluster) -> bool {
    existing.metadata.deletion_timestamp.is_none()
        && existing.spec == would_be.spec
        && existing.metadata.labels == would_be.metadata.labels
        && !status::holds(existing.status.as_ref(), READY)
}

/// The address for applications; it holds no password.
fn uri(resource: &PostgresCluster) -> Option<String> {
    let user = login::default_user(resource)?;
    let databases = resource.spec.users.as_ref().and_then(|users| users.first()).map(|user| &user.databases);
    let database =
        databases.map_or_else(|| Some(resource.name_any()), |databases| databases.first().cloned())?;
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
            .to_string()
            .replace("%2D", "-")
            .replace("%5F", "_")
    };
    let host = ClusterNames::new(&resource.name_any()).primary_service();
    let namespace = resource.namespace().unwrap_or_default();
    let port = resource.spec.port;
    Some(format!("postgresql://{}@{host}.{namespace}.svc:{port}/{}", encode(&user), encode(&database)))
}

async fn wait(
    context: &Context,
    connection: &Connection,
    namespace: &str,
    name: &str,
) -> Result<PostgresCluster, Failure> {
    let line = context.printer.start(name);
    let started = Instant::now();
    let timeout = context.settings.timeout;
    let tell = |reason: &str| line.update(reason);
    match cluster_wait::ready(&connection.client, namespace, name, timeout, tell).await {
        Ok(resource) => {
            let instances = resource.status.as_ref().and_then(|status| status.instances_ready.clone());
            let instances = instances.map_or_else(String::new, |instances| {
                format!(", {} instances", instances.replace('/', " of "))
            });
            let seconds = started.elapsed().as_secs();
            line.done(&format!("ready in {seconds}s{instances}"));
            Ok(resource)
        }
        Err(error) => {
            let seen = match &error {
                ClusterWaitError::Timeout { seen } => seen.clone(),
                other => vec![other.to_string()],
            };
            line.failed("not ready", &seen);
            Err(not_ready(&context.printer, namespace, name, error, seen))
        }
    }
}

fn not_ready(
    printer: &Printer,
    namespace: &str,
    name: &str,
    error: ClusterWaitError,
    seen: Vec<String>,
) -> Failure {
    let told = |code, what: String| {
        let failure = Failure::new(code, what);
        // On a terminal this stands right above.
        if printer.talks() { failure } else { seen.into_iter().fold(failure, Failure::because) }
    };
    let delete = format!("`pgherd delete cluster {name} -n {namespace}` takes it back");
    match error {
        ClusterWaitError::Refused(_) => {
            told(Code::ClusterRefused, format!("the operator refuses cluster {namespace}/{name}"))
                .next(format!("Change the resource, or start anew: {delete}."))
        }
        ClusterWaitError::Deleted => {
            told(Code::ClusterMissing, format!("somebody deleted cluster {namespace}/{name}"))
        }
        ClusterWaitError::Timeout { .. } => {
            told(Code::ClusterNotReady, format!("cluster {namespace}/{name} is not ready")).next(format!(
                "It stays as it is and may still become ready; the same command waits on, {delete}."
            ))
        }
        ClusterWaitError::Watch(error) => error.into(),
    }
}

fn refused(unmet: &Unmet) -> Failure {
    let known = unmet.known();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let failure = Failure::new(Code::Usage, unmet.to_string());
    let failure = match names.as_slice() {
        [] => failure.because("The inventory has none at all."),
        names => failure.because(format!("The inventory has: {}", names.join(", "))),
    };
    match unmet {
        Unmet::Version { .. } => {
            failure.next("Choose one of these, or say which image it is in: `--image REFERENCE`.")
        }
        _ => failure.next(format!("Choose one of these with `{}`.", unmet.flag())),
    }
}

fn rejected(resource: &PostgresCluster, error: k8s::Error) -> Failure {
    let (namespace, message) = (resource.namespace().unwrap_or_default(), error.message());
    let kind = error.kind();
    let failure = Failure::new(
        Failure::from(error).code(),
        format!("cluster {namespace}/{} can't be created", resource.name_any()),
    )
    .because(message);
    match kind {
        Kind::NotFound => failure.next("Create the namespace first, or say another one with `-n`."),
        Kind::Forbidden => {
            failure.next("Ask an administrator of the cluster for the right to create a PostgresCluster.")
        }
        _ => failure,
    }
}

fn exists(namespace: &str, name: &str) -> Failure {
    Failure::new(Code::ClusterExists, format!("there is a cluster {namespace}/{name} already"))
        .because("Nothing was changed.")
        .next(format!(
            "`pgherd show cluster {name} -n {namespace}` shows it. Choose another name, or delete it first."
        ))
}

fn unwatched(printer: &Printer, namespace: &str, inventory: &Inventory) {
    let watched: Vec<&str> = inventory.watched().iter().map(AsRef::as_ref).collect();
    let labelled = match inventory.namespaces.mode {
        NamespaceMode::Disabled => String::new(),
        NamespaceMode::ReadOnly | NamespaceMode::Dynamic => format!(
            ", and those with the label {}={}",
            labels::NAMESPACE,
            labels::namespace_label(&inventory.installation)
        ),
    };
    printer.warning(&format!(
        "installation {} doesn't look after namespace {namespace}, so nothing may happen there; it watches {}{labelled}",
        inventory.installation.name,
        watched.join(", ")
    ));
}
