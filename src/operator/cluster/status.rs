//! What the operator reports about a cluster: computed from what was seen, and written only when it says something new.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    Story,
    error::Error,
    instances::{Instance, Plan},
    pgbouncer, replication, restart,
    roll::Pending,
    switchover::Record,
    validate::Problem,
    volumes::Volumes,
};
use crate::{
    api::{
        conditions::{
            self, ACCEPTED, ConditionStatus, NewCondition, PENDING_RESTART,
            POSTGRES_DATA_INITIALIZED as INITIALIZED, PROGRESSING, PROXY_AVAILABLE, READY, REPLICATING,
            SWITCHOVER_SUCCESSFUL, set_condition,
        },
        postgres_cluster::{
            InstanceSetStatus, PatroniStatus, PostgresCluster, PostgresClusterStatus, ProxyStatus,
        },
    },
    desired::Cluster,
    domain::cluster_names::InstanceName,
    k8s::OPERATOR,
};

/// What a look at the cluster has found.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The instances that exist.
    pub instances: &'a BTreeMap<InstanceName, Instance>,
    /// Which of them are wanted.
    pub plan: &'a Plan,
    /// The pod that holds the leader's lock.
    pub leader: Option<&'a str>,
    /// The database's identifier.
    pub system_identifier: Option<&'a str>,
    /// The revision of roles and databases that is in the database, and whether it is the wanted one.
    pub users_revision: Option<&'a str>,
    /// Whether that revision is the wanted one.
    pub users_current: bool,
    /// What is being changed about the instances.
    pub pending: Option<&'a Pending>,
    /// What there is of a pooler.
    pub proxy: Option<&'a ProxyStatus>,
    /// What is to be told of volumes.
    pub volumes: &'a Volumes,
    /// The ConfigMap whose SQL was run in the new database.
    pub init_sql: Option<&'a str>,
    /// What was done about a request for a switchover.
    pub switchover: Option<&'a Record>,
}

/// The status of a cluster that is followed.
#[must_use]
pub fn followed(
    resource: &PostgresCluster,
    cluster: &Cluster,
    seen: Seen<'_>,
    now: Timestamp,
) -> PostgresClusterStatus {
    let mut status = base(resource);
    let mut wanted = 0;
    let mut ready = 0;
    status.instances = cluster
        .sets
        .iter()
        .map(|set| {
            let of_set = || seen.instances.values().filter(|instance| instance.set == set.name);
            let count = |matches: &dyn Fn(&Instance) -> bool| {
                i32::try_from(of_set().filter(|instance| matches(instance)).count()).unwrap_or(i32::MAX)
            };
            wanted += set.replicas;
            ready += of_set().filter(|instance| instance.ready()).count().min(set.replicas);
            InstanceSetStatus {
                name: set.name.clone(),
                replicas: Some(count(&|instance| instance.pod.is_some())),
                ready_replicas: Some(count(&Instance::ready)),
                updated_replicas: Some(count(&|instance| instance.pod.is_some() && instance.updated)),
                ..InstanceSetStatus::default()
            }
        })
        .collect();
    status.instances_ready = Some(format!("{ready}/{wanted}"));
    status.postgres_version = Some(cluster.postgres_version);
    status.users_revision = seen.users_revision.map(str::to_owned);
    let patroni = status.patroni.get_or_insert_with(PatroniStatus::default);
    if let Some(identifier) = seen.system_identifier {
        patroni.system_identifier = Some(identifier.to_owned());
    }
    replication::put_primary(patroni, seen.instances, seen.leader);
    if *patroni == PatroniStatus::default() {
        status.patroni = None;
    }
    if let Some(record) = seen.switchover {
        put_switchover(&mut status, record);
    }

    status.proxy = seen.proxy.cloned();
    status.database_init_sql = seen.init_sql.map(str::to_owned);

    let generation = resource.meta().generation;
    let mut condition = |type_, (state, reason, message): (bool, &str, String)| {
        set_condition(&mut status.conditions, new_condition(type_, state, reason, message, generation), now);
    };
    condition(ACCEPTED, (true, "Valid", "the description is being followed".to_owned()));
    condition(INITIALIZED, initialized(seen));
    condition(READY, readiness(cluster, seen, ready, wanted));
    if let Some((met, message)) = seen.switchover.and_then(|record| record.outcome.clone()) {
        let reason = if met { "Done" } else { "NotMet" };
        condition(SWITCHOVER_SUCCESSFUL, (met, reason, message));
    }
    let under_way = seen.pending.map(|pending| {
        let message = since(progress(resource), &pending.message, now);
        (true, pending.reason, message)
    });
    // These are there only while there is something to say.
    let passing = [
        (REPLICATING, replication::condition(cluster, seen.plan, seen.instances)),
        (PROXY_AVAILABLE, seen.proxy.and_then(|proxy| pgbouncer::availability(cluster, proxy))),
        (Volumes::CONDITION, seen.volumes.condition()),
        (PENDING_RESTART, restart::condition(seen.instances)),
        (PROGRESSING, under_way),
    ];
    for (type_, told) in passing {
        match told {
            Some((state, reason, message)) => {
                let told = new_condition(type_, state, reason, message, generation);
                set_condition(&mut status.conditions, told, now);
            }
            None => {
                conditions::remove_condition(&mut status.conditions, type_);
            }
        }
    }
    status
}

