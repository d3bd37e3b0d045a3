//! Which namespaces the operator looks after, when it goes by a label: begins with those that gain it, ends with those that
//! lose it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, ResourceExt as _,
    api::PostParams,
    core::PartialObjectMeta,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::pull_secrets::PullSecrets;
use crate::k8s::clusters;

/// Namespaces that are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The label of those that are looked after.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Those that are looked after in any case.
    pub listed: BTreeSet<String>,
    /// What images of databases are pulled with there.
    pub pull_secrets: PullSecrets,
    /// With what listed ones are made that don't exist; without it they are not made.
    pub made_with: Option<Marks>,
}

/// Labels and annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What is being done in one namespace.
struct Work {
    stop: CancellationToken,
    done: JoinHandle<()>,
}

/// Follows namespaces until `stop`. `begin` starts the work in one; the work ends by the token that it gets. `seen` is called
/// once the first list is complete.
pub(super) async fn follow(
    client: &Client,
    followed: &Followed,
    stop: &CancellationToken,
    begin: impl Fn(&str, CancellationToken) -> JoinHandle<()>,
    seen: impl Fn(),
) {
    if let Some(marks) = &followed.made_with {
        for name in &followed.listed {
            make(client, marks, name).await;
        }
    }
    let mut works = BTreeMap::new();
    let start = |works: &mut BTreeMap<String, Work>, name: &str| {
        works.entry(name.to_owned()).or_insert_with(|| {
            tracing::info!(namespace = name, "looking after the databases of a namespace");
            let stop = stop.child_token();
            Work { done: begin(name, stop.clone()), stop }
        });
    };
    for name in &followed.listed {
        start(&mut works, name);
    }
    let selector = format!("{}={}", followed.key, followed.value);
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    let mut events = Box::pin(
        watcher(api, watcher::Config::default().labels(&selector))
            .default_backoff()
            .inspect_err(|error| tracing::warn!("namespaces can't be watched: {error}; trying again"))
            .filter_map(async |event| event.ok()),
    );
    let mut found = BTreeSet::new();
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => break,
            event = events.next() => event,
        };
        match event {
            None => break,
            Some(watcher::Event::Init) => found.clear(),
            Some(watcher::Event::InitApply(namespace)) => {
                found.insert(namespace.name_any());
                start(&mut works, &namespace.name_any());
            }
            Some(watcher::Event::InitDone) => {
                let lost: Vec<String> = works.keys().filter(|name| !found.contains(*name)).cloned().collect();
                for name in lost {
                    end(client, &mut works, followed, &name).await;
                }
                seen();
            }
            Some(watcher::Event::Apply(namespace)) => start(&mut works, &namespace.name_any()),
            // It lost the label, or is gone. One that is going is looked after to the end.
            Some(watcher::Event::Delete(namespace)) => {
                end(client, &mut works, followed, &namespace.name_any()).await;
            }
        }
    }
    for Work { done, .. } in works.into_values() {
        finished(done).await;
    }
}

/// Ends the work in a namespace, unless it is listed. What is under way is finished first, so that nobody else who begins
/// there meets half of it. Then the clusters are anybody's.
async fn end(client: &Client, works: &mut BTreeMap<String, Work>, followed: &Followed, name: &str) {
    if followed.listed.contains(name) {
        return;
    }
    if let Some(Work { stop, done }) = works.remove(name) {
        stop.cancel();
        finished(done).await;
        if let Err(error) = clusters::release(client, Some(name), &followed.value).await {
            tracing::warn!(
                namespace = name,
                "clusters still carry the name of this installation, so that no other one follows them: {error}"
            );
        }
        tracing::info!(namespace = name, "no longer looking after the databases of a namespace");
    }
}

async fn finished(done: JoinHandle<()>) {
    if let Err(error) = done.await {
        tracing::error!("the work in a namespace ended badly: {error}");
    }
}

/// Makes a namespace if it isn't there. One that is stays as it is.
async fn make(client: &Client, marks: &Marks, name: &str) {
    let Marks { labels, annotations } = marks.clone();
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    let namespace = Namespace { metadata, ..Namespace::default() };
    let api: Api<Namespace> = Api::all(client.clone());
    match api.create(&PostParams::default(), &namespace).await {
        Ok(_) => tracing::info!(namespace = name, "made a namespace"),
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => tracing::warn!(namespace = name, "failed to make a namespace: {error}"),
    }
}
