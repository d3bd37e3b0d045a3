use super::{
    super::{
        instances::PodState,
        story::{PRIMARY_MOVED, SWITCHOVER_DONE},
    },
    *,
};
use crate::operator::test_support;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

struct Case {
    cluster: Cluster,
    instances: BTreeMap<InstanceName, Instance>,
    plan: Plan,
    identifier: Option<&'static str>,
    users_current: bool,
    before: Option<PostgresClusterStatus>,
}

impl Case {
    fn new(pod: Option<PodState>) -> Self {
        let cluster = test_support::cluster();
        let name = cluster.names.startup_instance("herd");
        let instance =
            Instance { name: name.clone(), set: "herd".into(), pod, has_stateful_set: true, updated: true };
        Self {
            plan: Plan { keep: vec![(name.clone(), 0)], remove: Vec::new(), leaving: None },
            instances: BTreeMap::from([(name, instance)]),
            cluster,
            identifier: Some("77"),
            users_current: true,
            before: None,
        }
    }

    fn status(&self) -> PostgresClusterStatus {
        let leader = self.cluster.names.startup_instance("herd").pod();
        let seen = Seen {
            instances: &self.instances,
            plan: &self.plan,
            leader: Some(&leader),
            system_identifier: self.identifier,
            users_revision: Some("abc"),
            users_current: self.users_current,
            pending: None,
            switchover: None,
            proxy: None,
            init_sql: None,
            volumes: &Volumes::default(),
        };
        let mut resource = test_support::resource(&test_support::spec());
        resource.status.clone_from(&self.before);
        followed(&resource, &self.cluster, seen, now())
    }

    fn ready(&self) -> (String, String) {
        let status = self.status();
        let condition = conditions::find_condition(&status.conditions, READY).unwrap();
        (condition.reason.clone(), condition.message.clone())
    }
}

fn primary() -> PodState {
    PodState { primary: true, ready: true, running: true, ..PodState::default() }
}

#[test]
fn a_cluster_that_serves_is_ready() {
    let status = Case::new(Some(primary())).status();
    assert!(
        holds(Some(&status), READY) && holds(Some(&status), INITIALIZED) && holds(Some(&status), ACCEPTED)
    );
    assert_eq!(status.instances_ready.as_deref(), Some("1/1"));
    assert_eq!(status.observed_generation, Some(3));
    let patroni = status.patroni.unwrap();
    assert_eq!(patroni.system_identifier.as_deref(), Some("77"));
    assert!(patroni.primary.is_some_and(|primary| primary.starts_with("rhino-herd-")));
}

#[test]
fn what_is_missing_is_told() {
    let pulling = PodState { waiting: Some("ImagePullBackOff: no such image".into()), ..PodState::default() };
    let (reason, message) = Case::new(Some(pulling)).ready();
    assert_eq!(reason, "NoPrimary");
    assert!(message.starts_with("no instance accepts writes; herd-"), "{message}");
    assert!(message.ends_with(": ImagePullBackOff: no such image"), "{message}");

    let case = Case { users_current: false, ..Case::new(Some(primary())) };
    assert_eq!(case.ready().0, "SettingUpUsers");

    let starting = PodState { ready: false, ..primary() };
    let (reason, message) = Case::new(Some(starting)).ready();
    assert_eq!(reason, "InstancesNotReady");
    assert!(
        message.starts_with("0 of 1 instances are ready; herd-") && message.ends_with(": starting"),
        "{message}"
    );

    let mut case = Case::new(None);
    case.cluster.shutdown = true;
    assert_eq!(case.ready().0, "Shutdown");
}

#[test]
fn changes_are_told_once() {
    let after = Case::new(Some(primary())).status();
    let reasons = |before: Option<&PostgresClusterStatus>, after: &PostgresClusterStatus| {
        let mut story = Story::default();
        tell_changes(before, after, &mut story);
        story.reasons().join(" ")
    };
    assert_eq!(reasons(None, &after), "DatabaseInitialized ClusterReady");
    assert_eq!(reasons(Some(&after), &after), "");
    let lost = Case::new(None).status();
    assert_eq!(reasons(Some(&after), &lost), "ClusterNotReady");
}

