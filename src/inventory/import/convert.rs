//! Goes through all settings once: each ends up in the document, in the report, or among the problems.

use toml::Value;

use super::{
    blocks,
    catalogue::SCALARS,
    defaults, forms,
    keys::{self, Form, Known, Target},
    parts,
    report::Row,
    setting::Setting,
    work::{CORRECT, Outcome, Work},
};

/// Converts everything that was chosen.
pub(super) fn all(work: &mut Work<'_>) {
    for row in std::mem::take(&mut work.chosen.elsewhere) {
        work.report.dropped.push(row);
    }
    work.report.replaced = std::mem::take(&mut work.chosen.replaced);
    let mut names = blocks::all(work);
    login(work);
    parts::images(work);
    for key in SCALARS {
        let known = Known { key, block: None };
        match key.fate.target() {
            // These are put together from several settings, below.
            Some(Target { form: Form::Part, .. }) => {}
            Some(target) => {
                if let Some(setting) = work.chosen.take(key.name) {
                    scalar(work, &known, &setting, target, &names);
                }
            }
            None => {
                if let Some(setting) = work.chosen.take(key.name) {
                    work.record(&known, &setting, Outcome::default());
                }
            }
        }
    }
    parts::all(work, &mut names);
    defaults::all(work);
    leftover(work);
}

/// A setting that is one value.
fn scalar(work: &mut Work<'_>, known: &Known, setting: &Setting, target: Target, names: &blocks::Names) {
    let Target { path, form } = target;
    let Some(text) = work.text(setting, path, form) else { return };
    if text.trim().is_empty() {
        return empty(work, known, setting);
    }
    let result = match form {
        Form::Secret(name) => {
            let outcome = work.secret(setting, path, name, text);
            return work.record(known, setting, outcome);
        }
        Form::StorageName => names.storages.follow(text.trim(), "storage"),
        Form::ResourceName => names.resources.follow(text.trim(), "resource"),
        _ => forms::convert(form, &text),
    };
    let converted = match result {
        Ok(converted) => converted,
        Err(why) => return work.problem(setting, Some(path), why, CORRECT),
    };
    let origin = work.origin(setting);
    let now = converted.value.as_ref().map(ToString::to_string);
    match (form, converted.value) {
        (_, None) => {}
        (Form::Objects | Form::Paths, Some(Value::Array(items))) => {
            for item in items {
                work.document.push(path, item, &origin);
            }
        }
        (_, Some(value)) => work.document.set(path, value, &origin),
    }
    let relative = matches!(form, Form::Path | Form::Paths)
        .then(|| "a relative path is looked for from the new file's folder".to_owned());
    let (note, changed) = (converted.note.or(relative), converted.changed);
    work.record(known, setting, Outcome { now, note, changed, to: None });
}

/// A setting that is there and says nothing.
fn empty(work: &mut Work<'_>, known: &Known, setting: &Setting) {
    let mut outcome =
        Outcome { note: Some("it is empty, so nothing is written".to_owned()), ..Outcome::default() };
    if known.key.name == "namespace" && work.release.is_some_and(|release| release.minor <= 2) {
        outcome.note = Some(
            "it is empty: up to 4.2 no namespace was made, and now it means the operator's own".to_owned(),
        );
        outcome.changed = true;
    }
    work.record(known, setting, outcome);
}

/// A token logs in when both it and a user are there.
fn login(work: &mut Work<'_>) {
    let there = |work: &Work<'_>, key: &str| work.chosen.written(key).is_some_and(|text| !text.is_empty());
    if !there(work, "openshift_token") {
        return;
    }
    for key in ["openshift_user", "openshift_password"] {
        if let Some(setting) = there(work, key).then(|| work.chosen.take(key)).flatten() {
            work.drop(&setting, "openshift_token logs in");
        }
    }
}

/// What is left is nothing that the old installer knew.
fn leftover(work: &mut Work<'_>) {
    let keys: Vec<String> = work.chosen.keys().map(ToOwned::to_owned).collect();
    for key in keys {
        let Some(setting) = work.chosen.take(&key) else { continue };
        if work.chosen.referred.contains(&key) {
            work.drop(&setting, "a variable of your own; its value is where it was referred to");
        } else if key.starts_with("ansible_") {
            work.drop(&setting, "pgherd needs no Ansible");
        } else {
            let why = keys::nearest(&key).map_or_else(
                || "PGO has no such setting".to_owned(),
                |near| format!("PGO has no such setting; did you mean {near}?"),
            );
            work.report.not_understood.push(Row {
                key,
                place: setting.place,
                to: None,
                was: None,
                now: None,
                why: Some(why),
            });
        }
    }
}
