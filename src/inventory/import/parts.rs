//! Settings of which several make one: images, volumes of the metrics, memory of containers.

use toml::Value;

use super::{
    blocks::{self, Names},
    forms,
    keys::{self, Form, Known},
    release,
    setting::Setting,
    work::{CORRECT, Outcome, Work},
};
use crate::domain::image::ImageReference;

/// The version that new clusters get, and its image.
const VERSION: i64 = 17;
const POSTGRES: &str = "localhost/postgres:17";
const OPERATOR: &str = "localhost/pgherd:dev";

/// Images of the metrics as the old installer had them, when nothing else was said.
const METRICS_IMAGES: &[(&str, [&str; 3])] = &[
    ("prometheus", ["prom", "prometheus", "v2.26.1"]),
    ("grafana", ["grafana", "grafana", "7.4.5"]),
    ("alertmanager", ["prom", "alertmanager", "v0.21.0"]),
];

const MEMORY: &[(&str, &str)] = &[
    ("default_instance_memory", "container"),
    ("default_pgbouncer_memory", "pgbouncer"),
    ("default_pgbackrest_memory", "pgbackrest"),
    ("default_exporter_memory", "exporter"),
];

/// How a part is read.
type Read = fn(&str) -> Result<Value, String>;

/// Converts those of the metrics and of containers.
pub(super) fn all(work: &mut Work<'_>, names: &mut Names) {
    for (component, _) in METRICS_IMAGES {
        volume(work, names, component);
    }
    for (key, purpose) in MEMORY {
        memory(work, names, key, purpose);
    }
}

fn take(work: &mut Work<'_>, key: &str) -> Option<(Known, Setting)> {
    Some((keys::find(key)?, work.chosen.take(key)?))
}

fn empty(work: &mut Work<'_>, known: &Known, setting: &Setting) {
    let note = Some("it is empty, so nothing is written".to_owned());
    work.record(known, setting, Outcome { note, ..Outcome::default() });
}

/// Converts images, and with them the version of new clusters.
pub(super) fn images(work: &mut Work<'_>) {
    work.document
        .note("images", "The images of PGO can't run here. Put your registry in the place of localhost.");
    work.add("images.operator", OPERATOR.into(), "the image of pgherd");
    let mut was = None;
    let version = "defaults.postgres_version";
    match take(work, "ccp_image_tag") {
        None => work.add(version, VERSION.into(), "what new clusters get"),
        Some((known, setting)) => {
            // A tag that can't be read loses nothing: the version is another one anyway.
            was = work
                .chosen
                .read(&setting, false)
                .ok()
                .and_then(|text| Some(release::postgres_version(&text.text)?.to_owned()));
            let origin = work.origin(&setting);
            if let Some(was) = &was {
                work.document
                    .note("images.postgres", &format!("Clusters of PGO ran PostgreSQL {was} ({origin})."));
            }
            work.document.set(version, VERSION.into(), &format!("what new clusters get; was {origin}"));
            let note = was.as_ref().map(|was| format!("PostgreSQL was {was}"));
            work.record(
                &known,
                &setting,
                Outcome { now: Some(VERSION.to_string()), note, ..Outcome::default() },
            );
        }
    }
    let why = if was.is_some() { "what new clusters run" } else { "one image for each major version" };
    work.add("images.postgres.17", POSTGRES.into(), why);
    for (component, defaults) in METRICS_IMAGES {
        image(work, component, *defaults);
    }
}

/// An image that was given in parts.
fn image(work: &mut Work<'_>, component: &str, defaults: [&str; 3]) {
    let path = format!("images.{component}");
    let mut parts = defaults.map(ToOwned::to_owned);
    let mut given = Vec::new();
    for (part, name) in parts.iter_mut().zip(["prefix", "name", "tag"]) {
        let Some((known, setting)) = take(work, &format!("{component}_image_{name}")) else { continue };
        let Some(text) = work.text(&setting, &path, Form::Part) else { continue };
        if text.trim().is_empty() {
            empty(work, &known, &setting);
            continue;
        }
        text.trim().clone_into(part);
        given.push((known, setting));
    }
    let [prefix, name, tag] = parts;
    let image = format!("{prefix}/{name}:{tag}");
    let parsed = image.parse::<ImageReference>();
    for (index, (known, setting)) in given.iter().enumerate() {
        match &parsed {
            Err(error) => {
                // One line in the document is enough for what several settings are about.
                let to = (index == 0).then_some(path.as_str());
                work.problem(setting, to, format!("\"{image}\": {error}"), CORRECT);
            }
            Ok(image) => {
                if index == 0 {
                    let origin = work.origin(setting);
                    work.document.set(&path, image.as_str().into(), &origin);
                }
                let now = Some(Value::from(image.as_str()).to_string());
                let note = Some("one reference instead of prefix, name and tag".to_owned());
                work.record(known, setting, Outcome { now, note, ..Outcome::default() });
            }
        }
    }
}

