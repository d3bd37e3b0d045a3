//! What applying an object would do, found out from the server by a dry run.

use kube::{Api, ResourceExt as _, api::DynamicObject};
use serde::Serialize;
use serde_json::Value;

use super::{Doing as _, Error, Kind, apply::Apply, kinds::ObjectId};

/// What would become of an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action", content = "fields")]
pub enum Change {
    /// It isn't there.
    Create,
    /// These fields differ.
    Change(Vec<FieldChange>),
    /// It is as it should be.
    Unchanged,
    /// The caller may not see it, so what would become of it is unknown.
    Hidden,
}

/// A field that would change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where it is: `spec.template.spec.containers[0].image`.
    pub path: String,
    /// The value there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// The value that would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// An object's plan: what would be done, and what is there now.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What would be done.
    pub change: Change,
    /// The object there is.
    pub live: Option<DynamicObject>,
}

/// Plans one object with no more than the right to read it: what is described is compared with what is there. What the server
/// would make of the description, such as refuse it, stays unknown, and so do fields that are no longer described.
///
/// # Errors
/// When the API server can't be asked.
pub async fn compare(api: &Api<DynamicObject>, object: &DynamicObject) -> Result<Planned, Error> {
    let id = ObjectId::of(object);
    let live = match api.get_opt(&object.name_any()).await.doing(|| format!("read {id}")) {
        Ok(live) => live,
        Err(error) if error.kind() == Kind::Forbidden => {
            return Ok(Planned { change: Change::Hidden, live: None });
        }
        Err(error) => return Err(error),
    };
    let Some(current) = &live else { return Ok(Planned { change: Change::Create, live }) };
    let mut after = comparable(current);
    overlay(&mut after, &comparable(object));
    let mut fields = Vec::new();
    differences("", &comparable(current), &after, &mut fields);
    if id.kind == "Secret" {
        fields.iter_mut().for_each(FieldChange::conceal);
    }
    let change = if fields.is_empty() { Change::Unchanged } else { Change::Change(fields) };
    Ok(Planned { change, live })
}

/// Puts what is described over what is there. Of lists whose entries have names, those of the same name are put together.
fn overlay(there: &mut Value, described: &Value) {
    match (there, described) {
        (Value::Object(there), Value::Object(described)) => {
            for (key, value) in described {
                overlay(there.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(there), Value::Array(described))
            if names(there).is_some() && names(described).is_some() =>
        {
            for entry in described {
                match there.iter_mut().find(|other| other.get("name") == entry.get("name")) {
                    Some(other) => overlay(other, entry),
                    None => there.push(entry.clone()),
                }
            }
        }
        (there, described) => *there = described.clone(),
    }
}

/// The names of a list's entries, if each has one of its own.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = list.iter().map(|entry| entry.get("name")?.as_str()).collect::<Option<_>>()?;
    let distinct: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    (distinct.len() == names.len()).then_some(names)
}

/// Plans one object. It has to name its kind and itself.
///
/// # Errors
/// When it can't be read, or the server would refuse it.
pub async fn plan(api: &Api<DynamicObject>, object: &DynamicObject, apply: Apply) -> Result<Planned, Error> {
    let name = object.name_any();
    let id = ObjectId::of(object);
    let live = api.get_opt(&name).await.doing(|| format!("read {id}"))?;
    let applied = match apply.dry_run(api, &name, object).await {
        Ok(applied) => applied,
        // The namespace is missing and will be made first; rights and schema were looked at before it was.
        Err(error) if live.is_none() && error.kind() == Kind::NotFound => {
            return Ok(Planned { change: Change::Create, live });
        }
        Err(error) => return Err(error),
    };
    let Some(current) = &live else {
        return Ok(Planned { change: Change::Create, live });
    };
    let mut fields = Vec::new();
    differences("", &comparable(current), &comparable(&applied), &mut fields);
    if id.kind == "Secret" {
        fields.iter_mut().for_each(FieldChange::conceal);
    }
    let owned = current.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(apply.manager));
    if fields.is_empty() && !owned {
        fields.push(FieldChange {
            path: "metadata.managedFields".to_owned(),
            from: None,
            to: Some(Value::from(apply.manager)),
        });
    }
    let change = if fields.is_empty() { Change::Unchanged } else { Change::Change(fields) };
    Ok(Planned { change, live })
}

impl FieldChange {
    /// Secrets stay secret in plans too.
    fn conceal(&mut self) {
        for value in [&mut self.from, &mut self.to].into_iter().flatten() {
            *value = Value::from("(hidden)");
        }
    }
}

/// The object without what the server keeps for itself.
fn comparable(object: &DynamicObject) -> Value {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object.metadata.generation = None;
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    value
}

fn differences(path: &str, from: &Value, to: &Value, found: &mut Vec<FieldChange>) {
    match (from, to) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match after.get(key) {
                    Some(other) => differences(&path, value, other, found),
                    None => found.push(FieldChange { path, from: Some(value.clone()), to: None }),
                }
            }
            for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                found.push(FieldChange { path, from: None, to: Some(value.clone()) });
            }
        }
        (Value::Array(before), Value::Array(after)) if names(before).is_some() && names(after).is_some() => {
            let named = |list: &[Value], name: &str| {
                list.iter().find(|entry| entry.get("name").is_some_and(|own| own == name)).cloned()
            };
            let mut all = names(before).unwrap_or_default();
            all.extend(names(after).unwrap_or_default());
            let mut seen = std::collections::BTreeSet::new();
            for name in all.into_iter().filter(|name| seen.insert(*name)) {
                let path = format!("{path}[{name}]");
                match (named(before, name), named(after, name)) {
                    (Some(value), Some(other)) => differences(&path, &value, &other, found),
                    (from, to) => found.push(FieldChange { path, from, to }),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (value, other)) in before.iter().zip(after).enumerate() {
                differences(&format!("{path}[{index}]"), value, other, found);
            }
        }
        _ if from == to => {}
        _ => {
            found.push(FieldChange { path: path.to_owned(), from: Some(from.clone()), to: Some(to.clone()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(from: &Value, to: &Value) -> Vec<String> {
        let mut found = Vec::new();
        differences("", from, to, &mut found);
        found.into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn every_difference_has_its_path() {
        let from = json!({"a": 1, "b": {"c": [1, {"d": 2}]}, "gone": true});
        let to = json!({"a": 1, "b": {"c": [1, {"d": 3}]}, "new": null});
        assert_eq!(paths(&from, &to), ["b.c[1].d", "gone", "new"]);
        assert!(paths(&from, &from).is_empty());
    }

    #[test]
    fn entries_with_names_are_told_by_them() {
        let from = json!({"c": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        let to = json!({"c": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}, {"name": "d"}]});
        assert_eq!(paths(&from, &to), ["c[b].image", "c[d]"]);
    }

    #[test]
    fn what_the_server_filled_in_is_no_difference_to_a_description() {
        let there =
            json!({"a": {"b": 1, "default": true}, "c": [{"name": "x", "port": 1, "protocol": "TCP"}]});
        let mut after = there.clone();
        overlay(&mut after, &json!({"a": {"b": 1}, "c": [{"name": "x", "port": 1}]}));
        assert_eq!(after, there);
        overlay(&mut after, &json!({"a": {"b": 2}, "c": [{"name": "y"}]}));
        assert_eq!(paths(&there, &after), ["a.b", "c[y]"]);
    }

    #[test]
    fn a_list_of_another_length_differs_as_a_whole() {
        assert_eq!(paths(&json!({"a": [1]}), &json!({"a": [1, 2]})), ["a"]);
    }
}
