//! The inventory after it was checked: types that can't be wrong, and every default filled in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap as _};

use super::{
    images::{self, ResolvedImages},
    notes::Notes,
    raw::RawInventory,
    table::Table as _,
    tables::{
        Access, Defaults, Gcs, Installation, Kubernetes, Metrics, Namespaces, Network, Rbac, Resources, S3,
        Storage, Tables, Tls,
    },
};
use crate::domain::names::{NamespaceName, SettingName};

/// A whole installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Who we are.
    pub installation: Installation,
    /// How the cluster is reached.
    pub kubernetes: Kubernetes,
    /// Where databases may be.
    pub namespaces: Namespaces,
    /// Rights of the operator.
    pub rbac: Rbac,
    /// What may talk to what.
    pub network: Network,
    /// What runs, with every reference complete.
    pub images: ResolvedImages,
    /// Certificates.
    pub tls: Tls,
    /// People and programs that use the installation.
    pub access: Access,
    /// What a database cluster gets that asks for nothing else.
    pub defaults: Defaults,
    /// Kinds of volumes, by their numbers.
    pub storages: BTreeMap<u32, Storage>,
    /// Sets of requests and limits, by their numbers.
    pub resources: BTreeMap<u32, Resources>,
    /// Backups in S3.
    pub s3: S3,
    /// Backups in Google Cloud Storage.
    pub gcs: Gcs,
    /// What watches the databases.
    pub metrics: Metrics,
    /// The storage of primaries, which the defaults name.
    primary: Storage,
}

impl Inventory {
    /// The namespaces where databases may be.
    #[must_use]
    pub fn watched(&self) -> &[NamespaceName] {
        self.namespaces.watched.as_deref().unwrap_or(std::slice::from_ref(&self.installation.namespace))
    }

    /// The operator's namespace and those where databases may be.
    #[must_use]
    pub fn all_namespaces(&self) -> BTreeSet<&NamespaceName> {
        self.watched().iter().chain([&self.installation.namespace]).collect()
    }

    /// The storage of primaries.
    #[must_use]
    pub fn primary_storage(&self) -> &Storage {
        &self.primary
    }

    /// The storage of this name.
    #[must_use]
    pub fn storage(&self, name: &SettingName) -> Option<&Storage> {
        self.storages.values().find(|storage| storage.name == *name)
    }

    /// The set of requests and limits of this name.
    #[must_use]
    pub fn resources(&self, name: &SettingName) -> Option<&Resources> {
        self.resources.values().find(|resources| resources.name == *name)
    }

    /// The major version of PostgreSQL that clusters get.
    #[must_use]
    pub fn postgres_version(&self) -> u16 {
        let newest = self.images.postgres.keys().next_back().copied().unwrap_or_default();
        self.defaults.postgres_version.and_then(|version| u16::try_from(version.get()).ok()).unwrap_or(newest)
    }

    /// The inventory, when nothing is missing. What is wrong with images goes into the notes.
    pub(super) fn complete(raw: RawInventory, notes: &Notes) -> Option<Self> {
        let places = images::Places::of(&raw.tables.images);
        let storages = raw
            .storages
            .into_iter()
            .map(|table| Some((table.id, Storage::complete(table.raw)?)))
            .collect::<Option<_>>();
        let resources = (raw.resources.into_iter())
            .map(|table| Some((table.id, Resources::complete(table.raw)?)))
            .collect::<Option<_>>();
        let tables = Tables::complete(raw.tables);
        let Tables {
            installation,
            kubernetes,
            namespaces,
            rbac,
            network,
            images,
            tls,
            access,
            defaults,
            s3,
            gcs,
            metrics,
        } = tables?;
        let images = images::resolve(images, &places, notes)?;
        let storages: BTreeMap<u32, Storage> = storages?;
        let primary = storages.values().find(|storage| storage.name == defaults.storage.primary)?.clone();
        Some(Self {
            installation,
            kubernetes,
            namespaces,
            rbac,
            network,
            images,
            tls,
            access,
            defaults,
            storages,
            resources: resources?,
            s3,
            gcs,
            metrics,
            primary,
        })
    }
}

/// An inventory is written as the file would be, so that another version reads it as it would a file.
impl Serialize for Inventory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("installation", &self.installation)?;
        map.serialize_entry("kubernetes", &self.kubernetes)?;
        map.serialize_entry("namespaces", &self.namespaces)?;
        map.serialize_entry("rbac", &self.rbac)?;
        map.serialize_entry("network", &self.network)?;
        map.serialize_entry("images", &self.images.written)?;
        map.serialize_entry("tls", &self.tls)?;
        map.serialize_entry("access", &self.access)?;
        map.serialize_entry("defaults", &self.defaults)?;
        for (id, storage) in &self.storages {
            map.serialize_entry(&format!("storage{id}"), storage)?;
        }
        for (id, resources) in &self.resources {
            map.serialize_entry(&format!("resource{id}"), resources)?;
        }
        map.serialize_entry("s3", &self.s3)?;
        map.serialize_entry("gcs", &self.gcs)?;
        map.serialize_entry("metrics", &self.metrics)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Inventory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = toml::Table::deserialize(deserializer)?;
        let text = toml::to_string(&table).map_err(D::Error::custom)?;
        Self::parse("record", &text).map_err(|report| {
            let first = report.mistakes().first();
            D::Error::custom(first.map_or_else(String::new, |mistake| mistake.message.clone()))
        })
    }
}