fn put_switchover(status: &mut PostgresClusterStatus, record: &Record) {
    let patroni = status.patroni.get_or_insert_with(PatroniStatus::default);
    patroni.switchover.clone_from(&record.switchover);
    patroni.switchover_timeline = record.timeline;
}

/// Writes what becomes of a request for a switchover, and leaves everything else as it was reported last.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub async fn write_switchover(
    client: &Client,
    resource: &PostgresCluster,
    record: &Record,
) -> Result<(), Error> {
    let mut status = resource.status.clone().unwrap_or_default();
    put_switchover(&mut status, record);
    write(client, resource, &status).await
}

fn initialized(seen: Seen<'_>) -> (bool, &'static str, String) {
    match seen.system_identifier {
        Some(identifier) => (true, "Initialized", format!("database system {identifier}")),
        None => (false, "Initializing", "no instance has created the database yet".to_owned()),
    }
}

fn readiness(cluster: &Cluster, seen: Seen<'_>, ready: usize, wanted: usize) -> (bool, &'static str, String) {
    if cluster.shutdown {
        return (false, "Shutdown", "spec.shutdown is set; volumes are kept".to_owned());
    }
    let Some(primary) = seen.instances.values().find(|instance| instance.primary()) else {
        let missing = if cluster.standby.is_some() { "follows the other cluster" } else { "accepts writes" };
        return (false, "NoPrimary", format!("no instance {missing}{}", waiting(cluster, seen)));
    };
    if !seen.users_current {
        return (false, "SettingUpUsers", "roles and databases are not set up yet".to_owned());
    }
    if ready < wanted {
        let message = format!("{ready} of {wanted} instances are ready{}", waiting(cluster, seen));
        return (false, "InstancesNotReady", message);
    }
    let leads = match &cluster.standby {
        Some(standby) => format!("{} follows {}", primary.name, standby.host),
        None => format!("primary {}", primary.name),
    };
    (true, "Ready", format!("{leads}, {ready} of {wanted} instances are ready"))
}

/// What each instance that isn't ready waits for.
fn waiting(cluster: &Cluster, seen: Seen<'_>) -> String {
    let mut reasons = String::new();
    for (name, _) in &seen.plan.keep {
        let reason = match seen.instances.get(name) {
            Some(instance) if instance.ready() => continue,
            Some(instance) => instance.doing(),
            None => Instance::NO_POD.to_owned(),
        };
        reasons.push_str(if reasons.is_empty() { "; " } else { ", " });
        reasons.push_str(name.within(&cluster.name));
        reasons.push_str(": ");
        reasons.push_str(&reason);
    }
    reasons
}

/// The status of a cluster whose description has mistakes. Everything else stays as it was reported last.
#[must_use]
pub fn refused(resource: &PostgresCluster, problems: &[Problem], now: Timestamp) -> PostgresClusterStatus {
    let mut status = base(resource);
    let message = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let generation = resource.meta().generation;
    set_condition(
        &mut status.conditions,
        new_condition(ACCEPTED, false, "Invalid", message, generation),
        now,
    );
    status
}

/// The status of a cluster of which an object is refused by the API server. Everything else stays as it was reported last.
#[must_use]
pub fn not_applied(resource: &PostgresCluster, message: String, now: Timestamp) -> PostgresClusterStatus {
    let mut status = base(resource);
    let generation = resource.meta().generation;
    let refused = new_condition(ACCEPTED, false, "NotApplied", message, generation);
    set_condition(&mut status.conditions, refused, now);
    status
}

/// The status of a cluster that can't begin before something else is there.
#[must_use]
pub fn held(resource: &PostgresCluster, pending: Pending, now: Timestamp) -> PostgresClusterStatus {
    let mut status = base(resource);
    let generation = resource.meta().generation;
    let Pending { reason, message } = pending;
    let message = since(progress(resource), &message, now);
    for (type_, state) in [(READY, false), (PROGRESSING, true)] {
        let condition = new_condition(type_, state, reason, message.clone(), generation);
        set_condition(&mut status.conditions, condition, now);
    }
    status
}

/// The status of a cluster that its user has paused.
#[must_use]
pub fn paused(resource: &PostgresCluster, now: Timestamp) -> PostgresClusterStatus {
    let mut status = base(resource);
    let message = "spec.paused is set: nothing is changed until it is removed".to_owned();
    let generation = resource.meta().generation;
    set_condition(
        &mut status.conditions,
        new_condition(PROGRESSING, false, "Paused", message, generation),
        now,
    );
    status
}

