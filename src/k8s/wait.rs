//! Waiting for objects, on a watch, with the reason why it still takes.

use std::{fmt::Debug, time::Duration};

use futures::{StreamExt as _, pin_mut};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::Error;

/// What a look at an object said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look<T> {
    /// What was waited for is there.
    Done(T),
    /// Not yet, for this reason.
    Waiting(String),
}

/// Why waiting ended without what was waited for.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// Time is up; this is what was seen last, most telling first.
    #[error("{}", seen.join("; "))]
    Timeout {
        /// What was seen last.
        seen: Vec<String>,
    },
    /// The object can't be watched.
    #[error(transparent)]
    Watch(#[from] Error),
}

/// Watches one object by name until `look` says it is done. `look` gets nothing while the object doesn't exist; `tell`
/// gets every reason to wait on.
///
/// # Errors
/// When time is up, or the object can't be watched.
pub async fn until<K, T>(
    api: &Api<K>,
    name: &str,
    timeout: Duration,
    mut look: impl FnMut(Option<&K>) -> Look<T>,
    tell: impl Fn(&str),
) -> Result<T, WaitError>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let stream = watcher(api.clone(), config).default_backoff();
    pin_mut!(stream);
    let mut last = format!("{name}: nothing seen yet");
    let watching = async {
        let mut present = false;
        while let Some(event) = stream.next().await {
            let object = match event {
                Ok(Event::Init) => {
                    present = false;
                    continue;
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => Some(object),
                Ok(Event::InitDone) if present => continue,
                Ok(Event::InitDone | Event::Delete(_)) => None,
                Err(error) => {
                    last = tolerate(error, api)?;
                    tell(&last);
                    continue;
                }
            };
            present = object.is_some();
            match look(object.as_ref()) {
                Look::Done(value) => return Ok(value),
                Look::Waiting(reason) => {
                    tell(&reason);
                    last = reason;
                }
            }
        }
        Err(WaitError::Timeout { seen: vec!["the watch ended".to_owned()] })
    };
    match tokio::time::timeout(timeout, watching).await {
        Ok(outcome) => outcome,
        Err(_) => Err(WaitError::Timeout { seen: vec![last] }),
    }
}

/// Waits until an object is gone, or is another one of the same name.
///
/// # Errors
/// When time is up, or the object can't be watched.
pub async fn gone<K>(
    api: &Api<K>,
    name: &str,
    uid: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<(), WaitError>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let look = |object: Option<&K>| match object {
        Some(object) if object.uid().as_deref() == Some(uid) => Look::Waiting(lingering(object)),
        _ => Look::Done(()),
    };
    until(api, name, timeout, look, tell).await
}

/// Why an object that is being deleted is still there.
fn lingering<K: Resource>(object: &K) -> String {
    let name = object.name_any();
    match object.finalizers() {
        [] => format!("{name} is being deleted"),
        finalizers => format!("{name} is being deleted, held by {}", finalizers.join(", ")),
    }
}

/// A watch gets over a server that goes away for a while, but not over a missing right or an unknown kind.
pub(super) fn tolerate<K: Resource>(error: watcher::Error, api: &Api<K>) -> Result<String, Error> {
    let text = format!("the watch was interrupted: {error}");
    let source = match error {
        watcher::Error::InitialListFailed(source)
        | watcher::Error::WatchStartFailed(source)
        | watcher::Error::WatchFailed(source) => source,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => return Ok(text),
    };
    match &source {
        kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404) => {
            Err(Error::new(format!("watch {}", api.resource_url()), source))
        }
        _ => Ok(text),
    }
}
