//! A switchover or failover that a user asks for: `spec.patroni.switchover` says how, each new value of the annotation
//! `trigger-switchover` asks once. What came of it is an event, and the value goes into the status either way: a request
//! that couldn't be met is not met at some later moment when nobody expects it any more.

use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::{Resource as _, ResourceExt as _};

use super::{
    Environment, Error, Story,
    control::{self, Answer, Request},
    story::SWITCHOVER_DONE,
};
use crate::{
    api::{
        labels,
        postgres_cluster::{PatroniStatus, PostgresCluster, Switchover, SwitchoverType},
    },
    desired::Cluster,
    k8s::cluster_objects::ClusterObjects,
    postgres::member::{self, Member, Role},
};

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    /// There is none, or its time hasn't come.
    Nothing,
    /// It was met while nobody looked: the database is on a later timeline than before.
    Met,
    /// It can't be met, and why.
    Refuse(String),
    /// Patroni is asked.
    Ask(Asked),
}

/// What Patroni is asked for, in names of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    type_: SwitchoverType,
    /// Where the request is made.
    at: String,
    to: Option<String>,
    /// The timeline that ends with it.
    timeline: Option<i64>,
}

/// What the status has to say of requests from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The last request that was answered.
    pub switchover: Option<String>,
    /// The timeline before a request that is under way.
    pub timeline: Option<i64>,
    /// How the last request ended, if that was just now: whether it was met, and in which way.
    pub outcome: Option<(bool, String)>,
}

impl From<Option<&PatroniStatus>> for Record {
    fn from(status: Option<&PatroniStatus>) -> Self {
        status.map_or_else(Self::default, |status| Self {
            switchover: status.switchover.clone(),
            timeline: status.switchover_timeline,
            outcome: None,
        })
    }
}

fn decide(settings: Option<&Switchover>, value: &str, record: &Record, members: &[Member]) -> Decision {
    let Some(settings) = settings.filter(|settings| settings.enabled) else { return Decision::Nothing };
    if value.is_empty() || record.switchover.as_deref() == Some(value) {
        return Decision::Nothing;
    }
    let primary = members.iter().find(|member| member.role == Some(Role::Primary));
    let timeline = members.iter().filter_map(|member| i64::try_from(member.timeline?).ok()).max();
    if primary.is_some() && record.timeline.is_some_and(|before| timeline > Some(before)) {
        return Decision::Met;
    }
    // A cluster that has never run has nothing to hand over; one whose primary is away may get it back or a new one.
    let forced = settings.type_ == SwitchoverType::Failover;
    if timeline.is_none() || primary.is_none() && !forced {
        return Decision::Nothing;
    }
    let able = |member: &&Member| match member.role {
        Some(Role::Replica) => forced || member.healthy(),
        Some(Role::Primary) | None => false,
    };
    let named = settings.target_instance.as_deref().filter(|name| !name.is_empty());
    let target = match named {
        None if forced => return Decision::Refuse("type Failover needs a targetInstance".to_owned()),
        None => match members.iter().find(able) {
            Some(_) => None,
            None => return Decision::Refuse("no replica follows the primary".to_owned()),
        },
        Some(name) => match members.iter().find(|member| member.name == name) {
            Some(member) if able(&member) => Some(member),
            Some(member) if member.role == Some(Role::Primary) && record.timeline.is_some() => {
                return Decision::Met;
            }
            Some(member) if member.role == Some(Role::Primary) => {
                return Decision::Refuse(format!("{name} is the primary already"));
            }
            Some(member) => return Decision::Refuse(format!("{name} can't take over: {}", member.state)),
            None => {
                let known: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
                return Decision::Refuse(format!("there is no instance {name}, only {}", known.join(", ")));
            }
        },
    };
    let Some(at) = target.filter(|_| forced).or(primary) else { return Decision::Nothing };
    Decision::Ask(Asked {
        type_: settings.type_,
        at: at.pod.clone(),
        to: target.map(|member| member.pod.clone()),
        timeline,
    })
}