/// Between what is waited for and the time since when.
const SINCE: &str = ", since ";

/// What is being done or waited for, and since when it is that. A condition's own time is when all of it began: in a change of
/// many steps it doesn't tell which one hangs.
fn since(before: Option<&str>, message: &str, now: Timestamp) -> String {
    match before {
        Some(before) if before.rsplit_once(SINCE).is_some_and(|(same, _)| same == message) => {
            before.to_owned()
        }
        _ => format!("{message}{SINCE}{now:.0}"),
    }
}

/// What was reported last of a change that is under way.
fn progress(resource: &PostgresCluster) -> Option<&str> {
    condition(resource.status.as_ref(), PROGRESSING).map(|(_, message)| message)
}

fn base(resource: &PostgresCluster) -> PostgresClusterStatus {
    PostgresClusterStatus {
        observed_generation: resource.meta().generation,
        ..resource.status.clone().unwrap_or_default()
    }
}

fn new_condition(
    type_: &'static str,
    state: bool,
    reason: &str,
    message: String,
    generation: Option<i64>,
) -> NewCondition {
    NewCondition {
        type_,
        status: if state { ConditionStatus::True } else { ConditionStatus::False },
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
    }
}

/// Whether a condition holds in `status`.
#[must_use]
pub fn holds(status: Option<&PostgresClusterStatus>, type_: &str) -> bool {
    condition(status, type_).is_some_and(|(state, _)| state == "True")
}

fn condition<'a>(status: Option<&'a PostgresClusterStatus>, type_: &str) -> Option<(&'a str, &'a str)> {
    let found = conditions::find_condition(&status?.conditions, type_)?;
    Some((&found.status, &found.message))
}

/// Tells what is new in `after`.
pub fn tell_changes(
    before: Option<&PostgresClusterStatus>,
    after: &PostgresClusterStatus,
    story: &mut Story,
) {
    let message =
        |type_| condition(Some(after), type_).map_or_else(String::new, |(_, message)| message.to_owned());
    let turned = |type_, to| holds(before, type_) != to && holds(Some(after), type_) == to;
    tell_primary(before, after, story);
    if turned(INITIALIZED, true) {
        story.tell("DatabaseInitialized", "Initialize", format!("created {}", message(INITIALIZED)));
    }
    if turned(READY, true) {
        story.tell("ClusterReady", "Reconcile", message(READY));
    } else if turned(READY, false) {
        story.warn("ClusterNotReady", "Reconcile", message(READY));
    }
    if condition(before, ACCEPTED) != condition(Some(after), ACCEPTED) && !holds(Some(after), ACCEPTED) {
        story.warn("InvalidCluster", "Validate", message(ACCEPTED));
    }
    let stuck = |status| condition(status, Volumes::CONDITION).filter(|(state, _)| *state == "False");
    if stuck(Some(after)).is_some() && stuck(before) != stuck(Some(after)) {
        story.warn("VolumesNotPossible", "Resize", message(Volumes::CONDITION));
    } else if turned(Volumes::CONDITION, true) {
        story.tell("VolumesGrowing", "Resize", message(Volumes::CONDITION));
    } else if turned(Volumes::CONDITION, false) {
        story.tell("VolumesGrown", "Resize", "all volumes are as large as described".to_owned());
    }
}

/// Tells that another instance leads, unless the operator has asked for that: what it asks for is told where it does.
fn tell_primary(before: Option<&PostgresClusterStatus>, after: &PostgresClusterStatus, story: &mut Story) {
    let Some(old) = before.and_then(|before| before.patroni.as_ref()) else { return };
    let new = after.patroni.as_ref().and_then(|patroni| patroni.primary.as_ref());
    let (Some(from), Some(to)) = (&old.primary, new) else { return };
    if from != to && old.switchover_timeline.is_none() && !story.tells_of_takeover() {
        story.warn("PrimaryChanged", "Failover", format!("{to} leads now instead of {from}"));
    }
}

/// Writes a status if it differs from the stored one.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub async fn write(
    client: &Client,
    resource: &PostgresCluster,
    status: &PostgresClusterStatus,
) -> Result<(), Error> {
    if resource.status.as_ref() == Some(status) {
        return Ok(());
    }
    let api: Api<PostgresCluster> =
        Api::namespaced(client.clone(), &resource.namespace().unwrap_or_default());
    let patch = json!({
        "apiVersion": <PostgresCluster as kube::Resource>::api_version(&()),
        "kind": <PostgresCluster as kube::Resource>::kind(&()),
        "status": status,
    });
    let params = PatchParams::apply(OPERATOR).force();
    api.patch_status(&resource.name_any(), &params, &Patch::Apply(&patch)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
