//! PersistentVolumeClaims of an instance.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec};

use super::{
    cluster::{Cluster, InstanceSet},
    meta,
};
use crate::{api::labels, domain::cluster_names::InstanceName};

/// The claim for the data directory.
#[must_use]
pub fn data(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> PersistentVolumeClaim {
    let mut own = meta::instance_labels(&set.name, instance);
    own.extend(meta::labels([(labels::ROLE, labels::ROLE_PGDATA), (labels::DATA, labels::DATA_POSTGRES)]));
    PersistentVolumeClaim {
        metadata: meta::object_meta(cluster, set.data_claim(instance), own, &[&set.metadata]),
        spec: Some(spec(&set.data_volume, set.adopted.data.is_some())),
        ..PersistentVolumeClaim::default()
    }
}

/// The claim for the write-ahead log, where it has a volume of its own.
#[must_use]
pub fn wal(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> Option<PersistentVolumeClaim> {
    let spec = set.wal_volume.clone()?;
    let mut own = meta::instance_labels(&set.name, instance);
    own.extend(meta::labels([(labels::ROLE, labels::ROLE_PGWAL), (labels::DATA, labels::DATA_POSTGRES)]));
    Some(PersistentVolumeClaim {
        metadata: meta::object_meta(cluster, set.wal_claim(instance), own, &[&set.metadata]),
        spec: Some(self::spec(&spec, set.adopted.log.is_some())),
        ..PersistentVolumeClaim::default()
    })
}

/// Of a claim that was adopted only the size can change.
fn spec(wanted: &PersistentVolumeClaimSpec, adopted: bool) -> PersistentVolumeClaimSpec {
    if !adopted {
        return wanted.clone();
    }
    PersistentVolumeClaimSpec { resources: wanted.resources.clone(), ..PersistentVolumeClaimSpec::default() }
}

/// The claims for tablespaces.
pub fn tablespaces(
    cluster: &Cluster,
    set: &InstanceSet,
    instance: &InstanceName,
) -> impl Iterator<Item = PersistentVolumeClaim> {
    set.tablespaces.iter().map(|tablespace| {
        let mut own = meta::instance_labels(&set.name, instance);
        own.extend(meta::labels([
            (labels::ROLE, labels::ROLE_TABLESPACE),
            (labels::DATA, labels::DATA_POSTGRES),
        ]));
        let name = instance.tablespace_volume(&tablespace.name);
        PersistentVolumeClaim {
            metadata: meta::object_meta(cluster, name, own, &[&set.metadata]),
            spec: Some(tablespace.volume.clone()),
            ..PersistentVolumeClaim::default()
        }
    })
}
