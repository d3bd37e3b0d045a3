//! `pgherd switchover` and `pgherd failover`: another instance becomes the primary. The operator does it; what is written is the
//! request in the cluster's resource, so that it goes on when nobody watches.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::{
    api::{
        conditions::{self, SWITCHOVER_SUCCESSFUL},
        postgres_cluster::{PostgresCluster, SwitchoverType},
    },
    cli::{
        Code, Context, Exit, Failure,
        output::{bytes, table},
        verbs::target,
    },
    domain::names::ObjectName,
    k8s::{
        clusters,
        wait::{self, Look, WaitError},
    },
    postgres::member::{self, Member, Role},
};

/// Which instance takes over.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cluster's name
    name: ObjectName,
    /// Instance that takes over, as `--query` lists them
    #[arg(long, value_name = "INSTANCE")]
    target: Option<String>,
    /// List the instances that could take over, and change nothing
    #[arg(long, conflicts_with = "target")]
    query: bool,
}

/// An instance that is not the primary.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(flatten)]
    member: Member,
    /// Whether it has followed the primary until now.
    able: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    name: String,
    namespace: String,
    /// The primary before.
    from: Option<String>,
    /// The primary now.
    to: Option<String>,
}

impl Args {
    /// The primary hands over in order: nothing that was committed is lost.
    ///
    /// # Errors
    /// When nobody can take over, or nobody does.
    pub(super) async fn switch_over(self, context: &Context) -> Result<Exit, Failure> {
        self.run(context, SwitchoverType::Switchover).await
    }

    /// An instance takes over without the primary being asked.
    ///
    /// # Errors
    /// When nobody is named, or nobody takes over.
    pub(super) async fn fail_over(self, context: &Context) -> Result<Exit, Failure> {
        self.run(context, SwitchoverType::Failover).await
    }

    async fn run(self, context: &Context, type_: SwitchoverType) -> Result<Exit, Failure> {
        let connection = context.connection().await?;
        let client = &connection.client;
        let namespace = target::namespace(context, connection);
        let name = self.name.as_str();
        let cluster = target::cluster(client, &namespace, name).await?;
        let members = member::members(&clusters::pods(client, &namespace, name).await?);
        if self.query {
            let candidates = candidates(members);
            context.printer.result(&candidates, || listed(&candidates))?;
            return Ok(Exit::Success);
        }
        let before = primary(&members);
        check(&cluster, &members, self.target.as_deref(), type_)?;
        let to = self.target.as_deref().unwrap_or("the replica that has the most");
        let from = before.as_deref().unwrap_or("nobody");
        let way = match type_ {
            SwitchoverType::Switchover => "hands over to",
            SwitchoverType::Failover => "is replaced, without being asked, by",
        };
        context
            .printer
            .line(&format!("Cluster {namespace}/{name}: {from} {way} {to}. Clients have to reconnect."));
        context.confirm("Go on?").await?;

        let value = Timestamp::now().to_string();
        clusters::ask_for_switchover(client, &cluster, self.target.as_deref(), type_, &value).await?;
        let line = context.printer.start(name);
        let answered = |found: Option<&PostgresCluster>| match found.map(|cluster| outcome(cluster, &value)) {
            Some(Some(outcome)) => Look::Done(outcome),
            Some(None) => Look::Waiting("waiting for the operator".to_owned()),
            None => Look::Done((false, "the cluster is gone".to_owned())),
        };
        let api = clusters::api(client, Some(&namespace));
        let timeout = context.settings.timeout;
        let outcome = match wait::until(&api, name, timeout, answered, |reason| line.update(reason)).await {
            Ok(outcome) => outcome,
            Err(WaitError::Watch(error)) => return Err(error.into()),
            Err(error @ WaitError::Timeout { .. }) => (false, error.to_string()),
        };
        let (done, message) = outcome;
        if !done {
            line.failed("not switched over", std::slice::from_ref(&message));
            return Err(Failure::new(
                Code::NotSwitchedOver,
                format!("the primary of {namespace}/{name} stays as it is"),
            )
            .because(message)
            .next(format!("`pgherd show cluster {name} -n {namespace}` tells how its instances are.")));
        }
        line.done(&message);
        let now = match self.target {
            Some(target) => Some(target),
            None => clusters::next_primary(client, &namespace, name, before.as_deref()).await,
        };
        let taken = Taken { name: name.to_owned(), namespace, from: before, to: now };
        context.printer.result(&taken, String::new)?;
        Ok(Exit::Success)
    }
}

