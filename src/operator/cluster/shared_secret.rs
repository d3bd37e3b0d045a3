//! The Secret with the authorities of a namespace, which all its clusters share: each of them owns it and writes it when time
//! has made something else of it.

use k8s_openapi::api::core::v1::Secret;
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
    if live.data != wanted.data {
        applier.apply(wanted, Some(live)).await?;
        return Ok(());
    }
    if live.owner_references().iter().any(|owner| owner.uid == cluster.uid) {
        return Ok(());
    }
    // Merged by UID, so that clusters that join at the same time don't get into each other's way.
    let own = wanted.owner_references().iter().filter(|owner| owner.uid == cluster.uid);
    let patch = json!({
        "metadata": { "uid": live.uid(), "ownerReferences": own.collect::<Vec<_>>() },
    });
    let name = live.name_any();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &cluster.namespace);
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let joined = secrets.patch_metadata(&name, &params, &Patch::Strategic(&patch)).await;
    joined.doing(|| format!("make {} an owner of secret {}/{name}", cluster.name, cluster.namespace))?;
    Ok(())
}