#[test]
fn another_primary_is_told_unless_it_was_asked_for() {
    let of = |primary: &str, under_way: Option<i64>| PostgresClusterStatus {
        patroni: Some(PatroniStatus {
            primary: Some(primary.into()),
            switchover_timeline: under_way,
            ..PatroniStatus::default()
        }),
        ..PostgresClusterStatus::default()
    };
    let told = |before: &PostgresClusterStatus, asked: &str| {
        let mut story = Story::default();
        if !asked.is_empty() {
            story.tell(asked, "Switchover", String::new());
        }
        tell_changes(Some(before), &of("b", None), &mut story);
        story.reasons().join(" ")
    };
    assert_eq!(told(&of("a", None), ""), "PrimaryChanged");
    assert_eq!(told(&of("b", None), ""), "");
    assert_eq!(told(&PostgresClusterStatus::default(), ""), "", "the first one");
    assert_eq!(told(&of("a", None), PRIMARY_MOVED), PRIMARY_MOVED);
    assert_eq!(told(&of("a", None), SWITCHOVER_DONE), SWITCHOVER_DONE);
    assert_eq!(told(&of("a", Some(3)), ""), "", "Patroni was asked, and its answer got lost");
}

#[test]
fn a_restart_that_is_pending_is_told_until_it_is_done() {
    let waits = PodState {
        pending_restart: Some(["max_connections".to_owned(), "shared_buffers".to_owned()].into()),
        ..primary()
    };
    let mut case = Case::new(Some(waits));
    let status = case.status();
    let pending = conditions::find_condition(&status.conditions, PENDING_RESTART).unwrap();
    assert_eq!((pending.status.as_str(), pending.reason.as_str()), ("True", "ParametersChanged"));
    let begin = "max_connections, shared_buffers: in force after a restart of PostgreSQL in rhino-herd-";
    assert!(pending.message.starts_with(begin), "{}", pending.message);
    case.before = Some(status);
    case.instances.values_mut().for_each(|instance| instance.pod = Some(primary()));
    assert!(conditions::find_condition(&case.status().conditions, PENDING_RESTART).is_none());
}

#[test]
fn volumes_are_told_when_they_grow_have_grown_and_can_not() {
    let of = |volumes: &Volumes| {
        let mut status = PostgresClusterStatus::default();
        if let Some((state, reason, message)) = volumes.condition() {
            let condition = new_condition(Volumes::CONDITION, state, reason, message, None);
            set_condition(&mut status.conditions, condition, now());
        }
        status
    };
    let told = |before: &Volumes, after: &Volumes| {
        let mut story = Story::default();
        tell_changes(Some(&of(before)), &of(after), &mut story);
        story.reasons().join(" ")
    };
    let (none, growing) = (Volumes::default(), Volumes { resizing: vec!["a".into()], ..Volumes::default() });
    let stuck = |why: &str| Volumes { stuck: vec![why.to_owned()], ..Volumes::default() };
    assert_eq!(told(&none, &growing), "VolumesGrowing");
    assert_eq!(told(&growing, &growing), "");
    assert_eq!(told(&growing, &none), "VolumesGrown");
    assert_eq!(told(&growing, &stuck("a")), "VolumesNotPossible");
    assert_eq!(told(&stuck("a"), &stuck("a")), "");
    assert_eq!(told(&stuck("a"), &stuck("b")), "VolumesNotPossible");
    assert_eq!(told(&stuck("a"), &none), "");
}

#[test]
fn a_mistake_leaves_the_rest_of_the_status_as_it_was() {
    let mut resource = test_support::resource(&test_support::spec());
    resource.status = Some(Case::new(Some(primary())).status());
    let problems = [Problem { field: "spec.image".into(), message: "name one".into() }];
    let after = refused(&resource, &problems, now());
    assert!(holds(Some(&after), READY) && !holds(Some(&after), ACCEPTED));
    let mut story = Story::default();
    tell_changes(resource.status.as_ref(), &after, &mut story);
    assert_eq!(story.reasons(), ["InvalidCluster"]);
}

#[test]
fn the_time_of_a_wait_is_when_that_one_began() {
    let later = now() + jiff::SignedDuration::from_mins(5);
    let first = since(None, "waiting: a is stopping", now());
    assert_eq!(first, "waiting: a is stopping, since 2026-03-01T12:00:00Z");
    assert_eq!(since(Some(&first), "waiting: a is stopping", later), first);
    let next = since(Some(&first), "waiting: b is stopping", later);
    assert_eq!(next, "waiting: b is stopping, since 2026-03-01T12:05:00Z");
}
