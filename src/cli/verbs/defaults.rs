//! What a cluster gets that asks for nothing else: from the inventory that was named, or from the installation's record.

use kube::Client;

use crate::{
    cli::{Code, Context, Failure},
    inventory::Inventory,
    roles::{
        record::{RecordError, Which, load_record},
        watched::Place,
    },
};

/// The inventory in force for a namespace, and whether its operator looks there.
pub(super) struct Found {
    /// The inventory.
    pub(super) inventory: Inventory,
    /// Whether the namespace is watched.
    pub(super) watched: bool,
}

/// The inventory that was named, if any. Its mistakes are worth telling before anybody talks to a cluster.
pub(super) fn named(context: &Context) -> Result<Option<Inventory>, Failure> {
    let named = context.settings.inventory.as_ref().map(|_| context.inventory());
    Ok(named.transpose()?.map(|checked| checked.inventory.clone()))
}

/// Finds what is in force.
pub(super) async fn find(
    named: Option<Inventory>,
    client: &Client,
    namespace: &str,
) -> Result<Found, Failure> {
    let place = Place::look(client, namespace).await?;
    let found = |inventory: Inventory| Found { watched: place.watched_by(&inventory), inventory };
    if let Some(inventory) = named {
        return Ok(found(inventory));
    }
    let watching = Which { watching: Some(&place), ..Which::default() };
    let record = match load_record(client, watching).await {
        // Better the defaults of an operator that looks elsewhere, and a warning, than none.
        Err(RecordError::None) => load_record(client, Which::default()).await,
        other => other,
    };
    match record {
        Ok(record) => Ok(found(record.inventory)),
        Err(error) => Err(explained(error)),
    }
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
