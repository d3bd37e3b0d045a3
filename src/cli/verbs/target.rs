//! What a verb is to work on: the namespace and the cluster that the command line means.

use kube::{Client, ResourceExt as _};

use crate::{
    api::postgres_cluster::PostgresCluster,
    cli::{Code, Context, Failure},
    inventory::Inventory,
    k8s::{client::Connection, clusters},
    roles::record::Which,
};

/// The inventory, if one was named.
pub(super) fn inventory(context: &Context) -> Result<Option<&Inventory>, Failure> {
    let named = context.settings.inventory.as_ref().map(|_| context.inventory()).transpose()?;
    Ok(named.map(|checked| &checked.inventory))
}

/// The installation that is meant: by `-n`, or else by the inventory.
pub(super) fn installation<'a>(context: &'a Context, inventory: Option<&'a Inventory>) -> Which<'a> {
    let given = inventory.map(|inventory| Which::exactly(&inventory.installation)).unwrap_or_default();
    let named = context.settings.namespace.as_ref().map(AsRef::as_ref);
    Which { namespace: named.or(given.namespace), ..given }
}

/// The namespace that was named, or else that of the context.
pub(super) fn namespace(context: &Context, connection: &Connection) -> String {
    context
        .settings
        .namespace
        .as_ref()
        .map_or_else(|| connection.default_namespace.clone(), ToString::to_string)
}

/// The cluster that was named.
pub(super) async fn cluster(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<PostgresCluster, Failure> {
    match find(client, namespace, name).await? {
        Some(cluster) => Ok(cluster),
        None => Err(missing(client, namespace, name).await),
    }
}

/// The cluster of that name, if it exists.
pub(super) async fn find(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<PostgresCluster>, Failure> {
    match clusters::find(client, namespace, name).await? {
        Some(cluster) => Ok(Some(cluster)),
        // Kubernetes says the same of an object and of a kind that it doesn't have.
        None if !clusters::defined(client).await? => Err(undefined()),
        None => Ok(None),
    }
}

/// Says that a cluster isn't there, with the names of those that could have been meant.
pub(super) async fn missing(client: &Client, namespace: &str, name: &str) -> Failure {
    // Whoever may see no more than one namespace gets the names of that one.
    let known = match clusters::list(client, None).await {
        Ok(known) => known,
        Err(_) => clusters::list(client, Some(namespace)).await.unwrap_or_default(),
    };
    let known: Vec<(String, String)> =
        known.iter().map(|cluster| (cluster.namespace().unwrap_or_default(), cluster.name_any())).collect();
    let failure = Failure::new(Code::ClusterMissing, format!("there is no cluster {namespace}/{name}"));
    match hint(&known, namespace, name) {
        Some(hint) => failure.because(hint),
        None => failure,
    }
    .next("`pgherd show cluster -A` lists those there are.")
}

fn hint(known: &[(String, String)], namespace: &str, name: &str) -> Option<String> {
    let elsewhere: Vec<&str> =
        known.iter().filter(|(_, other)| other == name).map(|(namespace, _)| namespace.as_str()).collect();
    if !elsewhere.is_empty() {
        return Some(format!("There is one of this name in {}: say `-n`.", elsewhere.join(" and ")));
    }
    let here: Vec<&str> =
        (known.iter().filter(|(place, _)| place == namespace)).map(|(_, other)| other.as_str()).collect();
    near(name, &here)
}

/// A question about the names that are close to one that isn't known, or the list of all if it is short.
fn near(name: &str, known: &[&str]) -> Option<String> {
    // A third of it mistyped is still a typing mistake, more is another name.
    let limit = (name.chars().count() / 3).max(1);
    let distance = |other: &&&str| strsim::damerau_levenshtein(name, other);
    match known.iter().min_by_key(distance) {
        Some(nearest) if distance(&nearest) <= limit => Some(format!("Did you mean {nearest:?}?")),
        _ if (1..=5).contains(&known.len()) => Some(format!("There is: {}", known.join(", "))),
        _ => None,
    }
}

/// Says that a user isn't there, with the names of those that could have been meant.
pub(super) fn no_user(namespace: &str, cluster: Option<&str>, user: &str, known: &[String]) -> Failure {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let (place, list) = match cluster {
        Some(cluster) => (
            format!("cluster {namespace}/{cluster}"),
            format!("pgherd show user -c {cluster} -n {namespace}"),
        ),
        None => (format!("namespace {namespace}"), format!("pgherd show user -n {namespace}")),
    };
    let failure = Failure::new(Code::UserMissing, format!("{place} has no user {user:?}"));
    match near(user, &known) {
        Some(hint) => failure.because(hint),
        None => failure,
    }
    .next(format!("`{list}` lists those there are."))
}

/// What is said where nobody ever installed the definitions.
pub(super) fn undefined() -> Failure {
    Failure::new(Code::NoInstallation, "this cluster doesn't know what a PostgresCluster is")
        .next("Install first: `pgherd install -i FILE`. Or is it another cluster (`--context`)?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_another_namespace_wins_over_a_near_one() {
        let known = [("a".to_owned(), "hippo".to_owned()), ("b".to_owned(), "hipo".to_owned())];
        let hint = |namespace, name| hint(&known, namespace, name);
        assert_eq!(hint("b", "hippo").unwrap(), "There is one of this name in a: say `-n`.");
        assert_eq!(hint("a", "hipppo").unwrap(), "Did you mean \"hippo\"?");
        assert_eq!(hint("a", "elephant").unwrap(), "There is: hippo");
        assert_eq!(hint("c", "elephant"), None);
    }
}
