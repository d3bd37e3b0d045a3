//! Asking Patroni for something, with its own command in the pod of an instance: the pod has the certificate that Patroni's
//! API wants for whatever changes something.

use std::time::Duration;

use kube::Client;

use super::Error;
use crate::{
    desired::{Cluster, pod::DATABASE_CONTAINER, text::scripts},
    k8s::exec,
};

/// How long an answer is waited for. Patroni does what it has agreed to all the same, and the next look sees it.
const LONGEST_ANSWER: Duration = Duration::from_secs(40);

/// What Patroni is asked for. Members are named by their pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// The primary hands over.
    Switchover {
        /// The member that takes over; none leaves it to Patroni.
        to: Option<&'a str>,
    },
    /// A member takes over without the primary being asked.
    Failover {
        /// The member.
        to: &'a str,
    },
    /// PostgreSQL is restarted, if it still waits for that.
    Restart {
        /// Where.
        member: &'a str,
    },
}

/// How Patroni answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is done.
    Done,
    /// It was refused or went wrong, with Patroni's words.
    Refused(String),
    /// Nobody answered in time.
    Unknown,
}

impl Request<'_> {
    /// The command, for a cluster with this scope.
    fn command(self, scope: &str) -> String {
        match self {
            Self::Switchover { to: Some(to) } => {
                format!("patronictl switchover --scheduled=now --force --candidate={to} {scope}")
            }
            Self::Switchover { to: None } => {
                format!("patronictl switchover --scheduled=now --force {scope}")
            }
            Self::Restart { member } => format!("patronictl restart --force --pending {scope} {member}"),
            Self::Failover { to } => format!("patronictl failover --force --candidate={to} {scope}"),
        }
    }

    /// What the command writes when it was done. It ends with code 0 in any case.
    fn success(self) -> &'static str {
        match self {
            Self::Switchover { .. } => "switched over",
            Self::Failover { .. } => "failed over",
            Self::Restart { .. } => "success: restart",
        }
    }

    fn judge(self, output: &str) -> Answer {
        if output.to_lowercase().contains(self.success()) {
            return Answer::Done;
        }
        // Before its answer it draws a table of the members.
        let said =
            output.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['|', '+']));
        Answer::Refused(said.collect::<Vec<_>>().join(" "))
    }
}

/// Asks Patroni, in the pod `pod` of the cluster.
///
/// # Errors
/// When the command can't be run.
pub(super) async fn ask(
    client: &Client,
    cluster: &Cluster,
    pod: &str,
    request: Request<'_>,
) -> Result<Answer, Error> {
    let target = exec::Target { namespace: &cluster.namespace, pod, container: DATABASE_CONTAINER };
    let command = scripts::with_programs(&request.command(&cluster.names.leader()));
    let nothing = secrecy::SecretString::default();
    let answer = exec::run(client, target, &command, &nothing);
    match tokio::time::timeout(LONGEST_ANSWER, answer).await {
        Err(_) => Ok(Answer::Unknown),
        Ok(Ok(output)) => Ok(request.judge(&output.stdout)),
        Ok(Err(exec::ExecError::Failed { stderr, .. })) => Ok(Answer::Refused(stderr)),
        Ok(Err(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_what_patroni_says_it_is() {
        let request = Request::Switchover { to: Some("rhino-herd-b-0") };
        let table = "Current cluster topology\n+ Cluster: rhino-ha (77) +\n| Member | Role |\n+---+\n";
        let done = format!("{table}2026-03-01 12:00:00.1 Successfully switched over to \"rhino-herd-b-0\"\n");
        assert_eq!(request.judge(&done), Answer::Done);
        let failed = format!("{table}Switchover failed, details: 412, candidate name does not match\n");
        let Answer::Refused(words) = request.judge(&failed) else { panic!("it was refused") };
        assert!(words.ends_with("Switchover failed, details: 412, candidate name does not match"), "{words}");
        assert!(!words.contains('|'), "{words}");
    }
}
