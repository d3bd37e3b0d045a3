//! SQL that a user wants to be run once in a new database: `spec.databaseInitSQL`. Which ConfigMap it was is recorded in the
//! status, so that it is never run a second time.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use secrecy::SecretString;

use super::{Story, databases, error::Error, instances::Instance, roll::Pending};
use crate::{api::postgres_cluster::ConfigMapKey, desired::Cluster, k8s::exec::ExecError};

/// A statement that fails doesn't end the script, unless the script says so: those written for the 5.x operator count on it.
/// Errors in few words: the usual ones quote the statement, which may hold a password.
const OPTIONS: &str = "--set=ON_ERROR_STOP=off --set=VERBOSITY=terse --set=SHOW_CONTEXT=never";

/// Runs the SQL if it wasn't yet; `done` is the ConfigMap whose SQL was. Returns what was done by now, and what is in the way.
///
/// # Errors
/// When the API server refuses or can't be reached, or no command can be run in the instance.
pub(super) async fn run(
    client: &Client,
    cluster: &Cluster,
    wanted: Option<&ConfigMapKey>,
    done: Option<String>,
    primary: Option<&Instance>,
    story: &mut Story,
) -> Result<(Option<String>, Option<Pending>), Error> {
    let Some(wanted) = wanted else { return Ok((None, None)) };
    let Some(primary) = primary.filter(|_| done.as_ref() != Some(&wanted.name)) else {
        return Ok((done, None));
    };
    let blocked = |message: String| Some(Pending { reason: "DatabaseInitSQL", message });
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &cluster.namespace);
    let found = config_maps.get_opt(&wanted.name).await?;
    let Some(text) = found.and_then(|map| map.data?.remove(&wanted.key)) else {
        let message = format!(
            "spec.databaseInitSQL waits for key {:?} of the ConfigMap {:?}, which isn't there",
            wanted.key, wanted.name
        );
        return Ok((done, blocked(message)));
    };
    match databases::psql(client, cluster, primary, OPTIONS, &SecretString::from(text)).await {
        Ok(output) => {
            let note = format!("ran the SQL of ConfigMap {}", wanted.name);
            match output.stderr.lines().find(|line| line.contains("ERROR:")) {
                None => story.tell("DatabaseInitSQLDone", "InitSQL", note),
                Some(error) => {
                    story.warn(
                        "DatabaseInitSQLDone",
                        "InitSQL",
                        format!("{note}; some of it failed: {error}"),
                    );
                }
            }
            Ok((Some(wanted.name.clone()), None))
        }
        Err(Error::Exec(ExecError::Failed { stderr, .. })) => {
            let message = format!(
                "the SQL of ConfigMap {:?} failed and is tried again: {}",
                wanted.name,
                stderr.lines().next().unwrap_or("psql gave no reason")
            );
            story.warn("DatabaseInitSQLFailed", "InitSQL", message.clone());
            Ok((done, blocked(message)))
        }
        Err(error) => Err(error),
    }
}