/// Answers a request, when there is a new one. Returns what the status has to say of it; nothing when there was no request.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn answer(
    environment: &Environment,
    resource: &PostgresCluster,
    cluster: &Cluster,
    objects: &ClusterObjects,
    story: &mut Story,
) -> Result<Option<Record>, Error> {
    let settings = resource.spec.patroni.as_ref().and_then(|patroni| patroni.switchover.as_ref());
    let Some(value) = resource.annotations().get(labels::TRIGGER_SWITCHOVER) else { return Ok(None) };
    let before = Record::from(resource.status.as_ref().and_then(|status| status.patroni.as_ref()));
    let pods: Vec<Pod> = objects.pods.values().cloned().collect();
    let answered = |met, note: String| {
        Some(Record { switchover: Some(value.clone()), timeline: None, outcome: Some((met, note)) })
    };
    let about = || ObjectReference {
        field_path: Some(format!("metadata.annotations[{value}]")),
        ..resource.object_ref(&())
    };
    let refuse = |story: &mut Story, why: String| {
        story.warn("SwitchoverFailed", "Switchover", format!("request {value:?} is not met: {why}"));
        story.concerning(about());
        answered(false, why)
    };
    if cluster.shutdown {
        return Ok(None);
    }
    let asked = match decide(settings, value, &before, &member::members(&pods)) {
        Decision::Nothing => return Ok(None),
        Decision::Met => {
            story.tell(SWITCHOVER_DONE, "Switchover", format!("request {value:?} is met"));
            story.concerning(about());
            return Ok(answered(true, "another instance has taken over".to_owned()));
        }
        Decision::Refuse(why) => return Ok(refuse(story, why)),
        Decision::Ask(asked) => asked,
    };
    let Environment { fence, client, .. } = environment;
    fence.confirm().await?;
    // Written down first: an operator that is killed now must not do it twice.
    let under_way = Record { timeline: asked.timeline, ..before.clone() };
    super::status::write_switchover(client, resource, &under_way).await?;
    let request = match (asked.type_, asked.to.as_deref()) {
        (SwitchoverType::Failover, Some(to)) => Request::Failover { to },
        (_, to) => Request::Switchover { to },
    };
    let to = asked.to.as_deref().unwrap_or("another instance");
    Ok(match control::ask(client, cluster, &asked.at, request).await? {
        Answer::Done => {
            let note = format!("{to} has taken over");
            story.tell(SWITCHOVER_DONE, "Switchover", format!("request {value:?} is met: {note}"));
            story.concerning(about());
            answered(true, note)
        }
        Answer::Refused(words) => refuse(story, words),
        // Whether it was done is seen by the timeline. It is asked for a second time at most.
        Answer::Unknown if before.timeline.is_none() => Some(under_way),
        Answer::Unknown => refuse(story, "Patroni doesn't answer".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(timeline: u64) -> Vec<Member> {
        let status =
            |state: &str| json!({"state": "running", "replication_state": state, "timeline": timeline});
        member::members(&[
            member::tests::pod("h-a", "master", true, &json!({"state": "running", "timeline": timeline})),
            member::tests::pod("h-b", "replica", true, &status("streaming")),
            member::tests::pod("h-c", "replica", false, &json!({"state": "starting"})),
        ])
    }

    fn settings(type_: &str, target: Option<&str>) -> Switchover {
        serde_json::from_value(json!({"enabled": true, "type": type_, "targetInstance": target})).unwrap()
    }

    fn told(settings: &Switchover) -> String {
        match decide(Some(settings), "now", &Record::default(), &members(3)) {
            Decision::Ask(Asked { at, to, .. }) => format!("{at} to {}", to.unwrap_or_default()),
            Decision::Refuse(why) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_request_goes_to_the_primary_and_a_forced_one_to_its_target() {
        assert_eq!(told(&settings("Switchover", None)), "h-a-0 to ");
        assert_eq!(told(&settings("Switchover", Some(""))), "h-a-0 to ", "no name is as good as none");
        assert_eq!(told(&settings("Switchover", Some("h-b"))), "h-a-0 to h-b-0");
        assert_eq!(told(&settings("Failover", Some("h-b"))), "h-b-0 to h-b-0");
    }

    #[test]
    fn what_can_not_be_met_is_refused_with_a_reason() {
        assert_eq!(
            told(&settings("Switchover", Some("h-x"))),
            "there is no instance h-x, only h-a, h-b, h-c"
        );
        assert_eq!(told(&settings("Switchover", Some("h-a"))), "h-a is the primary already");
        assert_eq!(told(&settings("Switchover", Some("h-c"))), "h-c can't take over: starting");
        assert_eq!(told(&settings("Failover", None)), "type Failover needs a targetInstance");
        let alone = &members(3)[..1];
        let decision = decide(Some(&settings("Switchover", None)), "now", &Record::default(), alone);
        assert_eq!(decision, Decision::Refuse("no replica follows the primary".into()));
    }

    #[test]
    fn each_value_is_answered_once_and_only_when_that_is_enabled() {
        let of = |settings: &Switchover, record: &Record, timeline| {
            decide(Some(settings), "now", record, &members(timeline))
        };
        let plain = settings("Switchover", None);
        let done = Record { switchover: Some("now".into()), timeline: None, outcome: None };
        assert_eq!(of(&plain, &done, 3), Decision::Nothing);
        let off = Switchover { enabled: false, ..plain.clone() };
        assert_eq!(of(&off, &Record::default(), 3), Decision::Nothing);
        let interrupted = Record { switchover: Some("before".into()), timeline: Some(3), outcome: None };
        assert!(matches!(of(&plain, &interrupted, 3), Decision::Ask(_)), "it has not happened");
        assert_eq!(of(&plain, &interrupted, 4), Decision::Met);
        assert_eq!(of(&settings("Switchover", Some("h-a")), &interrupted, 3), Decision::Met);
        assert_eq!(decide(Some(&plain), "now", &Record::default(), &[]), Decision::Nothing, "not made yet");
    }
}
