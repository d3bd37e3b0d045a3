//! What a cluster gets that asks for nothing else: from the inventory that was named, or from the installation's record.

use crate::{
    cli::{Code, Context, Failure},
    inventory::Inventory,
    k8s::client::Connection,
    roles::record::{RecordError, Which, load_record},
};

/// The inventory in force for a namespace, and whether its operator looks there.
pub(super) struct Found {
    /// The inventory.
    pub(super) inventory: Inventory,
    /// Whether the namespace is watched.
    pub(super) watched: bool,
}

/// Finds it.
pub(super) async fn find(
    context: &Context,
    connection: &Connection,
    namespace: &str,
) -> Result<Found, Failure> {
    if context.settings.inventory.is_some() {
        return Ok(found(context.inventory()?, namespace));
    }
    let client = &connection.client;
    let watching = Which { watching: Some(namespace), ..Which::default() };
    let record = match load_record(client, watching).await {
        // Better the defaults of an operator that looks elsewhere, and a warning, than none.
        Err(RecordError::None) => load_record(client, Which::default()).await,
        other => other,
    };
    match record {
        Ok(record) => Ok(found(record.inventory, namespace)),
        Err(error) => Err(explained(error)),
    }
}

fn found(inventory: Inventory, namespace: &str) -> Found {
    let watched = inventory.namespaces.watched.iter().any(|watched| watched.as_str() == namespace);
    Found { inventory, watched }
}

fn explained(error: RecordError) -> Failure {
    let why = "The defaults of a new cluster (storage, resources, image) are in an inventory or in the record of an \
               installation.";
    let failure = Failure::from(error).because(why);
    match failure.code() {
        Code::NoInstallation => failure.next("Install first (`pgherd install -i FILE`), or name an inventory: `-i FILE`."),
        Code::Forbidden => failure.next(
            "Name the inventory (`-i FILE`): the record is a Secret in the operator's namespace, which you may not read.",
        ),
        Code::SeveralInstallations => failure.next("Say which by its inventory: `-i FILE`."),
        _ => failure,
    }
}
