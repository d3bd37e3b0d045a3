//! The operator as a process: watches, the queue of clusters to look at, and an orderly stop.

use std::{
    collections::HashMap,
    fmt::Debug,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum_server::Handle;
use futures::{FutureExt as _, Stream, StreamExt, TryStreamExt as _, future};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        Controller, PredicateConfig, WatchStreamExt,
        controller::{self, Action, Config},
        events::{Recorder, Reporter},
        reflector::{self, ObjectRef},
        utils::Backoff,
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    authorities,
    certificates::{self, Certificates, Keeper},
    cluster::{self, Environment, Others, Outcome, validate::DefaultImages},
    fence::{Fence, Identity},
    metrics::Metrics,
    namespaces::{self, Followed},
    pull_secrets::Copier,
    queue::Queue,
    requests,
    serve::{Health, serve},
    triggers::{course, description},
};
use crate::{
    api::{labels, postgres_cluster::PostgresCluster},
    desired::network_policy::Network,
    k8s::{OPERATOR, applier::Applier},
};

/// Clusters that are looked at at once.
const CONCURRENCY: u16 = 8;

/// How often a cluster at rest is looked at: its certificates have to be renewed some day.
const RENEWAL_CHECK: Duration = Duration::from_hours(6);

/// How often a cluster is looked at that is on its way somewhere. Changes are seen at once; this is for the one that was not.
const PROGRESS_CHECK: Duration = Duration::from_secs(15);

/// The same for a cluster that is being deleted, which somebody may be waiting for. Many may be deleted at once.
const DELETION_CHECK: Duration = Duration::from_secs(5);

/// The longest that one look may take. A request that is never answered must not keep a cluster from being looked at again.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// Waiting time after the first failure; it doubles with each further one up to [`LONGEST_BACKOFF`].
const SHORTEST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// Which namespaces the operator looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace.
    All,
    /// These.
    Namespaces(Vec<String>),
    /// Those with a label.
    Followed(Followed),
}

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The installation that it works for; without one nothing keeps a second operator off.
    pub identity: Option<Identity>,
    /// Where it looks for clusters.
    pub scope: Scope,
    /// Images for clusters that name none.
    pub images: DefaultImages,
    /// What policies of clusters let through; none makes no policies.
    pub network: Option<Network>,
    /// The address that health and metrics are served on, and the certificates for that; none serves nothing.
    pub endpoint: Option<(SocketAddr, Certificates)>,
}

/// Why the operator can't run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The endpoint for health and metrics can't be served.
    #[error("failed to serve health and metrics on {address}: {source}")]
    Serve {
        /// Address to listen on.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Signals can't be received.
    #[error("failed to listen for signals: {0}")]
    Signal(std::io::Error),
}

struct Shared {
    environment: Environment,
    metrics: Arc<Metrics>,
    failures: Mutex<HashMap<(String, String), u32>>,
}

/// Runs until SIGTERM or SIGINT. A reconciliation that is under way is finished first.
///
/// # Errors
/// When the endpoint can't be served.
pub async fn run(client: Client, options: Options) -> Result<(), RunError> {
    let metrics = Arc::new(Metrics::default());
    let client = requests::counted(client, Arc::clone(&metrics));
    let fence = Fence::new(&client, options.identity.as_ref());
    let health = Health {
        started: watch::Sender::new(false),
        certified: watch::Sender::new(false),
        fence: fence.clone(),
        metrics: Arc::clone(&metrics),
    };
    let shared = Arc::new(Shared {
        environment: Environment {
            fence: fence.clone(),
            follower: options.identity.map(|identity| identity.follower),
            others: Others::default(),
            applier: Applier::new(client.clone(), OPERATOR),
            recorder: Recorder::new(
                client.clone(),
                Reporter { controller: "pgherd".to_owned(), instance: None },
            ),
            client: client.clone(),
            images: options.images,
            network: options.network,
        },
        metrics,
        failures: Mutex::default(),
    });

    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signal(stop.clone())?);
    let handle = Handle::new();
    let server = {
        let (client, health, handle, stop) = (client.clone(), health.clone(), handle.clone(), stop.clone());
        let endpoint = options.endpoint;
        async move {
            let Some((address, certificates)) = endpoint else { return future::pending().await };
            let served = async {
                let tls = certificates::provisional().await?;
                let (metrics, certified) = (Arc::clone(&health.metrics), health.certified.clone());
                let fence = health.fence.clone();
                let keeper = Keeper { client, certificates, fence, tls: tls.clone(), metrics, certified };
                tokio::select! {
                    served = serve(address, tls, health, handle) => served,
                    // It ends only when everything does, and then the answer is the server's.
                    () = async { keeper.run(stop).await; future::pending().await } => Ok(()),
                }
            };
            served.await.map_err(|source| RunError::Serve { address, source })
        }
    };
    let begun = || health.started.clone();
    // Ends when the process is to end, and when another one has taken over.
    let acting = stop.child_token();
    let follow = async {
        match &options.scope {
            Scope::All => controller(&client, None, &shared, &acting, Some(begun())).await,
            Scope::Namespaces(namespaces) => {
                let controllers = namespaces
                    .iter()
                    .map(|namespace| controller(&client, Some(namespace), &shared, &acting, Some(begun())));
                future::join_all(controllers).await;
            }
            Scope::Followed(followed) => {
                let originals = watch::Sender::default();
                let start = |namespace: &str, stop: CancellationToken| {
                    let work = controller(&client, Some(namespace), &shared, &stop, None);
                    let copier = Copier {
                        client: client.clone(),
                        secrets: followed.pull_secrets.clone(),
                        originals: originals.subscribe(),
                        place: namespace.to_owned(),
                    };
                    tokio::spawn(async move {
                        future::join(work, copier.run(stop)).await;
                    })
                };
                let seen = || {
                    health.started.send_replace(true);
                };
                let pull_secrets = followed.pull_secrets.clone();
                future::join(
                    pull_secrets.watch(client.clone(), originals.clone(), acting.clone()),
                    namespaces::follow(&client, followed, &acting, start, seen),
                )
                .await;
            }
        }
    };
    tracing::info!(scope = ?options.scope, version = env!("CARGO_PKG_VERSION"), "the operator has started");
    let result = tokio::select! {
        result = server => result,
        () = fence.within(&stop, &acting, follow) => Ok(()),
    };
    handle.graceful_shutdown(Some(Duration::from_secs(1)));
    signals.abort();
    tracing::info!("the operator has stopped");
    result
}

