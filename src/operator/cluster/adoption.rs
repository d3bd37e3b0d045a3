//! Taking over volumes that hold a data directory already: `spec.dataSource.volumes`. Their claims become those of the first
//! instance by their labels, under the names that they have; the directories are moved to their place on the volume when that
//! instance starts for the first time.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Story, error::Error, roll::Pending};
use crate::{
    api::labels,
    desired::{Cluster, meta},
    k8s::{OPERATOR, cluster_objects::ClusterObjects},
};

/// How far it has come.
pub(super) enum Progress {
    /// There is nothing to take over, or it was.
    Done,
    /// Claims got their labels just now: what was read before is old.
    Taken,
    /// Something is in the way.
    Waiting(Pending),
}

/// Takes the volumes over, unless the cluster has any of its own by now.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn adopt(
    client: &Client,
    cluster: &Cluster,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Progress, Error> {
    let Some(adoption) = &cluster.adoption else { return Ok(Progress::Done) };
    let Some(set) = cluster.sets.first() else { return Ok(Progress::Done) };
    let role = |claim: &PersistentVolumeClaim| claim.labels().get(labels::ROLE).cloned();
    if objects.volume_claims.values().any(|claim| role(claim).as_deref() == Some(labels::ROLE_PGDATA)) {
        return Ok(Progress::Done);
    }
    let instance = cluster.names.startup_instance(&set.name);
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &cluster.namespace);
    let log = adoption.log.iter().map(|source| (source, labels::ROLE_PGWAL));
    // The one with the data comes last: its label says that all of it is done.
    let wanted: Vec<_> = log.chain([(&adoption.data, labels::ROLE_PGDATA)]).collect();
    for (source, _) in &wanted {
        let waiting = |message| Ok(Progress::Waiting(Pending { reason: "DataSource", message }));
        match api.get_opt(&source.claim).await? {
            None => return waiting(format!("spec.dataSource.volumes waits for the claim {}", source.claim)),
            Some(claim) => match claim.labels().get(labels::CLUSTER) {
                Some(owner) if *owner != cluster.name => {
                    return waiting(format!("the claim {} belongs to the cluster {owner}", source.claim));
                }
                _ => {}
            },
        }
    }
    for (source, role) in wanted {
        let mut own = meta::instance_labels(&set.name, &instance);
        own.extend(meta::labels([(labels::ROLE, role), (labels::DATA, labels::DATA_POSTGRES)]));
        let metadata = meta::object_meta(cluster, source.claim.clone(), own, &[&set.metadata]);
        let patch = json!({ "metadata": {
            "labels": metadata.labels, "annotations": metadata.annotations, "ownerReferences": metadata.owner_references,
        } });
        let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
        api.patch_metadata(&source.claim, &params, &Patch::Merge(&patch)).await?;
    }
    story.tell("VolumesAdopted", "Adopt", format!("{instance} has the volume {}", adoption.data.claim));
    Ok(Progress::Taken)
}
