//! One reconciliation of a `PostgresCluster`, step by step: look, validate, plan, build, apply, set up the database,
//! report. Each step has a file; only looking, applying and reporting talk to the API server.

mod adoption;
mod apply;
pub mod build;
mod control;
mod databases;
mod error;
mod finalize;
mod follower;
mod init_sql;
pub mod instances;
mod patroni;
mod pgbouncer;
mod replication;
mod restart;
mod roll;
pub mod rollout;
mod shared_secret;
pub mod status;
mod story;
mod switchover;
pub mod trust;
pub mod validate;
pub mod volumes;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Endpoints;
use kube::{Api, Client, Resource, ResourceExt, runtime::events::Recorder};

pub use self::{error::Error, follower::Others, story::Story};
use self::{
    finalize::Progress,
    follower::Whose,
    validate::{DefaultImages, Problem},
};
use crate::{
    api::{
        conditions::{PROGRESSING, READY},
        coverage::{self, Effect},
        postgres_cluster::PostgresCluster,
    },
    desired::{Cluster, network_policy::Network},
    k8s::{applier::Applier, cluster_objects::ClusterObjects},
    operator::fence::Fence,
};

/// What a reconciliation needs from the process it runs in.
pub struct Environment {
    /// Whether this process is the one to act.
    pub fence: Fence,
    /// What clusters carry that this operator's installation follows; none writes nothing on them.
    pub follower: Option<String>,
    /// Clusters that other installations follow.
    pub others: Others,
    /// The API server.
    pub client: Client,
    /// Applies objects and remembers what it has applied.
    pub applier: Applier,
    /// Publishes events; one for all clusters, so that repetitions are merged.
    pub recorder: Recorder,
    /// Images for clusters that name none.
    pub images: DefaultImages,
    /// What policies let through; none makes no policies.
    pub network: Option<Network>,
}

/// How a reconciliation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cluster doesn't exist any more.
    Gone,
    /// Every instance serves.
    Ready,
    /// Something is still under way; its end will be seen.
    Progressing,
    /// The cluster is being taken down.
    Deleting,
    /// The description has mistakes.
    Invalid,
    /// The user has paused the cluster or shut it down.
    Paused,
    /// Another installation follows the cluster.
    NotOurs,
}

/// Brings the cluster called `name` a step closer to its description.
///
/// # Errors
/// When the API server or the database can't be reached or refuses. What was done by then stays, and the next call goes on.
pub async fn reconcile(environment: &Environment, namespace: &str, name: &str) -> Result<Outcome, Error> {
    environment.fence.confirm().await?;
    let api: Api<PostgresCluster> = Api::namespaced(environment.client.clone(), namespace);
    let Some(resource) = api.get_opt(name).await? else {
        environment.others.forget(namespace, name);
        environment.applier.forget(namespace, |object| belongs(object, name));
        return Ok(Outcome::Gone);
    };
    let about = resource.object_ref(&());
    let mut story = Story::default();
    let outcome = follow(environment, resource, &mut story).await;
    story.publish(&environment.recorder, &about).await;
    outcome
}

/// Whether an object's name is derived from the cluster's. Another cluster's name may begin with the same words; forgetting
/// its objects costs one needless request each.
fn belongs(object: &str, cluster: &str) -> bool {
    object.strip_prefix(cluster).is_some_and(|rest| rest.starts_with('-'))
}

async fn follow(
    environment: &Environment,
    resource: PostgresCluster,
    story: &mut Story,
) -> Result<Outcome, Error> {
    let client = &environment.client;
    let follower = environment.follower.as_deref();
    if let Whose::Theirs(theirs) = follower::whose(&resource, follower) {
        environment.others.tell(&resource, &theirs, follower, story);
        return Ok(Outcome::NotOurs);
    }
    environment.others.forget(&resource.namespace().unwrap_or_default(), &resource.name_any());
    if resource.meta().deletion_timestamp.is_some() {
        return Ok(match finalize::take_down(client, &resource, story).await? {
            Progress::Waiting => Outcome::Deleting,
            Progress::Done => {
                let namespace = resource.namespace().unwrap_or_default();
                environment.applier.forget(&namespace, |object| belongs(object, &resource.name_any()));
                Outcome::Gone
            }
        });
    }
    // Of a paused cluster too: that it isn't changed is no reason for two operators to say so.
    let resource = finalize::protect(client, resource, follower).await?;
    let now = Timestamp::now();
    if resource.spec.is_paused() {
        status::write(client, &resource, &status::paused(&resource, now)).await?;
        return Ok(Outcome::Paused);
    }
    let cluster = match check(environment, &resource, story)? {
        Ok(cluster) => cluster,
        Err(problems) => {
            let after = status::refused(&resource, &problems, now);
            status::tell_changes(resource.status.as_ref(), &after, story);
            status::write(client, &resource, &after).await?;
            return Ok(Outcome::Invalid);
        }
    };
    let after = match bring_about(environment, &resource, &cluster, now, story).await {
        Ok(after) => after,
        Err(error) => {
            if let Some(message) = error.refusal() {
                let after = status::not_applied(&resource, message, now);
                status::tell_changes(resource.status.as_ref(), &after, story);
                status::write(client, &resource, &after).await?;
            }
            return Err(error);
        }
    };
    status::tell_changes(resource.status.as_ref(), &after, story);
    status::write(client, &resource, &after).await?;
    Ok(if cluster.shutdown {
        Outcome::Paused
    } else if status::holds(Some(&after), READY) && !status::holds(Some(&after), PROGRESSING) {
        Outcome::Ready
    } else {
        Outcome::Progressing
    })
}

