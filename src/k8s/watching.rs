//! Several watches as one stream, and what they have seen so far.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream::BoxStream};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use super::{Error, wait::tolerate};

/// A watch whose events are told apart from those of others by `wrap`. A watch that is interrupted goes on after a pause.
pub(super) fn watch<K, S>(
    api: &Api<K>,
    config: watcher::Config,
    wrap: fn(Event<K>) -> S,
) -> BoxStream<'static, Result<S, Error>>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
    S: Send + 'static,
{
    let api = api.clone();
    watcher(api.clone(), config)
        .default_backoff()
        .filter_map(move |event| {
            let seen = match event {
                Ok(event) => Some(Ok(wrap(event))),
                Err(error) => tolerate(error, &api).err().map(Err),
            };
            std::future::ready(seen)
        })
        .boxed()
}

/// Notes an event about objects that are kept by name.
pub(super) fn keep<K: Resource + Clone>(kept: &mut BTreeMap<String, K>, event: Event<K>) {
    match event {
        Event::Apply(object) | Event::InitApply(object) => {
            kept.insert(object.name_any(), object);
        }
        Event::Delete(object) => {
            kept.remove(&object.name_any());
        }
        Event::Init => kept.clear(),
        Event::InitDone => {}
    }
}
