//! The inventory after it was checked: types that can't be wrong, and every default filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    image::ImageReference,
    names::{InstallationName, NamespaceName, ObjectName, SettingName},
    quantity::Quantity,
};

/// A whole installation, as resolved. This is also what the installation's record in the cluster holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Who we are.
    pub installation: Installation,
    /// Where databases may be.
    pub namespaces: Namespaces,
    /// What runs.
    pub images: Images,
    /// Kinds of volumes.
    pub storages: Vec<Storage>,
    /// Sets of requests and limits.
    pub resources: Vec<Resources>,
    /// What a cluster gets that asks for nothing else.
    pub defaults: Defaults,
}

/// The installation itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Its name, which its objects begin with.
    pub name: InstallationName,
    /// Where the operator runs.
    pub namespace: NamespaceName,
}

/// Namespaces besides the operator's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Where the operator looks for clusters, in the inventory's order.
    pub watched: Vec<NamespaceName>,
}

/// Images and how they are pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// The image with this program.
    pub operator: ImageReference,
    /// The database's image for each major version.
    pub postgres: BTreeMap<u16, ImageReference>,
    /// When to pull.
    pub pull_policy: PullPolicy,
    /// Secrets with credentials for the registry.
    pub pull_secrets: Vec<ObjectName>,
}

/// When the kubelet pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
pub enum PullPolicy {
    /// When the node doesn't have it.
    #[default]
    IfNotPresent,
    /// Before every start.
    Always,
    /// Not at all: it has to be on the node.
    Never,
}

impl PullPolicy {
    pub(super) const CHOICES: &[(&str, Self)] =
        &[("IfNotPresent", Self::IfNotPresent), ("Always", Self::Always), ("Never", Self::Never)];
}

/// How many nodes and pods may use a volume at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
pub enum AccessMode {
    /// One node.
    #[default]
    ReadWriteOnce,
    /// Many nodes.
    ReadWriteMany,
    /// One pod.
    ReadWriteOncePod,
}

impl AccessMode {
    pub(super) const CHOICES: &[(&str, Self)] = &[
        ("ReadWriteOnce", Self::ReadWriteOnce),
        ("ReadWriteMany", Self::ReadWriteMany),
        ("ReadWriteOncePod", Self::ReadWriteOncePod),
    ];
}

/// A kind of volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// What the defaults and the command line call it.
    pub name: SettingName,
    /// The storage class; none means the cluster's default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ObjectName>,
    /// How many may use it at once.
    pub access_mode: AccessMode,
    /// How large a volume is.
    pub size: Quantity,
}

/// A set of requests and limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// What the defaults and the command line call it.
    pub name: SettingName,
    /// CPU that is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_cpu: Option<Quantity>,
    /// Memory that is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_memory: Option<Quantity>,
    /// The most CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_cpu: Option<Quantity>,
    /// The most memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_memory: Option<Quantity>,
}

/// What a cluster gets that asks for nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// The major version of PostgreSQL, which [`Images::postgres`] has an image for.
    pub postgres_version: u16,
    /// Instances besides the primary.
    pub replicas: u16,
    /// Volumes of instances.
    pub storage: Storage,
    /// Requests and limits of instances, when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}
