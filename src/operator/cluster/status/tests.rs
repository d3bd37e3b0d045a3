use super::{super::instances::PodState, *};
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
        }
    }

    fn status(&self) -> PostgresClusterStatus {
        let seen = Seen {
            instances: &self.instances,
            plan: &self.plan,
            system_identifier: self.identifier,
            users_revision: Some("abc"),
            users_current: self.users_current,
            pending: None,
            switchover: None,
            proxy: None,
            init_sql: None,
            volumes: &Volumes::default(),
        };
        followed(&test_support::resource(&test_support::spec()), &self.cluster, seen, now())
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
    assert_eq!(status.patroni.unwrap().system_identifier.as_deref(), Some("77"));
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
