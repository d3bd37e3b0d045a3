//! The Secret with the authorities of a namespace, which all its clusters share: each of them owns it and writes it when time
//! has made something else of it.

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Environment, Error, apply::owned};
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
    match owed(cluster, wanted, live) {
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

fn owed<'a>(cluster: &Cluster, wanted: &'a Secret, live: &Secret) -> Owed<'a> {
    if live.data != wanted.data {
        Owed::Contents
    } else if owned(cluster, live) {
        Owed::Nothing
    } else {
        let own = wanted.owner_references().iter().find(|owner| owner.uid == cluster.uid);
        own.map_or(Owed::Nothing, Owed::Owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desired::secrets::data, operator::test_support};

    fn secret(key: &str, owners: &[&str]) -> Secret {
        let owners =
            owners.iter().map(|uid| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() });
        let mut secret = Secret { data: Some(data([("root.key", key)])), ..Secret::default() };
        secret.metadata.owner_references = Some(owners.collect());
        secret
    }

    #[test]
    fn other_clusters_that_come_and_go_cost_nothing() {
        let first = Cluster { uid: "1".to_owned(), ..test_support::cluster() };
        let wanted = secret("a", &["1", "2"]);
        assert_eq!(owed(&first, &wanted, &secret("a", &["1"])), Owed::Nothing);
        assert_eq!(owed(&first, &wanted, &secret("a", &["3", "1"])), Owed::Nothing);
        let joins = owed(&first, &wanted, &secret("a", &["2"]));
        assert!(matches!(joins, Owed::Owner(owner) if owner.uid == "1"), "{joins:?}");
        assert_eq!(owed(&first, &wanted, &secret("b", &["1", "2"])), Owed::Contents);
    }
}