/// Validates, and says once per change of the description what of it has no effect.
fn check(
    environment: &Environment,
    resource: &PostgresCluster,
    story: &mut Story,
) -> Result<Result<Cluster, Vec<Problem>>, Error> {
    let notes = coverage::without_effect(&serde_json::to_value(&resource.spec)?);
    let observed = resource.status.as_ref().and_then(|status| status.observed_generation);
    let ignored: Vec<String> = notes
        .iter()
        .filter(|note| note.effect == Effect::Ignored)
        .map(|note| format!("{} ({})", note.path, note.instead))
        .collect();
    if observed != resource.meta().generation && !ignored.is_empty() {
        story.warn("FieldWithoutEffect", "Validate", format!("without effect: {}", ignored.join("; ")));
    }
    let refused: Vec<Problem> = notes
        .iter()
        .filter(|note| note.effect == Effect::Refused)
        .map(|note| Problem { field: note.path.to_owned(), message: note.instead.to_owned() })
        .collect();
    Ok(match validate::validate(resource, &environment.images) {
        Ok(_) if !refused.is_empty() => Err(refused),
        Err(problems) => Err(problems.into_iter().chain(refused).collect()),
        Ok(cluster) => Ok(cluster),
    })
}

async fn bring_about(
    environment: &Environment,
    resource: &PostgresCluster,
    cluster: &Cluster,
    now: Timestamp,
    story: &mut Story,
) -> Result<crate::api::postgres_cluster::PostgresClusterStatus, Error> {
    let client = &environment.client;
    let mut objects = ClusterObjects::fetch(client, &cluster.namespace, &cluster.name).await?;
    match adoption::adopt(client, cluster, &objects, story).await? {
        adoption::Progress::Done => {}
        adoption::Progress::Taken => {
            objects = ClusterObjects::fetch(client, &cluster.namespace, &cluster.name).await?;
        }
        adoption::Progress::Waiting(pending) => return Ok(status::held(resource, pending, now)),
    }
    objects.users_certificates = trust::fetch(client, cluster, &objects).await?;
    let observed = instances::observe(&objects);
    let (plan, desired) = {
        let mut rng = rand::rng();
        let mut plan = instances::plan(cluster, &observed, &mut rng);
        if cluster.adoption.is_some() && patroni::system_identifier(cluster, &objects).is_none() {
            // An instance without data would make a database of its own, and be faster.
            plan.keep.retain(|(name, _)| observed.contains_key(name));
        }
        let desired = build::build(cluster, &objects, &plan, environment.network.as_ref(), now, &mut rng)?;
        (plan, desired)
    };
    let volumes = apply::apply(environment, cluster, &desired, &objects, story).await?;
    apply::remove_leftovers(client, cluster, &desired, &objects).await?;
    volumes::retire(client, cluster, &plan, &objects, story).await?;
    if !plan.remove.is_empty() {
        environment.fence.confirm().await?;
    }
    apply::remove_instances(client, cluster, &plan, &objects, story).await?;
    patroni::free_initialization(client, cluster, &objects, now, story).await?;
    patroni::apply_configuration(client, cluster, &objects, story).await?;

    let system_identifier = patroni::system_identifier(cluster, &objects);
    let wanted = databases::wanted(cluster, &desired, system_identifier.as_deref().unwrap_or_default());
    let mut users_revision = resource.status.as_ref().and_then(|status| status.users_revision.clone());
    // The leader of a standby accepts no writes; everything inside the database comes from the cluster that it follows.
    let primary = observed
        .values()
        .find(|instance| instance.primary() && instance.ready())
        .filter(|_| cluster.standby.is_none());
    if let (Some(primary), true) = (primary, users_revision.as_ref() != Some(&wanted.revision)) {
        databases::apply(client, cluster, primary, &wanted, story).await?;
        users_revision = Some(wanted.revision.clone());
    }
    let proxy = {
        let identifier = system_identifier.as_deref().unwrap_or_default();
        let done = pgbouncer::recorded(resource.status.as_ref());
        let revision = pgbouncer::set_up(client, cluster, &desired, primary, identifier, done, story).await?;
        if cluster.pgbouncer.is_none() && revision.is_none() {
            pgbouncer::remove(client, cluster, &objects).await?;
        }
        pgbouncer::status(cluster, &objects, revision)
    };
    let wanted_sql = resource.spec.database_init_sql.as_ref();
    let ran = resource.status.as_ref().and_then(|status| status.database_init_sql.clone());
    let (init_sql, sql_waits) = init_sql::run(client, cluster, wanted_sql, ran, primary, story).await?;
    let switchover = switchover::answer(environment, resource, cluster, &objects, story).await?;
    let pending = match &switchover {
        // The next look sees what came of it.
        Some(_) => {
            let message = "a switchover was asked for by its annotation".to_owned();
            Some(roll::Pending { reason: "Switchover", message })
        }
        None => roll::go_on(environment, cluster, &plan, &objects, story).await?.or(sql_waits),
    };
    // Who was asked to take over holds the lock by now.
    let lock = if story.tells_of_takeover() {
        let endpoints: Api<Endpoints> = Api::namespaced(client.clone(), &cluster.namespace);
        endpoints.get_opt(&cluster.names.leader()).await?
    } else {
        objects.endpoints.get(&cluster.names.leader()).cloned()
    };
    let seen = status::Seen {
        leader: patroni::leader(lock.as_ref()),
        pending: pending.as_ref(),
        switchover: switchover.as_ref(),
        proxy: proxy.as_ref(),
        volumes: &volumes,
        init_sql: init_sql.as_deref(),
        instances: &observed,
        plan: &plan,
        system_identifier: system_identifier.as_deref(),
        users_revision: users_revision.as_deref(),
        users_current: cluster.standby.is_some() || users_revision.as_ref() == Some(&wanted.revision),
    };
    Ok(status::followed(resource, cluster, seen, now))
}
