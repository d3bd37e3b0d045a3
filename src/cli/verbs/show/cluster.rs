//! `pgherd show cluster`.

use jiff::Timestamp;
use kube::{Client, ResourceExt as _};

use super::{
    text,
    view::{self, Detail, Seen, Summary},
};
use crate::{
    api::postgres_cluster::PostgresCluster,
    cli::{Context, Exit, Failure, verbs::target},
    domain::names::ObjectName,
    k8s::{self, Kind, clusters},
    postgres::login,
};

/// The clusters to show.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The cluster; without a name, all of the namespace are listed
    name: Option<ObjectName>,
    /// List the clusters of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name", visible_alias = "all")]
    all_namespaces: bool,
}

impl Args {
    /// Shows one cluster, or lists several.
    ///
    /// # Errors
    /// When it isn't there or can't be read.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let connection = context.connection().await?;
        let client = &connection.client;
        let namespace = target::namespace(context, connection);
        let Some(name) = self.name else {
            let place = (!self.all_namespaces).then_some(namespace.as_str());
            let summaries: Vec<Summary> = list(client, place).await?.iter().map(view::summary).collect();
            if summaries.is_empty() {
                let place = place.map_or_else(String::new, |place| format!(" in namespace {place}"));
                context.printer.line(&format!("There is no cluster{place}."));
            }
            context.printer.result(&summaries, || text::list(&summaries, self.all_namespaces))?;
            return Ok(Exit::Success);
        };
        let cluster = target::cluster(client, &namespace, name.as_str()).await?;
        let now = Timestamp::now();
        let detail = look(client, &namespace, &cluster, now).await?;
        context.printer.result(&detail, || text::detail(&detail, now))?;
        Ok(Exit::Success)
    }
}

async fn list(client: &Client, namespace: Option<&str>) -> Result<Vec<PostgresCluster>, Failure> {
    match clusters::list(client, namespace).await {
        Err(error) if error.kind() == Kind::NotFound => Err(target::undefined()),
        other => Ok(other?),
    }
}

async fn look(
    client: &Client,
    namespace: &str,
    cluster: &PostgresCluster,
    now: Timestamp,
) -> Result<Detail, Failure> {
    let name = cluster.name_any();
    let certificate = login::certificate_of(cluster);
    let secret = async {
        match clusters::secret(client, namespace, &certificate.0).await {
            // Whoever may not read Secrets may still see the rest.
            Err(error) if error.kind() == Kind::Forbidden => Ok(None),
            other => other,
        }
    };
    let (pods, volumes, services, secret) = tokio::try_join!(
        clusters::pods(client, namespace, &name),
        clusters::volumes(client, namespace, &name),
        clusters::services(client, namespace, &name),
        secret,
    )
    .map_err(|error: k8s::Error| Failure::from(error))?;
    let certificate =
        secret.as_ref().and_then(|secret| crate::desired::secrets::text(secret, &certificate.1));
    let seen =
        Seen { pods: &pods, volumes: &volumes, services: &services, certificate: certificate.as_deref() };
    Ok(view::detail(cluster, &seen, now))
}
