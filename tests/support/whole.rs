//! Everything that a cluster holds, for a comparison of before and after.

use std::{collections::BTreeMap, time::Instant};

use futures::{StreamExt as _, stream};
use kube::{
    Api, Client, Discovery, ResourceExt as _,
    api::{DynamicObject, ListParams},
    discovery::verbs,
};
use serde_json::Value;

use crate::cluster::PATIENCE;

/// Groups with no objects of their own: what nodes use at the moment, and Events in their second form.
const NO_OBJECTS: [&str; 2] = ["metrics.k8s.io", "events.k8s.io"];

/// Kinds that are left out. Events are a log that Kubernetes shortens by itself. `ComponentStatus` is no object but the answer to
/// a question that the API server asks at that moment.
const LEFT_OUT: [&str; 2] = ["Event", "ComponentStatus"];

/// Kinds of which only the existence counts: Leases are renewed every few seconds.
const RENEWED: [&str; 1] = ["Lease"];

/// An object: who it is, and what was wanted of it.
#[derive(Clone, Debug, PartialEq)]
struct Content {
    uid: Option<String>,
    labels: BTreeMap<String, String>,
    /// All but metadata and status: spec, data, rules, subjects, whatever the kind has.
    rest: Value,
}

/// All objects of all kinds that can be listed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole(BTreeMap<String, Content>);

impl Whole {
    /// What is there, with the names of what is about to go.
    async fn look(client: &Client) -> (Self, Vec<String>) {
        let discovery = Discovery::new(client.clone()).exclude(&NO_OBJECTS).run_aggregated().await.unwrap();
        let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
        let kinds = kinds.filter(|(kind, capabilities)| {
            capabilities.supports_operation(verbs::LIST) && !LEFT_OUT.contains(&kind.kind.as_str())
        });
        let lists = kinds.map(|(kind, _)| async move {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            let found = match api.list(&ListParams::default()).await {
                Ok(list) => list.items,
                // Its definition went since the kinds were asked for; where it was the last one of its group, the answer is no object.
                Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
                Err(error) => unreachable!("list {}: {error}", kind.plural),
            };
            (kind, found)
        });
        let lists: Vec<_> = stream::iter(lists).buffered(8).collect().await;
        let (mut all, mut going) = (BTreeMap::new(), Vec::new());
        for (kind, found) in lists {
            for object in found {
                let place = object.namespace().unwrap_or_default();
                let name = format!("{} {}/{place}/{}", kind.kind, kind.group, object.name_any());
                // A volume outlives its claim until its files are removed.
                let released =
                    kind.kind == "PersistentVolume" && object.data["status"]["phase"] == "Released";
                if object.metadata.deletion_timestamp.is_some() || released {
                    going.push(name.clone());
                }
                all.insert(name, Content::of(&kind.kind, object));
            }
        }
        (Self(all), going)
    }

    /// What is there once nothing is on its way out any more.
    pub(crate) async fn at_rest(client: &Client) -> Self {
        let begun = Instant::now();
        let mut last = None;
        // All kinds have no common watch; looking again at once is the closest to one.
        loop {
            let (whole, going) = Self::look(client).await;
            if going.is_empty() && last.as_ref() == Some(&whole) {
                return whole;
            }
            assert!(begun.elapsed() < PATIENCE, "the cluster doesn't come to rest: {going:#?}");
            last = Some(whole);
        }
    }

    /// Waits until everything is as it was, since Kubernetes removes what belonged to deleted objects afterwards, and insists.
    pub(crate) async fn comes_back(&self, client: &Client) {
        let begun = Instant::now();
        loop {
            let (now, _) = Self::look(client).await;
            let differences = self.differences(&now);
            if differences.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not as before:\n{}", differences.join("\n"));
        }
    }

    /// What differs, a line each.
    fn differences(&self, now: &Self) -> Vec<String> {
        let left =
            now.0.keys().filter(|name| !self.0.contains_key(*name)).map(|name| format!("left    {name}"));
        let others = self.0.iter().filter_map(|(name, before)| match now.0.get(name) {
            None => Some(format!("gone    {name}")),
            Some(now) if now != before => Some(format!("changed {name}: {before:?} → {now:?}")),
            Some(_) => None,
        });
        left.chain(others).collect()
    }

    /// Names of everything.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Content {
    fn of(kind: &str, object: DynamicObject) -> Self {
        let (uid, labels) = (object.uid(), object.labels().clone());
        let mut rest = object.data;
        if let Some(rest) = rest.as_object_mut() {
            // What was seen, not what is wanted: heartbeats of nodes, for one.
            rest.remove("status");
        }
        if RENEWED.contains(&kind) {
            rest = Value::Null;
        }
        Self { uid, labels, rest }
    }
}
