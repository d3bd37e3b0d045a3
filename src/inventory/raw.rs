//! The inventory as written: every value parsed on its own and with its place, nothing compared with anything else.

use std::ops::Range;

use toml::de::DeTable;

use super::{
    code::Code,
    model::{AccessMode, PullPolicy},
    reader::{At, Notes, Section},
};
use crate::domain::{
    image::ImageReference,
    names::{InstallationName, NamespaceName, ObjectName, SettingName},
    quantity::Quantity,
};

/// The newest major version of PostgreSQL that could be meant; beyond it is a slip of the finger.
const VERSIONS: std::ops::RangeInclusive<u16> = 10..=99;
const REPLICAS: std::ops::RangeInclusive<u16> = 0..=100;

#[derive(Debug, Default)]
pub(super) struct RawInventory {
    pub(super) installation_name: Option<At<InstallationName>>,
    pub(super) installation_namespace: Option<At<NamespaceName>>,
    pub(super) watched: Vec<At<NamespaceName>>,
    pub(super) images: RawImages,
    pub(super) storages: Vec<RawStorage>,
    pub(super) resources: Vec<RawResources>,
    pub(super) defaults: RawDefaults,
}

#[derive(Debug, Default)]
pub(super) struct RawImages {
    pub(super) operator: Option<At<ImageReference>>,
    pub(super) pull_policy: Option<At<PullPolicy>>,
    pub(super) pull_secrets: Vec<At<ObjectName>>,
    pub(super) postgres: Vec<(At<u16>, At<ImageReference>)>,
}

#[derive(Debug)]
pub(super) struct RawStorage {
    pub(super) table: String,
    pub(super) name: Option<At<SettingName>>,
    pub(super) class: Option<At<ObjectName>>,
    pub(super) access_mode: Option<At<AccessMode>>,
    pub(super) size: Option<At<Quantity>>,
}

#[derive(Debug)]
pub(super) struct RawResources {
    pub(super) table: String,
    pub(super) name: Option<At<SettingName>>,
    pub(super) requests_cpu: Option<At<Quantity>>,
    pub(super) requests_memory: Option<At<Quantity>>,
    pub(super) limits_cpu: Option<At<Quantity>>,
    pub(super) limits_memory: Option<At<Quantity>>,
}

#[derive(Debug, Default)]
pub(super) struct RawDefaults {
    pub(super) postgres_version: Option<At<u16>>,
    pub(super) replicas: Option<At<u16>>,
    pub(super) storage: Option<At<SettingName>>,
    pub(super) resources: Option<At<SettingName>>,
}

/// Reads the whole tree and notes what is wrong with single values.
pub(super) fn read(root: &DeTable<'_>, end: Range<usize>, notes: &Notes) -> RawInventory {
    let top = Section::new(root, "", end, notes);
    let mut raw = RawInventory::default();
    if let Some(section) = top.require("installation", top.section("installation")) {
        raw.installation_name = section.require("name", section.parsed("name", Code::Name));
        raw.installation_namespace = section.require("namespace", section.parsed("namespace", Code::Name));
        section.finish();
    }
    if let Some(section) = top.require("namespaces", top.section("namespaces")) {
        let watched = section.require("watched", section.list("watched", Code::Name));
        raw.watched = watched.map(|list| list.value).unwrap_or_default();
        section.finish();
    }
    if let Some(section) = top.require("images", top.section("images")) {
        raw.images = images(section, notes);
    }
    let numbered = |stem: &str| -> Vec<At<String>> {
        let belongs = |key: &At<String>| {
            key.value
                .strip_prefix(stem)
                .is_some_and(|id| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()))
        };
        top.keys().into_iter().filter(belongs).collect()
    };
    let (storages, resources) = (numbered("storage"), numbered("resource"));
    if storages.is_empty() {
        top.require::<()>("storage1", None);
    }
    raw.storages = storages
        .into_iter()
        .filter_map(|key| Some(storage(key.value.clone(), top.section(&key.value)?)))
        .collect();
    raw.resources = resources
        .into_iter()
        .filter_map(|key| Some(resource(key.value.clone(), top.section(&key.value)?)))
        .collect();
    if let Some(section) = top.require("defaults", top.section("defaults")) {
        raw.defaults = defaults(section);
    }
    // Named so that a misspelt first table finds its neighbour even when there is no correct one.
    for table in ["storage1", "resource1"] {
        top.section(table);
    }
    top.finish();
    raw
}

fn images(section: Section<'_>, notes: &Notes) -> RawImages {
    let mut images = RawImages {
        operator: section.require("operator", section.parsed("operator", Code::Image)),
        pull_policy: section.choice("pull_policy", PullPolicy::CHOICES),
        pull_secrets: section.list("pull_secrets", Code::Name).map(|list| list.value).unwrap_or_default(),
        postgres: Vec::new(),
    };
    if let Some(postgres) = section.require("postgres", section.section("postgres")) {
        for key in postgres.keys() {
            let image = postgres.parsed(&key.value, Code::Image);
            match key.value.parse::<u16>().ok().filter(|version| VERSIONS.contains(version)) {
                Some(version) => {
                    images.postgres.extend(image.map(|image| (At { value: version, span: key.span }, image)));
                }
                None => notes.add(
                    Code::Range,
                    key.span,
                    format!("images.postgres.{} is no major version of PostgreSQL", key.value),
                    "a whole number such as 17",
                ),
            }
        }
        postgres.finish();
    }
    section.finish();
    images
}

fn storage(table: String, section: Section<'_>) -> RawStorage {
    let storage = RawStorage {
        table,
        name: section.require("name", section.parsed("name", Code::Name)),
        class: section.parsed("class", Code::Name),
        access_mode: section.choice("access_mode", AccessMode::CHOICES),
        size: section.require("size", section.parsed("size", Code::Quantity)),
    };
    section.finish();
    storage
}

fn resource(table: String, section: Section<'_>) -> RawResources {
    let resources = RawResources {
        table,
        name: section.require("name", section.parsed("name", Code::Name)),
        requests_cpu: section.parsed("requests_cpu", Code::Quantity),
        requests_memory: section.parsed("requests_memory", Code::Quantity),
        limits_cpu: section.parsed("limits_cpu", Code::Quantity),
        limits_memory: section.parsed("limits_memory", Code::Quantity),
    };
    section.finish();
    resources
}

fn defaults(section: Section<'_>) -> RawDefaults {
    let mut defaults = RawDefaults {
        postgres_version: section.number("postgres_version", VERSIONS),
        replicas: section.number("replicas", REPLICAS),
        storage: None,
        resources: None,
    };
    if let Some(storage) = section.require("storage", section.section("storage")) {
        defaults.storage = storage.require("primary", storage.parsed("primary", Code::Name));
        storage.finish();
    }
    if let Some(resources) = section.section("resources") {
        defaults.resources = resources.parsed("primary", Code::Name);
        resources.finish();
    }
    section.finish();
    defaults
}