/// What is clearly in vain is told before anything is written; the operator looks again.
fn check(
    cluster: &PostgresCluster,
    members: &[Member],
    target: Option<&str>,
    type_: SwitchoverType,
) -> Result<(), Failure> {
    let place = format!("{}/{}", cluster.namespace().unwrap_or_default(), cluster.name_any());
    let refused = |why: String| {
        let listing = match type_ {
            SwitchoverType::Switchover => "switchover",
            SwitchoverType::Failover => "failover",
        };
        let name = cluster.name_any();
        Err(Failure::new(Code::NotSwitchedOver, format!("nobody can take over in {place}"))
            .because(why)
            .next(format!("`pgherd {listing} {name} --query` lists who could.")))
    };
    if cluster.spec.is_paused() || cluster.spec.is_shut_down() {
        return refused("The cluster is paused or stopped.".to_owned());
    }
    match (target, type_) {
        (None, SwitchoverType::Failover) => {
            refused("A failover needs to know to whom: name it with `--target`.".into())
        }
        (None, SwitchoverType::Switchover) if !members.iter().any(able) => {
            refused("No replica follows the primary.".to_owned())
        }
        (None, SwitchoverType::Switchover) => Ok(()),
        (Some(target), _) => match members.iter().find(|member| member.name == target) {
            None => refused(format!("There is no instance {target}.")),
            Some(member) if member.role == Some(Role::Primary) => {
                refused(format!("{target} is the primary."))
            }
            Some(member) if type_ == SwitchoverType::Switchover && !able(member) => {
                refused(format!("{target} does not follow the primary: {}.", member.state))
            }
            Some(_) => Ok(()),
        },
    }
}

fn able(member: &Member) -> bool {
    member.role == Some(Role::Replica) && member.healthy()
}

fn candidates(members: Vec<Member>) -> Vec<Candidate> {
    let others = members.into_iter().filter(|member| member.role != Some(Role::Primary));
    others.map(|member| Candidate { able: able(&member), member }).collect()
}

fn listed(candidates: &[Candidate]) -> String {
    if candidates.is_empty() {
        return "There is no instance besides the primary.\n".to_owned();
    }
    let or_nothing = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let rows = candidates.iter().map(|Candidate { member, able }| {
        vec![
            member.name.clone(),
            member.state.clone(),
            or_nothing(member.lag.map(bytes)),
            or_nothing(member.timeline.map(|timeline| timeline.to_string())),
            or_nothing(member.node.clone()),
            if *able { "yes" } else { "no" }.to_owned(),
        ]
    });
    table(&["INSTANCE", "STATE", "LAG", "TIMELINE", "NODE", "CAN TAKE OVER"], rows)
}

fn primary(members: &[Member]) -> Option<String> {
    members.iter().find(|member| member.role == Some(Role::Primary)).map(|member| member.name.clone())
}

/// What the operator says of a request once it has answered it.
fn outcome(cluster: &PostgresCluster, value: &str) -> Option<(bool, String)> {
    let status = cluster.status.as_ref()?;
    if status.patroni.as_ref()?.switchover.as_deref() != Some(value) {
        return None;
    }
    let told = conditions::find_condition(&status.conditions, SWITCHOVER_SUCCESSFUL)?;
    Some((told.status == "True", told.message.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{operator::test_support, postgres::member::tests::pod};

    fn members() -> Vec<Member> {
        let status = |state: &str| json!({"state": "running", "replication_state": state, "timeline": 3});
        member::members(&[
            pod("h-a", "master", true, &json!({"state": "running", "timeline": 3})),
            pod("h-b", "replica", true, &status("streaming")),
            pod("h-c", "replica", false, &json!({"state": "starting"})),
        ])
    }

    fn said(target: Option<&str>, type_: SwitchoverType) -> String {
        let cluster = test_support::resource(&test_support::spec());
        match check(&cluster, &members(), target, type_) {
            Ok(()) => "yes".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn what_is_in_vain_is_told_before_anything_is_written() {
        use SwitchoverType::{Failover, Switchover};
        assert_eq!(said(None, Switchover), "yes");
        assert_eq!(said(Some("h-b"), Switchover), "yes");
        assert_eq!(said(Some("h-c"), Failover), "yes", "a forced one may take what there is");
        assert!(said(Some("h-c"), Switchover).contains("h-c does not follow the primary"));
        assert!(said(Some("h-a"), Switchover).contains("h-a is the primary"));
        assert!(said(Some("h-x"), Switchover).contains("no instance h-x"));
        assert!(said(None, Failover).contains("--target"));
    }

    #[test]
    fn candidates_are_all_but_the_primary() {
        insta::assert_snapshot!(listed(&candidates(members())));
    }
}
