//! `pgherd delete cluster`.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::{
    api::{labels, postgres_cluster::PostgresCluster},
    cli::{
        Code, Context, Exit, Failure, Printer,
        output::{bytes, counted},
        verbs::target,
    },
    domain::{names::ObjectName, quantity::Quantity},
    k8s::{
        cluster_wait::{self, ClusterWaitError},
        clusters,
    },
};

/// The cluster to delete.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name
    name: ObjectName,
    /// Leave the volumes with the data; a cluster of the same name comes back to them
    #[arg(long)]
    keep_data: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deleted {
    name: String,
    namespace: String,
    instances: usize,
    /// Those that went.
    volumes: Vec<String>,
    /// Those that stay.
    kept: Vec<String>,
}

/// What goes with a cluster.
struct Loss {
    instances: usize,
    data: Vec<PersistentVolumeClaim>,
    backups: Vec<PersistentVolumeClaim>,
}

impl Args {
    /// Deletes a cluster and waits until nothing is left of it.
    ///
    /// # Errors
    /// When it isn't there, isn't confirmed, or doesn't go.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let connection = context.connection().await?;
        let client = &connection.client;
        let namespace = target::namespace(context, connection);
        let name = self.name.as_str();
        let printer = &context.printer;
        let cluster = target::find(client, &namespace, name).await?;
        let pods = clusters::pods(client, &namespace, name).await?;
        let volumes = clusters::volumes(client, &namespace, name).await?;
        let (backups, data) = volumes
            .into_iter()
            .filter(cluster_wait::goes_with_its_cluster)
            .partition(|claim| claim.labels().contains_key(labels::PGBACKREST_REPO));
        let loss = Loss { instances: pods.len(), data, backups };
        match &cluster {
            None if loss.nothing() => return Err(target::missing(client, &namespace, name).await),
            Some(cluster) if cluster.metadata.deletion_timestamp.is_none() => {
                let loss = if self.keep_data { loss.spared() } else { loss.told() };
                printer.line(&format!("This deletes cluster {namespace}/{name}: {loss}."));
                context.confirm_by_name("Type the cluster's name to go on", name).await?;
                if self.keep_data {
                    clusters::keep_volumes(client, &namespace, name).await?;
                }
                clusters::delete(client, cluster).await?;
            }
            _ => printer.line(&format!("Cluster {namespace}/{name} is being deleted already.")),
        }

        let line = printer.start(name);
        let timeout = context.settings.timeout;
        let gone = cluster_wait::gone(client, &namespace, name, timeout, |reason| line.update(reason)).await;
        if let Err(error) = gone {
            let seen = match &error {
                ClusterWaitError::Timeout { seen } => seen.clone(),
                other => vec![other.to_string()],
            };
            line.failed("not gone", &seen);
            return Err(not_gone(printer, cluster.as_ref(), &namespace, name, error));
        }
        line.done("deleted");
        let volumes = loss.data.iter().chain(&loss.backups).map(kube::ResourceExt::name_any).collect();
        let (volumes, kept) = if self.keep_data { (Vec::new(), volumes) } else { (volumes, Vec::new()) };
        let deleted = Deleted { name: name.to_owned(), namespace, instances: loss.instances, volumes, kept };
        printer.result(&deleted, String::new)?;
        Ok(Exit::Success)
    }
}

impl Loss {
    fn nothing(&self) -> bool {
        self.instances == 0 && self.data.is_empty() && self.backups.is_empty()
    }

    /// What goes when volumes stay, in words.
    fn spared(&self) -> String {
        let volumes = self.data.len() + self.backups.len();
        let stay = if volumes == 1 { "stays" } else { "stay" };
        format!("{}. {} {stay}", counted(self.instances, "instance"), counted(volumes, "volume"))
    }

    /// What goes, in words.
    fn told(&self) -> String {
        let instances = counted(self.instances, "instance");
        let volumes = match self.data.len() {
            0 => "no volume".to_owned(),
            1 => format!("its volume ({})", total(&self.data)),
            _ => format!("their {} ({})", counted(self.data.len(), "volume"), total(&self.data)),
        };
        match self.backups.len() {
            0 => format!("{instances}, {volumes} and no backup"),
            count => format!(
                "{instances}, {volumes} and all backups in {} ({})",
                counted(count, "repository volume"),
                total(&self.backups)
            ),
        }
    }
}

/// The sizes of volumes together, as far as they are known.
fn total(claims: &[PersistentVolumeClaim]) -> String {
    let sizes = claims.iter().filter_map(|claim| {
        let size: Quantity = clusters::size(claim)?.parse().ok()?;
        size.as_bytes().ok()
    });
    bytes(sizes.fold(0, u64::saturating_add))
}

fn not_gone(
    printer: &Printer,
    cluster: Option<&PostgresCluster>,
    namespace: &str,
    name: &str,
    error: ClusterWaitError,
) -> Failure {
    let seen = match error {
        ClusterWaitError::Watch(error) => return error.into(),
        ClusterWaitError::Timeout { seen } => seen,
        other => vec![other.to_string()],
    };
    let failure = Failure::new(Code::ClusterNotGone, format!("cluster {namespace}/{name} is still there"));
    // On a terminal this stands right above.
    let failure = if printer.talks() { failure } else { seen.into_iter().fold(failure, Failure::because) };
    let protected =
        cluster.is_some_and(|cluster| cluster.finalizers().iter().any(|one| one == labels::FINALIZER));
    failure.next(if protected {
        "The operator takes it down: does it run, and does it look after this namespace? The same command goes on from \
         here."
    } else {
        "The same command goes on from here."
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(sizes: &[&str]) -> Vec<PersistentVolumeClaim> {
        let claim =
            |size: &&str| serde_json::from_value(json!({"status": {"capacity": {"storage": size}}})).unwrap();
        sizes.iter().map(claim).collect()
    }

    #[test]
    fn what_goes_is_told_with_its_size() {
        let told = |instances, data: &[&str], backups: &[&str]| {
            Loss { instances, data: claims(data), backups: claims(backups) }.told()
        };
        assert_eq!(told(1, &["1Gi"], &[]), "1 instance, its volume (1.0 GiB) and no backup");
        assert_eq!(
            told(3, &["1Gi", "512Mi"], &["20Gi"]),
            "3 instances, their 2 volumes (1.5 GiB) and all backups in 1 repository volume (20 GiB)"
        );
        assert_eq!(told(0, &[], &[]), "0 instances, no volume and no backup");
    }
}