/// The volume of a part of the metrics, which becomes a storage.
fn volume(work: &mut Work<'_>, names: &mut Names, component: &str) {
    let key = |part: &str| format!("{component}_{part}");
    let size = work.chosen.written(&key("volume_size")).is_some_and(|text| !text.trim().is_empty());
    let generated = size.then(|| names.storages.generate(component));
    if let Some((number, name)) = &generated {
        let why = format!("the volume of {component}");
        work.add(&format!("storage{number}.name"), name.clone().into(), &why);
        work.add(&format!("metrics.{component}.storage"), name.clone().into(), &why);
    }
    let class: Read = |text| {
        forms::convert(Form::Object, text).map(|converted| converted.value.unwrap_or_else(|| text.into()))
    };
    let mode: Read =
        |text| forms::choice(text, &["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]).map(Value::from);
    let parts: [(&str, &str, Read); 5] = [
        ("storage_class_name", "class", class),
        ("storage_access_mode", "access_mode", mode),
        ("volume_size", "size", blocks::size),
        ("fs_group", "fs_group", blocks::group),
        ("supplemental_groups", "supplemental_groups", blocks::groups),
    ];
    for (part, field, read) in parts {
        let Some((known, setting)) = take(work, &key(part)) else { continue };
        let to = generated.as_ref().map(|(number, _)| format!("storage{number}.{field}"));
        let path = to.clone().unwrap_or_else(|| format!("metrics.{component}.storage"));
        let Some(text) = work.text(&setting, &path, Form::Part) else { continue };
        let text = text.trim();
        if text.is_empty() {
            empty(work, &known, &setting);
        } else if to.is_none() {
            work.drop(
                &setting,
                &format!("without {} there is no volume that it is about", key("volume_size")),
            );
        } else {
            match read(text) {
                Err(why) => work.problem(&setting, Some(&path), why, CORRECT),
                Ok(value) => {
                    let origin = work.origin(&setting);
                    let now = Some(value.to_string());
                    work.document.set(&path, value, &origin);
                    work.record(&known, &setting, Outcome { to, now, ..Outcome::default() });
                }
            }
        }
    }
}

/// The memory of a kind of container, which becomes a set of resources.
fn memory(work: &mut Work<'_>, names: &mut Names, key: &str, purpose: &str) {
    let Some((known, setting)) = take(work, key) else { return };
    let chosen = format!("defaults.resources.{purpose}");
    let Some(text) = work.text(&setting, &chosen, Form::Part) else { return };
    let text = text.trim();
    if text.is_empty() {
        return empty(work, &known, &setting);
    }
    if work.document.has(&chosen) {
        return work.drop(&setting, &format!("default_{purpose}_resources says it too, and more"));
    }
    match forms::quantity(text) {
        Err(why) => work.problem(&setting, Some(&chosen), why, CORRECT),
        Ok(quantity) => {
            let (number, name) = names.resources.generate(purpose);
            let origin = work.origin(&setting);
            let to = format!("resource{number}.requests_memory");
            work.document.set(&format!("resource{number}.name"), name.clone().into(), &origin);
            work.document.set(&to, quantity.as_str().into(), &origin);
            work.document.set(&chosen, name.clone().into(), &origin);
            let now = Some(Value::from(quantity.as_str()).to_string());
            let note = Some(format!("the resources \"{name}\", which {chosen} refers to"));
            work.record(&known, &setting, Outcome { to: Some(to), now, note, changed: false });
        }
    }
}
