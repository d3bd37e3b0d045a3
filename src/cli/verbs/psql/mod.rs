//! `pgherd psql`.

mod in_pod;
mod local;
mod raw;
mod route;

use std::time::Duration;

use serde::Serialize;

use self::route::Route;
use crate::{
    cli::{Code, Context, Exit, Failure, verbs::target},
    domain::names::ObjectName,
    k8s::{client::Connection, port_forward},
    postgres::{
        member::Role,
        session::{self, Pinged},
    },
};

/// The longest that a ping may take unless `--timeout` says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to talk to, and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cluster
    name: ObjectName,
    /// The user to log in as [default: the cluster's first]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The database [default: the user's first]
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Which instance to talk to
    #[arg(long, value_enum, default_value_t, hide_possible_values = true, value_name = "primary|replica")]
    role: Wanted,
    /// Only log in, ask for the version, and tell how long that takes
    #[arg(long, conflicts_with = "arguments")]
    ping: bool,
    /// Arguments for psql
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    #[default]
    Primary,
    Replica,
}

impl From<Wanted> for Role {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Primary => Self::Primary,
            Wanted::Replica => Self::Replica,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    cluster: String,
    namespace: String,
    instance: String,
    role: Role,
    user: String,
    database: String,
    version: String,
    milliseconds: f64,
}

impl Args {
    /// Opens a session.
    ///
    /// # Errors
    /// When the cluster or the user isn't there, or the database can't be connected to.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let connection = context.connection().await?;
        let namespace = target::namespace(context, connection);
        let cluster = target::cluster(&connection.client, &namespace, self.name.as_str()).await?;
        let route = Route::find(
            &connection.client,
            &cluster,
            self.user.as_deref(),
            self.database.as_deref(),
            self.role.into(),
        )
        .await?;
        if self.ping {
            return ping(context, connection, &route).await;
        }
        match local::find() {
            Some(program) => local::run(context, &connection.client, program, route, self.arguments).await,
            None => in_pod::run(context, &connection.client, &route, self.arguments).await,
        }
    }
}

async fn ping(context: &Context, connection: &Connection, route: &Route) -> Result<Exit, Failure> {
    let timeout = context.settings.timeout.min(PATIENCE);
    let member = route.member(&connection.client).await?;
    let asked = async {
        let forwarded =
            port_forward::open(&connection.client, &route.namespace, &member.pod, route.port).await?;
        let pinged =
            session::ping(forwarded.stream, &route.authority, &route.server_name(), &route.login).await;
        match pinged {
            Ok(pinged) => Ok(pinged),
            Err(error) => {
                let refused = error.refused();
                let failure = route.unreachable(&member).because(error.to_string());
                // Its own words say more than what the node saw of the connection's end.
                let trouble = if refused { None } else { forwarded.trouble.told().await };
                Err(trouble.into_iter().fold(failure, Failure::because).next(format!(
                    "`pgherd show cluster {} -n {}` shows the state of its instances.",
                    route.cluster, route.namespace
                )))
            }
        }
    };
    let pinged = tokio::time::timeout(timeout, asked).await.map_err(|_| {
        route.unreachable(&member).because(format!("No answer within {} s.", timeout.as_secs()))
    })?;
    let Pinged { version, round_trip } = pinged?;
    let answer = Answer {
        cluster: route.cluster.clone(),
        namespace: route.namespace.clone(),
        instance: member.name,
        role: route.role,
        user: route.login.user.clone(),
        database: route.login.database.clone(),
        version,
        milliseconds: (round_trip.as_secs_f64() * 10_000.0).round() / 10.0,
    };
    context.printer.result(&answer, || {
        format!(
            "{}\n{} as {} answers in {} ms\n",
            answer.version, answer.instance, answer.user, answer.milliseconds
        )
    })?;
    Ok(Exit::Success)
}

/// What to say when a role has no instance.
fn no_instance(route: &Route) -> Failure {
    let what = match route.role {
        Role::Primary => "has no primary now",
        Role::Replica => "has no replica that is ready",
    };
    Failure::new(Code::NoConnection, format!("cluster {}/{} {what}", route.namespace, route.cluster)).next(
        format!(
            "`pgherd show cluster {} -n {}` shows the state of its instances.",
            route.cluster, route.namespace
        ),
    )
}
