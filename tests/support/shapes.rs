//! Objects without what is random or assigned, so that those of two clusters can be compared.

use serde_json::{Map, Value};

/// The kind out of an object's id, `KIND NAMESPACE/NAME`.
pub(crate) fn kind(id: &str) -> &str {
    id.split(' ').next().unwrap_or_default()
}

/// A value whose texts are changed by `general`, without bookkeeping and secrets.
pub(crate) fn generalised(value: &Value, general: &impl Fn(&str) -> String) -> Value {
    /// Bookkeeping of the API server, and values that are random or assigned.
    const OWN: [&str; 12] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
        "status",
        "clusterIP",
        "clusterIPs",
        "ip",
        "volumeName",
        "subsets",
        "nodePort",
    ];
    /// Patroni's have no prefix, those of Kubernetes' controllers theirs.
    fn noted(key: &str) -> bool {
        key.contains('/') && !key.contains("kubernetes.io/")
    }
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, _)| !OWN.contains(&key.as_str()))
                .filter_map(|(key, inner)| {
                    let secret = map.get("type").is_some_and(|kind| kind == "Opaque") && key == "data";
                    let inner = match inner {
                        Value::Object(data) if secret => {
                            data.keys().map(|key| Value::String(general(key))).collect()
                        }
                        Value::Object(notes) if key == "annotations" => {
                            let notes: Map<String, Value> = notes
                                .iter()
                                .filter(|(key, _)| noted(key))
                                .map(|(key, value)| (key.clone(), value.clone()))
                                .collect();
                            if notes.is_empty() {
                                return None;
                            }
                            Value::Object(notes)
                        }
                        inner => generalised(inner, general),
                    };
                    Some((general(key), inner))
                })
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| generalised(item, general)).collect(),
        Value::String(text) => Value::String(general(text)),
        other => other.clone(),
    }
}
