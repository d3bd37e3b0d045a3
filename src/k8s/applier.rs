//! Server-side apply for the operator, without requests that would change nothing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Mutex,
};

use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Doing as _, Error, Kind, adoption, apply::Apply};

/// What an apply did.
#[derive(Clone, Debug)]
pub enum Applied<K> {
    /// There was no such object.
    Created(K),
    /// The object was different.
    Changed(K),
    /// Nothing had to be done.
    Unchanged,
}

/// Applies objects of one field manager. It remembers fingerprints of what it applied and of what the API server made of
/// that, and leaves an object alone as long as neither has changed since.
///
/// Comparing the two with each other would not do: the server fills in defaults, and a field that is no longer wanted can
/// only be told from one of somebody else's by the server itself.
pub struct Applier {
    client: Client,
    apply: Apply,
    seen: Mutex<HashMap<Key, Fingerprints>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprints {
    desired: u64,
    live: u64,
}

impl Applier {
    /// An applier that writes as `manager`. It takes fields from everybody else: a controller is the one to decide about
    /// its objects, and another's value is drift.
    #[must_use]
    pub fn new(client: Client, manager: &'static str) -> Self {
        Self { client, apply: Apply { manager, force: true }, seen: Mutex::default() }
    }

    /// Makes the object in the cluster say what `desired` says. `live` is the object as it was last read.
    ///
    /// # Errors
    /// When the API server refuses or can't be reached.
    pub async fn apply<K>(&self, desired: &K, live: Option<&K>) -> Result<Applied<K>, Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        let key = Key {
            kind: K::kind(&()).into_owned(),
            namespace: desired.namespace().unwrap_or_default(),
            name: desired.name_any(),
        };
        let wanted = fingerprint(desired);
        if let Some(live) = live {
            let now = Fingerprints { desired: wanted, live: fingerprint(live) };
            if self.remembered(&key) == Some(now) {
                return Ok(Applied::Unchanged);
            }
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), &key.namespace);
        let mut applied = self.apply.run(&api, &key.name, desired).await;
        if let (Err(error), Some(live)) = (&applied, live)
            && error.kind() == Kind::Invalid
            && self.adopt(&api, desired, live).await?
        {
            applied = self.apply.run(&api, &key.name, desired).await;
        }
        let applied = applied?;
        self.remember(key.clone(), Fingerprints { desired: wanted, live: fingerprint(&applied) });
        Ok(match live {
            None => Applied::Created(applied),
            Some(before) if before.resource_version() == applied.resource_version() => Applied::Unchanged,
            Some(_) => Applied::Changed(applied),
        })
    }

    /// Makes an object that isn't there. Of two that do so at the same time, one is refused.
    ///
    /// # Errors
    /// When it is there by now, or the API server refuses or can't be reached.
    pub async fn create<K>(&self, desired: &K) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        let namespace = desired.namespace().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let params =
            PostParams { field_manager: Some(self.apply.manager.to_owned()), ..PostParams::default() };
        let created = api.create(&params, desired).await;
        created.doing(|| format!("create {}/{}", api.resource_url(), desired.name_any()))?;
        Ok(())
    }

    /// Takes over what is in the way of an apply, where that is possible: entries of others in lists of an object that this
    /// manager has applied before, and that has the same owner. Tells whether there was anything.
    async fn adopt<K>(&self, api: &Api<K>, desired: &K, live: &K) -> Result<bool, Error>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        let owners = live.owner_references();
        if !desired.owner_references().iter().all(|owner| owners.iter().any(|own| own.uid == owner.uid)) {
            return Ok(false);
        }
        let wanted = serde_json::to_value(desired).unwrap_or_default();
        let Some(entries) = adoption::adopt(&wanted, live.managed_fields(), self.apply.manager) else {
            return Ok(false);
        };
        let name = live.name_any();
        let patch = json!({
            "metadata": { "managedFields": entries, "resourceVersion": live.resource_version() },
        });
        let params =
            PatchParams { field_manager: Some(self.apply.manager.to_owned()), ..PatchParams::default() };
        let adopted = api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await;
        adopted.doing(|| format!("take over entries of others in {}/{name}", api.resource_url()))?;
        tracing::info!(kind = %K::kind(&()), name, "somebody else's entries in a list are removed");
        Ok(true)
    }

    /// Forgets objects of which no trace is left, so that memory doesn't grow with clusters that are gone.
    pub fn forget(&self, namespace: &str, belongs: impl Fn(&str) -> bool) {
        self.lock().retain(|key, _| key.namespace != namespace || !belongs(&key.name));
    }

    fn remembered(&self, key: &Key) -> Option<Fingerprints> {
        self.lock().get(key).copied()
    }

    fn remember(&self, key: Key, fingerprints: Fingerprints) {
        self.lock().insert(key, fingerprints);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Fingerprints>> {
        // The map holds nothing that a panic elsewhere could leave half-done.
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A hash of an object without what changes by itself: its status, and the server's bookkeeping.
fn fingerprint<K: Serialize>(object: &K) -> u64 {
    // Maps with text as keys, which Kubernetes objects are made of, can always be written as JSON. If one could not, it
    // would count as changed each time, and be sent.
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(field);
        }
    }
    let mut hasher = DefaultHasher::new();
    hash_value(&value, &mut hasher);
    hasher.finish()
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(map) => {
            map.len().hash(hasher);
            // serde_json keeps keys sorted unless a feature says otherwise; nothing here may depend on that.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            for (name, inner) in entries {
                name.hash(hasher);
                hash_value(inner, hasher);
            }
        }
        Value::Array(items) => {
            items.len().hash(hasher);
            for item in items {
                hash_value(item, hasher);
            }
        }
        scalar => scalar.to_string().hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    use super::*;

    fn hash(value: Value) -> u64 {
        let service: Service = serde_json::from_value(value).unwrap();
        fingerprint(&service)
    }

    #[test]
    fn the_servers_bookkeeping_makes_no_difference() {
        let before =
            json!({"metadata": {"name": "a", "resourceVersion": "1"}, "spec": {"type": "ClusterIP"}});
        let after = json!({"metadata": {"name": "a", "resourceVersion": "2", "generation": 2, "managedFields": []},
            "spec": {"type": "ClusterIP"}, "status": {"loadBalancer": {}}});
        assert_eq!(hash(before), hash(after));
    }

    #[test]
    fn what_somebody_changed_makes_a_difference() {
        let plain = json!({"metadata": {"name": "a"}, "spec": {"type": "ClusterIP"}});
        let labelled =
            json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"type": "ClusterIP"}});
        let other = json!({"metadata": {"name": "a"}, "spec": {"type": "NodePort"}});
        assert_ne!(hash(plain.clone()), hash(labelled));
        assert_ne!(hash(plain), hash(other));
    }
}