fn stop_on_signal(stop: CancellationToken) -> Result<impl Future<Output = ()>, RunError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; what is under way is finished first");
        stop.cancel();
    })
}

/// Looks after the clusters of one namespace, or of all. Only metadata of clusters is kept in memory; each look reads what
/// it needs. `started` is told once the clusters were listed.
fn controller(
    client: &Client,
    namespace: Option<&str>,
    shared: &Arc<Shared>,
    stop: &CancellationToken,
    started: Option<watch::Sender<bool>>,
) -> impl Future<Output = ()> + use<> {
    let (reader, writer) = reflector::store();
    let queue = Arc::clone(&shared.metrics.queue);
    let clusters =
        watcher(api::<PartialObjectMeta<PostgresCluster>>(client, namespace), watcher::Config::default())
            .default_backoff()
            // Most of what is kept, and of no use.
            .modify(|cluster| cluster.managed_fields_mut().clear())
            .reflect(writer)
            .inspect(move |event| {
                if let (Ok(watcher::Event::InitDone), Some(started)) = (event, &started) {
                    started.send_replace(true);
                }
            })
            .applied_objects()
            .predicate_filter(description, PredicateConfig::default())
            .inspect_ok({
                let queue = Arc::clone(&queue);
                move |cluster| queue.ask(&cluster.namespace().unwrap_or_default(), &cluster.name_any())
            });
    let mut positions = shared.metrics.positions.follower();
    let pods = watcher(api::<Pod>(client, namespace), of_clusters())
        .default_backoff()
        .inspect_ok(move |event| positions.see(event))
        .touched_objects()
        .predicate_filter(course, PredicateConfig::default())
        .inspect_ok({
            let queue = Arc::clone(&queue);
            move |pod| {
                if let Some(cluster) = cluster_of(pod) {
                    queue.ask(cluster.namespace.as_deref().unwrap_or_default(), &cluster.name);
                }
            }
        });
    let authorities = authorities::changed(api(client, namespace)).inspect_ok({
        let queue = Arc::clone(&queue);
        move |authority| queue.ask_for_owners(authority)
    });
    let (metrics, place) = (Arc::clone(&shared.metrics), namespace.map(str::to_owned));
    // Patroni renews its lease in Endpoints every few seconds; those are not watched.
    let work = Controller::for_stream(clusters, reader)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .trigger_backoff(AtOnce)
        .owns_stream(owned::<StatefulSet>(client, namespace, &queue))
        .owns_stream(owned::<Deployment>(client, namespace, &queue))
        .owns_stream(owned::<PersistentVolumeClaim>(client, namespace, &queue))
        .owns_stream(owned::<Service>(client, namespace, &queue))
        .owns_stream(owned::<ConfigMap>(client, namespace, &queue))
        .owns_stream(owned::<Secret>(client, namespace, &queue))
        .owns_stream(owned::<ServiceAccount>(client, namespace, &queue))
        .owns_stream(owned::<Role>(client, namespace, &queue))
        .owns_stream(owned::<RoleBinding>(client, namespace, &queue))
        .owns_stream(owned::<PodDisruptionBudget>(client, namespace, &queue))
        .owns_stream(owned::<NetworkPolicy>(client, namespace, &queue))
        .watches_stream(pods, |pod| cluster_of(&pod))
        .watches_stream(authorities, |authority| authorities::sharing(&authority))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(reconcile, error_policy, Arc::clone(shared))
        .for_each({
            let metrics = Arc::clone(&metrics);
            move |result| {
                match result {
                    Err(controller::Error::QueueError(error)) => {
                        tracing::warn!("a watch failed: {error}; trying again");
                    }
                    Err(controller::Error::ObjectNotFound(cluster)) => {
                        metrics.gone(cluster.namespace.as_deref().unwrap_or_default(), &cluster.name);
                    }
                    // What goes wrong with a cluster is told where it is looked at.
                    Ok(_) | Err(_) => {}
                }
                future::ready(())
            }
        });
    work.inspect(move |()| place.iter().for_each(|namespace| metrics.left(namespace)))
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

/// Metadata of what belongs to some cluster. The watch waits by itself after it failed.
fn owned<K>(
    client: &Client,
    namespace: Option<&str>,
    queue: &Arc<Queue>,
) -> impl Stream<Item = watcher::Result<PartialObjectMeta<K>>> + use<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
{
    let queue = Arc::clone(queue);
    watcher(api::<PartialObjectMeta<K>>(client, namespace), of_clusters())
        .default_backoff()
        .touched_objects()
        .inspect_ok(move |object| queue.ask_for_owners(object))
}

/// No waiting. A controller would wait for all watches together after one has failed, each time longer: a dozen that an API server
/// which was away for a second has ended would come back one by one, within minutes. Each of them waits by itself.
struct AtOnce;

impl Iterator for AtOnce {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for AtOnce {
    fn reset(&mut self) {}
}

/// Only what belongs to some cluster.
fn of_clusters() -> watcher::Config {
    watcher::Config::default().labels(labels::CLUSTER)
}

/// The cluster that a pod belongs to. Its owner is a StatefulSet, so its label tells.
fn cluster_of(pod: &Pod) -> Option<ObjectRef<PartialObjectMeta<PostgresCluster>>> {
    let cluster = pod.labels().get(labels::CLUSTER)?;
    Some(ObjectRef::new(cluster).within(&pod.namespace()?))
}

async fn reconcile(
    cluster: Arc<PartialObjectMeta<PostgresCluster>>,
    shared: Arc<Shared>,
) -> Result<Action, cluster::Error> {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let _look = shared.metrics.queue.begin(&namespace, &name);
    let begun = Instant::now();
    let look = cluster::reconcile(&shared.environment, &namespace, &name);
    let fence = &shared.environment.fence;
    let looked = tokio::select! {
        biased;
        // What is under way ends here, wherever it is. Whoever took over goes on from what there is.
        () = fence.lost() => return Ok(Action::await_change()),
        looked = tokio::time::timeout(LONGEST_LOOK, look) => looked,
    };
    shared.metrics.took(begun.elapsed());
    let outcome = match looked.unwrap_or(Err(cluster::Error::Stuck(LONGEST_LOOK))) {
        Err(_) if fence.lost_to().is_some() => return Ok(Action::await_change()),
        looked => looked?,
    };
    shared.metrics.reconciled(&namespace, &name, &outcome);
    tracing::debug!(
        namespace,
        cluster = name,
        ?outcome,
        milliseconds = begun.elapsed().as_millis(),
        "reconciled"
    );
    shared.failures().remove(&(namespace.clone(), name.clone()));
    let wait = match outcome {
        Outcome::Gone | Outcome::Invalid | Outcome::NotOurs => return Ok(Action::await_change()),
        Outcome::Progressing => PROGRESS_CHECK,
        Outcome::Deleting => DELETION_CHECK,
        Outcome::Ready | Outcome::Paused => RENEWAL_CHECK,
    };
    shared.metrics.queue.later(&namespace, &name, wait);
    Ok(Action::requeue(wait))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of kube's error policies")]
fn error_policy(
    cluster: Arc<PartialObjectMeta<PostgresCluster>>,
    error: &cluster::Error,
    shared: Arc<Shared>,
) -> Action {
    let key = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    shared.metrics.failed(&key.0, &key.1, error.category());
    let failures = {
        let mut all = shared.failures();
        let count = all.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    };
    let wait = backoff(failures);
    tracing::warn!(
        namespace = key.0,
        cluster = key.1,
        failures,
        "{error}; trying again in {} ms",
        wait.as_millis()
    );
    shared.metrics.queue.later(&key.0, &key.1, wait);
    Action::requeue(wait)
}

fn backoff(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    SHORTEST_BACKOFF.saturating_mul(doubled).min(LONGEST_BACKOFF)
}

impl Shared {
    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_without_a_namespace_belongs_to_nothing() {
        assert!(cluster_of(&Pod::default()).is_none());
    }

    #[test]
    fn waiting_doubles_up_to_a_minute() {
        assert_eq!(backoff(1), Duration::from_millis(500));
        assert_eq!(backoff(3), Duration::from_secs(2));
        assert_eq!(backoff(50), LONGEST_BACKOFF);
    }
}
