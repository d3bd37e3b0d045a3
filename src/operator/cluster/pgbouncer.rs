//! What PgBouncer needs inside PostgreSQL, and what becomes of it and of its objects when nobody wants it any more.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Secret, Service},
};
use kube::Client;
use secrecy::SecretString;

use super::{
    Story,
    apply::delete,
    build::Desired,
    databases::{self, revision},
    error::Error,
    instances::Instance,
};
use crate::{
    api::postgres_cluster::{PgBouncerStatus, PostgresClusterStatus, ProxyStatus},
    desired::{Cluster, pgbouncer},
    domain::sql,
    k8s::cluster_objects::ClusterObjects,
};

/// Prints the names of all databases that take connections, each followed by a zero byte.
const DATABASES: &str = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname";

/// Sets PostgreSQL up for PgBouncer, or takes that back, if it isn't done yet. `done` is the revision that was set up last.
/// Returns the one that is there now.
///
/// # Errors
/// When `psql` can't be run or a statement fails.
pub(super) async fn set_up(
    client: &Client,
    cluster: &Cluster,
    desired: &Desired,
    primary: Option<&Instance>,
    system_identifier: &str,
    done: Option<String>,
    story: &mut Story,
) -> Result<Option<String>, Error> {
    let verifier = desired.pgbouncer.as_ref().and_then(|objects| pgbouncer::stored_verifier(&objects.secret));
    let wanted = verifier.as_ref().map(|verifier| revision(system_identifier, &sql::pooler(&[], verifier)));
    let Some(primary) = primary.filter(|_| wanted != done) else { return Ok(done) };
    let listing = SecretString::from(DATABASES);
    let listed = databases::psql(client, cluster, primary, "-At --record-separator-zero", &listing).await?;
    let names: Vec<String> =
        listed.stdout.split('\0').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let script = match &verifier {
        Some(verifier) => sql::pooler(&names, verifier),
        None => sql::without_pooler(&names),
    };
    databases::psql(client, cluster, primary, "", &script).await?;
    let note = if verifier.is_some() {
        "PgBouncer may look up passwords"
    } else {
        "PgBouncer has no access any more"
    };
    story.tell("PgBouncerAccess", "SetUpPgBouncer", note.to_owned());
    Ok(wanted)
}

/// Removes PgBouncer's objects once PostgreSQL doesn't know of it any more.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn remove(client: &Client, cluster: &Cluster, live: &ClusterObjects) -> Result<(), Error> {
    let (name, namespace) = (cluster.names.pgbouncer(), cluster.namespace.as_str());
    if live.deployments.contains_key(&name) {
        delete::<Deployment>(client, namespace, &name).await?;
    }
    if live.services.contains_key(&name) {
        delete::<Service>(client, namespace, &name).await?;
    }
    if live.config_maps.contains_key(&name) {
        delete::<ConfigMap>(client, namespace, &name).await?;
    }
    if live.secrets.contains_key(&name) {
        delete::<Secret>(client, namespace, &name).await?;
    }
    Ok(())
}

/// The revision that a status tells of.
#[must_use]
pub(super) fn recorded(status: Option<&PostgresClusterStatus>) -> Option<String> {
    status?.proxy.as_ref()?.pgbouncer.as_ref()?.postgres_revision.clone()
}

/// What the status says of PgBouncer; nothing when there is nothing of it.
#[must_use]
pub(super) fn status(
    cluster: &Cluster,
    live: &ClusterObjects,
    postgres_revision: Option<String>,
) -> Option<ProxyStatus> {
    if cluster.pgbouncer.is_none() && postgres_revision.is_none() {
        return None;
    }
    let deployment = live.deployments.get(&cluster.names.pgbouncer()).and_then(|found| found.status.as_ref());
    Some(ProxyStatus {
        pgbouncer: Some(PgBouncerStatus {
            postgres_revision,
            replicas: Some(deployment.and_then(|status| status.replicas).unwrap_or_default()),
            ready_replicas: Some(deployment.and_then(|status| status.ready_replicas).unwrap_or_default()),
        }),
    })
}

/// Whether as many pods serve as are wanted, as a condition: its state, a word and a sentence.
#[must_use]
pub(super) fn availability(cluster: &Cluster, proxy: &ProxyStatus) -> Option<(bool, &'static str, String)> {
    let wanted = if cluster.shutdown { 0 } else { cluster.pgbouncer.as_ref()?.replicas };
    let status = proxy.pgbouncer.as_ref()?;
    let ready = status.ready_replicas.unwrap_or_default();
    let message = format!("{ready} of {wanted} pods of PgBouncer are ready");
    Some(match () {
        () if status.postgres_revision.is_none() => {
            (false, "SettingUp", "PostgreSQL is not set up for PgBouncer yet".to_owned())
        }
        () if wanted == 0 => (false, "NotWanted", "no pod of PgBouncer is asked for".to_owned()),
        () if ready == 0 => (false, "NoPodReady", message),
        () => (true, "Available", message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_depends_on_the_password_and_not_on_the_databases() {
        let verifier = |text: &str| SecretString::from(text.to_owned());
        let of = |text: &str| revision("77", &sql::pooler(&[], &verifier(text)));
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
    }
}
