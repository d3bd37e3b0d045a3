//! References to images, completed: registry, prefix, tag, mirror and digest.

use std::collections::BTreeMap;

use super::{
    code::Code,
    notes::Notes,
    source::Place,
    tables::{ImageName, Images, PullPolicy, RawImages},
};
use crate::domain::{image::ImageReference, names::ObjectName};

/// What runs, with every reference complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImages {
    /// The image with this program.
    pub operator: ImageReference,
    /// The database's image for each major version.
    pub postgres: BTreeMap<u16, ImageReference>,
    /// When to pull.
    pub pull_policy: PullPolicy,
    /// Secrets with credentials for registries.
    pub pull_secrets: Vec<ObjectName>,
    /// The table as written.
    pub written: Images,
}

/// Where images stand, for what is wrong with them once they are complete.
pub(super) struct Places {
    table: Place,
    operator: Option<Place>,
    postgres: Option<Place>,
}

impl Places {
    pub(super) fn of(raw: &RawImages) -> Self {
        let postgres = raw.postgres.as_ref().map(|at| at.place.clone());
        let operator = raw.operator.as_ref().map(|at| at.place.clone());
        let registry = raw.registry.as_ref().map(|at| at.place.clone());
        let table = registry.or_else(|| postgres.clone()).unwrap_or(Place { source: 0, span: 0..0 });
        Self { table, operator, postgres }
    }
}

/// Completes every reference. None when one can't be, which was noted.
pub(super) fn resolve(images: Images, places: &Places, notes: &Notes) -> Option<ResolvedImages> {
    let operator = match (&images.operator, &images.registry) {
        (Some(name), _) => {
            let place = places.operator.as_ref().unwrap_or(&places.table);
            complete(name.as_str(), name, &images, place, notes)
        }
        (None, Some(_)) => {
            let tag = images.tag.as_ref().map_or(env!("CARGO_PKG_VERSION"), |tag| tag.as_str());
            let name: ImageName = format!("pgherd:{tag}").parse().ok()?;
            complete("operator", &name, &images, &places.table, notes)
        }
        (None, None) if notes.is_wrong("images.operator") || notes.is_wrong("images.registry") => None,
        (None, None) => {
            let message = "images.operator is missing".to_owned();
            let label = "name it, or name images.registry to have it from there";
            notes.add(Code::MissingKey, places.table.clone(), message, label);
            None
        }
    };
    let place = places.postgres.as_ref().unwrap_or(&places.table);
    let mut postgres = BTreeMap::new();
    let mut whole = true;
    for (version, name) in &images.postgres {
        match complete(&format!("postgres.{}", version.get()), name, &images, place, notes) {
            Some(image) => {
                postgres.insert(version.get(), image);
            }
            None => whole = false,
        }
    }
    if images.postgres.is_empty() {
        let label = "such as 17 = \"registry.example.com/postgres:17\"";
        notes.add(Code::MissingKey, place.clone(), "images.postgres has no image".to_owned(), label);
        whole = false;
    }
    Some(ResolvedImages {
        operator: operator?,
        postgres: whole.then_some(postgres)?,
        pull_policy: images.pull_policy,
        pull_secrets: images.pull_secrets.clone(),
        written: images,
    })
}

fn complete(
    setting: &str,
    name: &ImageName,
    images: &Images,
    place: &Place,
    notes: &Notes,
) -> Option<ImageReference> {
    let mut text = name.as_str().to_owned();
    if !name.has_registry() {
        let registry = images.registry.iter().map(ToString::to_string);
        let prefix = images.prefix.iter().map(ToString::to_string);
        text = registry.chain(prefix).chain([text]).collect::<Vec<_>>().join("/");
    }
    if !name.has_version()
        && let Some(tag) = &images.tag
    {
        text = format!("{text}:{tag}");
    }
    if !text.contains('@')
        && let Some(digest) = images.digests.get(&text)
    {
        text = format!("{text}@{digest}");
    }
    let mirror =
        images.mirrors.iter().filter(|(from, _)| text.starts_with(*from)).max_by_key(|(from, _)| from.len());
    if let Some((from, to)) = mirror {
        text = format!("{to}{}", &text[from.len()..]);
    }
    match text.parse() {
        Ok(image) => Some(image),
        Err(error) => {
            let message = format!("images: {setting} can't be \"{text}\"");
            notes.add(Code::Image, place.clone(), message, error.to_string());
            None
        }
    }
}
