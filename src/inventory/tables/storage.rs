//! Numbered tables: kinds of volumes, and sets of requests and limits.

use std::collections::BTreeMap;

use super::{
    choices::{AccessMode, StorageType},
    texts::{LabelKey, LabelValue},
};
use crate::{
    domain::{
        names::{ObjectName, SettingName},
        quantity::Quantity,
    },
    inventory::{table::settings, value::GroupId},
};

settings! {
    /// A kind of volume.
    Storage / RawStorage {
        /// What the defaults and the command line call it.
        name: [required] SettingName, old ["storage<ID>_name"];
        /// Where its volumes come from.
        r#type: [default "\"dynamic\""] StorageType, old ["storage<ID>_type"];
        /// The storage class that makes them.
        class: [optional "the cluster's default class"] ObjectName, old ["storage<ID>_class"];
        /// How many may use a volume at once.
        access_mode: [default "\"ReadWriteOnce\""] AccessMode, old ["storage<ID>_access_mode"];
        /// How large a volume is.
        size: [required] Quantity, old ["storage<ID>_size"];
        /// The group that volumes belong to.
        fs_group: [optional "the group of the image"] GroupId, old ["storage<ID>_fs_group"], inert;
        /// Further groups of processes that use volumes, such as the one that an NFS server expects.
        supplemental_groups: [default "[]"] Vec<GroupId>, old ["storage<ID>_supplemental_groups"];
        /// Labels that an existing volume has to have.
        match_labels: [default "{}"] BTreeMap<LabelKey, LabelValue>, old ["storage<ID>_match_labels"];
    }
}

settings! {
    /// A set of requests and limits.
    Resources / RawResources {
        /// What the defaults and the command line call it.
        name: [required] SettingName, old ["resource<ID>_name"];
        /// Memory that is set aside.
        requests_memory: [optional "none is set aside"] Quantity, old ["resource<ID>_requests_memory"];
        /// CPU that is set aside.
        requests_cpu: [optional "none is set aside"] Quantity, old ["resource<ID>_requests_cpu"];
        /// The most memory; who takes more is killed.
        limits_memory: [optional "what the node has"] Quantity, old ["resource<ID>_limits_memory"];
        /// The most CPU; who wants more waits.
        limits_cpu: [optional "what the node has"] Quantity, old ["resource<ID>_limits_cpu"];
    }
}
