//! Changes of the authorities that the clusters of a namespace share. Their Secret has no cluster's label, and changes with
//! every cluster that comes or goes: only what it holds asks for a look at all of them.

use std::collections::HashMap;

use futures::{Stream, TryStreamExt as _, future};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Resource as _, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        reflector::ObjectRef,
        watcher::{self, Event, watcher},
    },
};

use super::triggers::hashed;
use crate::{api::postgres_cluster::PostgresCluster, domain::cluster_names::ROOT_AUTHORITY_SECRET};

/// Secrets whose authorities have changed, and those that are gone, as they were.
pub(super) fn changed(secrets: Api<Secret>) -> impl Stream<Item = watcher::Result<Secret>> {
    let mut seen = Seen::default();
    let config = watcher::Config::default().fields(&format!("metadata.name={ROOT_AUTHORITY_SECRET}"));
    watcher(secrets, config)
        .default_backoff()
        .try_filter_map(move |event| future::ready(Ok(seen.changed(event))))
}

/// What the Secrets hold, by namespace.
#[derive(Default)]
struct Seen(HashMap<String, Option<u64>>);

impl Seen {
    fn changed(&mut self, event: Event<Secret>) -> Option<Secret> {
        match event {
            Event::Delete(secret) => {
                self.0.remove(&secret.namespace().unwrap_or_default());
                Some(secret)
            }
            Event::Apply(secret) | Event::InitApply(secret) => {
                let now = held(&secret);
                let before = self.0.insert(secret.namespace().unwrap_or_default(), now);
                (before != Some(now)).then_some(secret)
            }
            Event::Init | Event::InitDone => None,
        }
    }
}

/// A fingerprint of what a Secret holds.
fn held(secret: &Secret) -> Option<u64> {
    struct Data<'a>(&'a Secret);
    impl std::hash::Hash for Data<'_> {
        fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
            self.0.uid().hash(hasher);
            for (key, value) in self.0.data.iter().flatten() {
                (key, &value.0).hash(hasher);
            }
        }
    }
    hashed(&Data(secret))
}

/// The clusters that an authority is for: all clusters of a namespace own its Secret.
pub(super) fn sharing<K: kube::Resource<DynamicType = ()>>(authority: &Secret) -> Vec<ObjectRef<K>> {
    let owners = authority.owner_references().iter().filter(|owner| owner.kind == PostgresCluster::kind(&()));
    let namespace = authority.namespace().unwrap_or_default();
    owners.map(|owner| ObjectRef::new(&owner.name).within(&namespace)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn another_owner_is_no_change_and_another_certificate_or_the_end_is_one() {
        let secret = |owners: &[&str], certificate: &str| -> Secret {
            let owners: Vec<_> = owners
                .iter()
                .map(|name| json!({"apiVersion": "a/v1", "kind": "PostgresCluster", "name": name, "uid": name}))
                .collect();
            serde_json::from_value(json!({
                "metadata": {"name": ROOT_AUTHORITY_SECRET, "namespace": "zoo", "uid": "1", "ownerReferences": owners},
                "data": {"root.crt": certificate},
            }))
            .unwrap()
        };
        let mut seen = Seen::default();
        assert!(seen.changed(Event::InitApply(secret(&["rhino"], "b2xk"))).is_some());
        assert!(seen.changed(Event::Apply(secret(&["rhino", "gnu"], "b2xk"))).is_none());
        assert!(seen.changed(Event::Apply(secret(&["rhino", "gnu"], "bmV3"))).is_some());
        let gone = seen.changed(Event::Delete(secret(&["rhino", "gnu"], "bmV3"))).unwrap();
        let asked: Vec<String> =
            sharing::<PostgresCluster>(&gone).into_iter().map(|cluster| cluster.name).collect();
        assert_eq!(asked, ["rhino", "gnu"]);
        assert!(seen.changed(Event::Apply(secret(&["rhino"], "bmV3"))).is_some(), "it is there again");
    }
}
