//! Roles and databases inside PostgreSQL, set up through `psql` in the primary's pod.

use kube::Client;
use secrecy::{ExposeSecret, SecretString};

use super::{Story, build::Desired, error::Error, instances::Instance};
use crate::{
    desired::{Cluster, pod::DATABASE_CONTAINER, text::scripts, user_secret},
    domain::{
        digest,
        sql::{self, RoleStatement},
    },
    k8s::exec,
};

/// What has to be in the database, and a short name for it: the revision changes when anything of it does.
#[derive(Debug)]
pub(super) struct Wanted {
    script: SecretString,
    /// Hash of the script and of the database that it is for.
    pub revision: String,
}

/// The script that a cluster's users ask for.
#[must_use]
pub(super) fn wanted(cluster: &Cluster, desired: &Desired, system_identifier: &str) -> Wanted {
    let roles: Vec<RoleStatement> = cluster
        .users
        .iter()
        .zip(&desired.user_secrets)
        .filter_map(|(user, secret)| {
            Some(RoleStatement {
                name: user.name.clone(),
                verifier: user_secret::stored_verifier(secret)?,
                options: user.options.clone(),
                databases: user.databases.clone(),
                own_schema: cluster.user_schemas,
            })
        })
        .collect();
    let script = sql::roles_and_databases(&roles);
    let revision = revision(system_identifier, &script);
    Wanted { script, revision }
}

/// A short name for a script and the database that it is for.
#[must_use]
pub(super) fn revision(system_identifier: &str, script: &SecretString) -> String {
    digest::short(&[system_identifier, script.expose_secret()])
}

/// Runs a script as the superuser in the database `postgres` of an instance, with these further options of `psql`. It ends at
/// the first statement that fails, unless they say otherwise.
///
/// # Errors
/// When `psql` can't be run or a statement fails.
pub(super) async fn psql(
    client: &Client,
    cluster: &Cluster,
    instance: &Instance,
    options: &str,
    script: &SecretString,
) -> Result<exec::Output, Error> {
    let pod = instance.name.pod();
    let target = exec::Target { namespace: &cluster.namespace, pod: &pod, container: DATABASE_CONTAINER };
    let command = scripts::with_programs(&format!(
        "psql -Xqw --tuples-only --set=ON_ERROR_STOP=on --username=postgres --dbname=postgres --file=- {options}"
    ));
    Ok(exec::run(client, target, &command, script).await?)
}

/// Runs the script on the primary.
///
/// # Errors
/// When `psql` can't be run or a statement fails.
pub(super) async fn apply(
    client: &Client,
    cluster: &Cluster,
    primary: &Instance,
    wanted: &Wanted,
    story: &mut Story,
) -> Result<(), Error> {
    let output = psql(client, cluster, primary, "", &wanted.script).await?;
    let names: Vec<&str> = cluster.users.iter().map(|user| user.name.as_str()).collect();
    if names.is_empty() {
        story.tell("UsersReady", "SetUpUsers", "no users are asked for".to_owned());
    } else {
        story.tell(
            "UsersReady",
            "SetUpUsers",
            format!("roles and databases are set up for {}", names.join(", ")),
        );
    }
    if output.stdout.contains(sql::NO_AUDIT_MARKER) {
        story.warn(
            "pgAuditDisabled",
            "LoadLibraries",
            "the image has no pgaudit library: statements are not audited".to_owned(),
        );
    }
    Ok(())
}
