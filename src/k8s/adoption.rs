//! Taking foreign entries of lists over, in order to remove them.
//!
//! Server-side apply only removes what its manager owns alone. Where somebody replaced an entry of a list whose entries are
//! told apart by a key, such as the port of a Service, the apply would add ours to theirs, and the server refuses two of one
//! name for good. Once the foreign entry is recorded as ours, the same apply removes it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// What has to be recorded about `live` fields so that an apply of `desired` by `manager` removes entries of others from
/// the lists that it describes. None when `manager` has never applied the object, or there are no such entries.
///
/// Nothing else is taken over: not what `desired` doesn't describe, and not metadata.
#[must_use]
pub(super) fn adopt(
    desired: &Value,
    live: &[ManagedFieldsEntry],
    manager: &str,
) -> Option<Vec<ManagedFieldsEntry>> {
    let is_ours = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
    };
    let mut entries = live.to_vec();
    let mut taken = Fields::new();
    for entry in entries.iter_mut().filter(|entry| !is_ours(entry) && entry.subresource.is_none()) {
        if let Some(theirs) = fields_mut(entry) {
            let metadata = theirs.remove("f:metadata");
            merge(&mut taken, take(desired, theirs));
            theirs.extend(metadata.map(|metadata| ("f:metadata".to_owned(), metadata)));
        }
    }
    if taken.is_empty() {
        return None;
    }
    merge(fields_mut(entries.iter_mut().find(|entry| is_ours(entry))?)?, taken);
    entries.retain_mut(|entry| fields_mut(entry).is_none_or(|fields| !fields.is_empty()));
    Some(entries)
}

fn fields_mut(entry: &mut ManagedFieldsEntry) -> Option<&mut Fields> {
    let FieldsV1(fields) = entry.fields_v1.as_mut()?;
    fields.as_object_mut()
}

/// Takes those entries of lists out of `theirs` that are in a list of `desired`, and not among its entries.
fn take(desired: &Value, theirs: &mut Fields) -> Fields {
    let mut taken = Fields::new();
    theirs.retain(|path, below| {
        let Some(below) = below.as_object_mut() else { return true };
        let found = match path.strip_prefix("f:").and_then(|name| desired.get(name)) {
            Some(Value::Array(items)) => take_items(items, below),
            Some(inner @ Value::Object(_)) => take(inner, below),
            _ => return true,
        };
        let emptied = !found.is_empty() && below.is_empty();
        if !found.is_empty() {
            taken.insert(path.clone(), Value::Object(found));
        }
        !emptied
    });
    taken
}

fn take_items(items: &[Value], theirs: &mut Fields) -> Fields {
    let mut taken = Fields::new();
    theirs.retain(|path, below| {
        let key = path.strip_prefix("k:").and_then(|key| serde_json::from_str::<Fields>(key).ok());
        let Some(key) = key else { return true };
        // A part of the key that isn't there has its default value.
        let is = |item: &Value| key.iter().all(|(part, value)| item.get(part).is_none_or(|own| own == value));
        let Some(item) = items.iter().find(|item| is(item)) else {
            taken.insert(path.clone(), below.take());
            return false;
        };
        let Some(below) = below.as_object_mut() else { return true };
        let found = take(item, below);
        if !found.is_empty() {
            taken.insert(path.clone(), Value::Object(found));
        }
        true
    });
    taken
}

fn merge(into: &mut Fields, from: Fields) {
    for (path, below) in from {
        match (into.get_mut(&path), below) {
            (Some(Value::Object(own)), Value::Object(below)) => merge(own, below),
            (_, below) => {
                into.insert(path, below);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(manager: &str, operation: &str, fields: &Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({
            "manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }))
        .unwrap()
    }

    fn fields(entries: &[ManagedFieldsEntry]) -> Vec<(String, Value)> {
        let fields = |entry: &ManagedFieldsEntry| entry.fields_v1.clone().unwrap().0;
        entries.iter().map(|entry| (entry.manager.clone().unwrap(), fields(entry))).collect()
    }

    fn desired() -> Value {
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"ports": [{"name": "postgres", "port": 5432}]}})
    }

    #[test]
    fn an_entry_of_somebody_else_becomes_ours() {
        let entries = [
            entry(
                "operator",
                "Apply",
                &json!({"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:type": {}}}),
            ),
            entry(
                "kubectl",
                "Update",
                &json!({
                    "f:metadata": {"f:labels": {"f:x": {}}},
                    "f:spec": {"f:ports": {
                        "k:{\"port\":5432,\"protocol\":\"TCP\"}": {"f:targetPort": {}},
                        "k:{\"port\":6000,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}},
                    }},
                }),
            ),
        ];
        let adopted = adopt(&desired(), &entries, "operator").unwrap();
        assert_eq!(
            fields(&adopted),
            [
                (
                    "operator".to_owned(),
                    json!({
                        "f:metadata": {"f:labels": {"f:a": {}}},
                        "f:spec": {
                            "f:type": {},
                            "f:ports": {"k:{\"port\":6000,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}},
                        },
                    })
                ),
                (
                    "kubectl".to_owned(),
                    json!({
                        "f:metadata": {"f:labels": {"f:x": {}}},
                        "f:spec": {"f:ports": {
                            "k:{\"port\":5432,\"protocol\":\"TCP\"}": {"f:targetPort": {}},
                        }},
                    })
                ),
            ]
        );
        assert_eq!(adopt(&desired(), &adopted, "operator"), None, "there is nothing left to take");
    }

    #[test]
    fn a_manager_that_has_nothing_left_is_gone() {
        let entries = [
            entry("operator", "Apply", &json!({"f:spec": {"f:type": {}}})),
            entry("kubectl", "Update", &json!({"f:spec": {"f:ports": {"k:{\"port\":6000}": {".": {}}}}})),
        ];
        let adopted = adopt(&desired(), &entries, "operator").unwrap();
        assert_eq!(adopted.len(), 1, "{adopted:?}");
    }

    #[test]
    fn what_is_not_described_stays_with_its_owner() {
        let ours = entry("operator", "Apply", &json!({"f:spec": {"f:type": {}}}));
        let bound = entry("kube-controller-manager", "Update", &json!({"f:spec": {"f:volumeName": {}}}));
        assert_eq!(adopt(&desired(), &[ours, bound.clone()], "operator"), None);
        let foreign =
            entry("kubectl", "Update", &json!({"f:spec": {"f:ports": {"k:{\"port\":1}": {".": {}}}}}));
        assert_eq!(adopt(&desired(), &[foreign, bound], "operator"), None, "an object that isn't ours");
    }
}
