//! psql of the database's container, for machines without one. The password goes in on standard input, into a file that is
//! open but has no name any more when psql starts: neither arguments nor environment of any process hold it.

use std::io::IsTerminal as _;

use futures::stream::BoxStream;
use kube::Client;
use secrecy::SecretString;

use super::{raw, route::Route};
use crate::{
    cli::{Code, Context, Exit, Failure},
    desired::pod::DATABASE_CONTAINER,
    k8s::{
        attach::{self, Streams},
        exec::{self, ExecError, Target},
    },
};

/// Keeps what comes on standard input in a file, and tells its name.
const STORE: &str = r#"umask 077; file=$(mktemp /tmp/pgherd.XXXXXX) && cat >"$file" && printf %s "$file""#;
/// Opens the file, takes its name away, and becomes the rest of the arguments.
const START: &str = r#"exec 9<"$0" && rm -f "$0" && exec "$@""#;

/// Interrupts the session that the file was made for. The end of the connection doesn't: psql would only notice it when it
/// reads or writes the next time, after a statement that may take hours.
const INTERRUPT: &str = r#"for process in /proc/[0-9]*; do
  if tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qxF "PGHERD_SESSION=$0"; then kill -INT "${process#/proc/}"; fi
done 2>/dev/null"#;

/// Runs it to its end.
pub(super) async fn run(
    context: &Context,
    client: &Client,
    route: &Route,
    arguments: Vec<String>,
) -> Result<Exit, Failure> {
    let member = route.member(client).await?;
    let target = Target { namespace: &route.namespace, pod: &member.pod, container: DATABASE_CONTAINER };
    let failed = |error: ExecError| route.unreachable(&member).because(error.to_string());
    let store = ["sh", "-c", STORE].map(str::to_owned);
    let file = exec::run(client, target, &store, &route.login.password_file()).await.map_err(failed)?.stdout;

    let mut command = ["sh", "-c", START, &file, "env"].map(str::to_owned).to_vec();
    command.extend(environment(route));
    command.push(format!("PGHERD_SESSION={file}"));
    command.push("psql".to_owned());
    command.extend(arguments);
    let streams =
        Streams { input: tokio::io::stdin(), output: tokio::io::stdout(), errors: tokio::io::stderr() };
    let (_raw, sizes) = terminal()?;
    context.leave_interrupts_to_child();
    let interrupt = ["sh", "-c", INTERRUPT, &file].map(str::to_owned);
    let ended = tokio::select! {
        ended = attach::run(client, target, &command, streams, sizes) => ended,
        failure = pass_interrupts(client, target, &interrupt) => return Err(failure),
    };
    match ended {
        Ok(code) => Ok(Exit::Child(code)),
        Err(error) => {
            let clean = ["rm", "-f", &file].map(str::to_owned);
            exec::run(client, target, &clean, &SecretString::default()).await.ok();
            Err(failed(error))
        }
    }
}

/// Does for psql in the pod what the terminal does for a local one. Ends when that isn't possible, or at a second interrupt
/// while the first one is on its way.
async fn pass_interrupts(client: &Client, target: Target<'_>, interrupt: &[String]) -> Failure {
    let typed = || async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let stays = || {
        Failure::new(Code::Interrupted, "interrupted")
            .because(format!("The session in {} may go on until its statement ends.", target.pod))
    };
    let no_input = SecretString::default();
    loop {
        typed().await;
        tokio::select! {
            sent = exec::run(client, target, interrupt, &no_input) => if let Err(error) = sent {
                return stays().because(error.to_string());
            },
            () = typed() => return stays(),
        }
    }
}

type Sizes = BoxStream<'static, (u16, u16)>;

/// Gives the keyboard to psql, where there is one and what is written can be seen.
fn terminal() -> Result<(Option<raw::Raw>, Option<Sizes>), Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok((None, None));
    }
    let unusable = |error: std::io::Error| {
        Failure::new(Code::NoTerminal, "the terminal can't be used").because(error.to_string())
    };
    let sizes = raw::sizes().map_err(unusable)?;
    let raw = raw::Raw::enter().map_err(unusable)?;
    Ok((Some(raw), Some(sizes)))
}

/// The server is reached as from elsewhere: over TCP, with a password and a certificate that is checked.
fn environment(route: &Route) -> Vec<String> {
    let mut pairs = vec![
        ("PGHOST", route.server_name()),
        ("PGHOSTADDR", "127.0.0.1".to_owned()),
        ("PGPORT", route.port.to_string()),
        ("PGUSER", route.login.user.clone()),
        ("PGDATABASE", route.login.database.clone()),
        ("PGSSLMODE", "verify-full".to_owned()),
        ("PGSSLROOTCERT", "/pgconf/tls/ca.crt".to_owned()),
        ("PGPASSFILE", "/dev/fd/9".to_owned()),
        ("PGCLIENTENCODING", "UTF8".to_owned()),
        ("PSQL_HISTORY", "/dev/null".to_owned()),
    ];
    if let Ok(kind) = std::env::var("TERM") {
        pairs.push(("TERM", kind));
    }
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}
