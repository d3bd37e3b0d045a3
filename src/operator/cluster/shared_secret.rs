//! The Secret with the authorities of a namespace, which all its clusters share: each of them owns it and writes it when time
//! has made something else of it.

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Environment, Error};
use crate::{
    desired::Cluster,
    k8s::{Doing as _, OPERATOR},
};

/// Makes the Secret say what `wanted` says, and the cluster one of its owners. Writes nothing where that is so, whatever other
/// clusters have come or gone.
///
/// # Errors
/// When the API server refuses or can't be reached, also because somebody else has written it since it was read: then there is
/// another look.
pub(super) async fn keep(
    environment: &Environment,
    cluster: &Cluster,
    wanted: &Secret,
    live: Option<&Secret>,
) -> Result<(), Error> {
    let Environment { applier, client, .. } = environment;
    let Some(live) = live else {
        // Of clusters that make it at the same time one does; the others look again and take that.
        return Ok(applier.create(wanted).await?);
    };
    match owed(&cluster.uid, wanted, live) {
        Owed::Nothing => {}
        Owed::Contents => drop(applier.apply(wanted, Some(live)).await?),
        Owed::Owner(own) => {
            // Merged by UID, so that clusters that join at the same time don't get into each other's way.
            let patch = json!({ "metadata": { "uid": live.uid(), "ownerReferences": [own] } });
            let name = live.name_any();
            let secrets: Api<Secret> = Api::namespaced(client.clone(), &cluster.namespace);
            let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
            let joined = secrets.patch_metadata(&name, &params, &Patch::Strategic(&patch)).await;
            joined
                .doing(|| format!("make {} an owner of secret {}/{name}", cluster.name, cluster.namespace))?;
        }
    }
    Ok(())
}

/// What is missing in the Secret.
#[derive(Clone, Debug, PartialEq)]
enum Owed<'a> {
    Nothing,
    /// It holds something else than it should, and perhaps isn't the cluster's.
    Contents,
    /// It isn't the cluster's.
    Owner(&'a OwnerReference),
}

fn owed<'a>(cluster: &str, wanted: &'a Secret, live: &Secret) -> Owed<'a> {
    let own = |owner: &&OwnerReference| owner.uid == cluster;
    if live.data != wanted.data {
        Owed::Contents
    } else if live.owner_references().iter().any(|owner| own(&owner)) {
        Owed::Nothing
    } else {
        wanted.owner_references().iter().find(own).map_or(Owed::Nothing, Owed::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::secrets::data;

    fn secret(key: &str, owners: &[&str]) -> Secret {
        let owners =
            owners.iter().map(|uid| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() });
        let mut secret = Secret { data: Some(data([("root.key", key)])), ..Secret::default() };
        secret.metadata.owner_references = Some(owners.collect());
        secret
    }

    #[test]
    fn other_clusters_that_come_and_go_cost_nothing() {
        let wanted = secret("a", &["1", "2"]);
        assert_eq!(owed("1", &wanted, &secret("a", &["1"])), Owed::Nothing);
        assert_eq!(owed("1", &wanted, &secret("a", &["3", "1"])), Owed::Nothing);
        let joins = owed("1", &wanted, &secret("a", &["2"]));
        assert!(matches!(joins, Owed::Owner(owner) if owner.uid == "1"), "{joins:?}");
        assert_eq!(owed("1", &wanted, &secret("b", &["1", "2"])), Owed::Contents);
    }
}
