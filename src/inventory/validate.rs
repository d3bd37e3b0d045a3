//! From what was written to what is meant: references are followed, settings compared, defaults filled in. Pure.

use std::{collections::BTreeSet, fmt::Display};

use super::{
    code::Code,
    model::{Defaults, Images, Installation, Inventory, Namespaces, Resources, Storage},
    raw::{RawDefaults, RawImages, RawInventory, RawResources, RawStorage},
    reader::{At, Notes, nearest},
    report::{Mistake, position},
};
use crate::domain::{names::SettingName, quantity::Quantity};

/// A table with a name that others refer to.
struct Named<T> {
    table: String,
    name: At<SettingName>,
    value: Option<T>,
}

/// The inventory, when nothing is wrong with it; all that is wrong goes into the notes.
pub(super) fn resolve(raw: RawInventory, source: &str, notes: &Notes) -> Option<Inventory> {
    let RawInventory {
        installation_name,
        installation_namespace,
        watched,
        images,
        storages,
        resources,
        defaults,
    } = raw;
    unique(&watched, "namespace", notes);
    let storages: Vec<Named<Storage>> = storages.into_iter().filter_map(storage).collect();
    let resources: Vec<Named<Resources>> =
        resources.into_iter().filter_map(|raw| resource(raw, notes)).collect();
    unique(storages.iter().map(|named| &named.name), "storage", notes);
    unique(resources.iter().map(|named| &named.name), "resource", notes);
    let defaults = resolve_defaults(defaults, &storages, &resources, &images, source, notes);
    Some(Inventory {
        installation: Installation {
            name: installation_name?.value,
            namespace: installation_namespace?.value,
        },
        namespaces: Namespaces { watched: watched.into_iter().map(|namespace| namespace.value).collect() },
        images: resolve_images(images)?,
        storages: storages.into_iter().filter_map(|named| named.value).collect(),
        resources: resources.into_iter().filter_map(|named| named.value).collect(),
        defaults: defaults?,
    })
}

fn resolve_images(raw: RawImages) -> Option<Images> {
    Some(Images {
        operator: raw.operator?.value,
        postgres: raw.postgres.into_iter().map(|(version, image)| (version.value, image.value)).collect(),
        pull_policy: raw.pull_policy.map(|policy| policy.value).unwrap_or_default(),
        pull_secrets: raw.pull_secrets.into_iter().map(|secret| secret.value).collect(),
    })
}

fn storage(raw: RawStorage) -> Option<Named<Storage>> {
    let RawStorage { table, name, class, access_mode, size } = raw;
    let name = name?;
    let value = size.map(|size| Storage {
        name: name.value.clone(),
        class: class.map(|class| class.value),
        access_mode: access_mode.map(|mode| mode.value).unwrap_or_default(),
        size: size.value,
    });
    Some(Named { table, name, value })
}

fn resource(raw: RawResources, notes: &Notes) -> Option<Named<Resources>> {
    let RawResources { table, name, requests_cpu, requests_memory, limits_cpu, limits_memory } = raw;
    for (request, limit) in [(&requests_cpu, &limits_cpu), (&requests_memory, &limits_memory)] {
        limit_above_request(request.as_ref(), limit.as_ref(), notes);
    }
    let name = name?;
    let take = |quantity: Option<At<Quantity>>| quantity.map(|quantity| quantity.value);
    let value = Some(Resources {
        name: name.value.clone(),
        requests_cpu: take(requests_cpu),
        requests_memory: take(requests_memory),
        limits_cpu: take(limits_cpu),
        limits_memory: take(limits_memory),
    });
    Some(Named { table, name, value })
}

fn limit_above_request(request: Option<&At<Quantity>>, limit: Option<&At<Quantity>>, notes: &Notes) {
    let (Some(request), Some(limit)) = (request, limit) else { return };
    if limit.value < request.value {
        notes.push(Mistake {
            code: Code::LimitBelowRequest,
            message: "limit below request".to_owned(),
            span: limit.span.clone(),
            label: format!("must be at least {}", request.value),
            related: Some(request.span.clone()),
        });
    }
}

fn resolve_defaults(
    raw: RawDefaults,
    storages: &[Named<Storage>],
    resources: &[Named<Resources>],
    images: &RawImages,
    source: &str,
    notes: &Notes,
) -> Option<Defaults> {
    let storage = raw.storage.and_then(|wanted| {
        refer(&wanted, storages, "storage", Code::UnknownStorage, source, notes)?.value.clone()
    });
    let chosen = raw.resources.map(|wanted| {
        refer(&wanted, resources, "resource", Code::UnknownResource, source, notes)?.value.clone()
    });
    let versions: BTreeSet<u16> = images.postgres.iter().map(|(version, _)| version.value).collect();
    if let Some(wanted) = &raw.postgres_version
        && !versions.is_empty()
        && !versions.contains(&wanted.value)
    {
        let known: Vec<String> = versions.iter().map(ToString::to_string).collect();
        notes.add(
            Code::VersionWithoutImage,
            wanted.span.clone(),
            format!("images.postgres has no image for PostgreSQL {}", wanted.value),
            format!("it has {}", known.join(", ")),
        );
    }
    let newest = versions.last().copied();
    Some(Defaults {
        postgres_version: raw.postgres_version.map(|version| version.value).or(newest)?,
        replicas: raw.replicas.map_or(0, |replicas| replicas.value),
        storage: storage?,
        resources: chosen.flatten(),
    })
}

/// Follows a name to its table, or notes that there is none and which one may be meant.
fn refer<'t, T>(
    wanted: &At<SettingName>,
    tables: &'t [Named<T>],
    kind: &str,
    code: Code,
    source: &str,
    notes: &Notes,
) -> Option<&'t Named<T>> {
    let found = tables.iter().find(|table| table.name.value == wanted.value);
    if found.is_none() {
        let near = nearest(wanted.value.as_str(), tables.iter().map(|table| table.name.value.as_str()))
            .and_then(|near| tables.iter().find(|table| table.name.value.as_str() == near));
        let label = match near {
            Some(table) => {
                let (line, _) = position(source, table.name.span.start);
                format!("did you mean \"{}\" ({}, line {line})?", table.name.value, table.table)
            }
            None if tables.is_empty() => format!("this file has no [{kind}1]"),
            None => {
                let names: Vec<&str> = tables.iter().map(|table| table.name.value.as_str()).collect();
                format!("there is: {}", names.join(", "))
            }
        };
        notes.add(code, wanted.span.clone(), format!("no {kind} is called \"{}\"", wanted.value), label);
    }
    found
}

fn unique<'v, T: Eq + Display + 'v>(values: impl IntoIterator<Item = &'v At<T>>, kind: &str, notes: &Notes) {
    let mut seen: Vec<&At<T>> = Vec::new();
    for value in values {
        if let Some(first) = seen.iter().find(|other| other.value == value.value) {
            notes.push(Mistake {
                code: Code::Duplicate,
                message: format!("the {kind} \"{}\" is there twice", value.value),
                span: value.span.clone(),
                label: "again".to_owned(),
                related: Some(first.span.clone()),
            });
        }
        seen.push(value);
    }
}
