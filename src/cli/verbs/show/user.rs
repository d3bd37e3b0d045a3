//! `pgherd show user`.

use kube::ResourceExt as _;
use serde::Serialize;

use crate::{
    api::labels,
    cli::{Context, Exit, Failure, output::table, verbs::target},
    desired::secrets::text,
    domain::names::ObjectName,
    k8s::clusters,
    postgres::login,
};

/// The users to show.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user; without a name, all are listed
    name: Option<String>,
    /// The cluster that they belong to
    #[arg(short, long, value_name = "NAME")]
    cluster: Option<ObjectName>,
    /// Show passwords too
    #[arg(long)]
    reveal: bool,
}

/// How to connect as a user of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    cluster: String,
    namespace: String,
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    host: String,
    port: String,
    /// The Secret that applications read.
    secret: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
}

impl Args {
    /// Shows users.
    ///
    /// # Errors
    /// When the cluster or the user isn't there, or Secrets can't be read.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let connection = context.connection().await?;
        let client = &connection.client;
        let namespace = target::namespace(context, connection);
        let cluster = self.cluster.as_ref().map(AsRef::as_ref);
        let secrets = clusters::user_secrets(client, Some(&namespace), cluster).await?;
        if let (true, Some(cluster)) = (secrets.is_empty(), cluster) {
            target::cluster(client, &namespace, cluster).await?;
        }
        let mut users: Vec<Access> = secrets.iter().filter_map(|secret| read(secret, self.reveal)).collect();
        users.sort_by(|one, other| (&one.cluster, &one.user).cmp(&(&other.cluster, &other.user)));
        if let Some(name) = &self.name {
            let known: Vec<String> = users.iter().map(|user| user.user.clone()).collect();
            users.retain(|user| user.user == *name);
            if users.is_empty() {
                return Err(target::no_user(&namespace, cluster, name, &known));
            }
        }
        if users.is_empty() {
            context.printer.line("There is no user.");
        }
        context.printer.result(&users, || shown(&users, self.reveal))?;
        Ok(Exit::Success)
    }
}

fn read(secret: &k8s_openapi::api::core::v1::Secret, reveal: bool) -> Option<Access> {
    let revealed = |key: &str| reveal.then(|| text(secret, key)).flatten();
    Some(Access {
        cluster: secret.labels().get(labels::CLUSTER)?.clone(),
        namespace: secret.namespace().unwrap_or_default(),
        user: login::user_of(secret)?.to_owned(),
        database: text(secret, "dbname"),
        host: text(secret, "host").unwrap_or_default(),
        port: text(secret, "port").unwrap_or_default(),
        secret: secret.name_any(),
        password: revealed("password"),
        uri: revealed("uri"),
    })
}

fn shown(users: &[Access], reveal: bool) -> String {
    if users.is_empty() {
        return String::new();
    }
    let mut header = vec!["CLUSTER", "USER", "DATABASE", "HOST", "PORT"];
    header.push(if reveal { "PASSWORD" } else { "SECRET" });
    let rows = users.iter().map(|user| {
        let last = if reveal { user.password.as_ref() } else { Some(&user.secret) };
        let nothing = || "–".to_owned();
        [
            user.cluster.clone(),
            user.user.clone(),
            user.database.clone().unwrap_or_else(nothing),
            user.host.clone(),
            user.port.clone(),
            last.cloned().unwrap_or_else(nothing),
        ]
    });
    table(&header, rows)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use serde_json::json;

    use super::*;
    use crate::desired::secrets::data;

    fn secret() -> Secret {
        let mut secret: Secret = serde_json::from_value(json!({"metadata": {
            "name": "hippo-pguser-app", "namespace": "orders",
            "labels": {labels::CLUSTER: "hippo", labels::PGUSER: "app"},
        }}))
        .unwrap();
        secret.data = Some(data([
            ("host", "hippo-primary.orders.svc"),
            ("port", "5432"),
            ("dbname", "orders"),
            ("password", "hush"),
            ("uri", "postgresql://app:hush@h/orders"),
        ]));
        secret
    }

    #[test]
    fn nothing_is_revealed_unless_asked_for() {
        let users = vec![read(&secret(), false).unwrap()];
        let text = shown(&users, false);
        assert!(!text.contains("hush") && text.contains("hippo-pguser-app"), "{text}");
        assert!(!serde_json::to_string(&users).unwrap().contains("hush"));
    }

    #[test]
    fn what_is_asked_for_is_there() {
        let users = vec![read(&secret(), true).unwrap()];
        assert!(shown(&users, true).contains("hush"));
        assert_eq!(users[0].uri.as_deref(), Some("postgresql://app:hush@h/orders"));
    }
}
