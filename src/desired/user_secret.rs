//! The Secret that tells an application how to connect as a role.

use k8s_openapi::api::core::v1::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::ThreadRng;
use secrecy::{ExposeSecret, SecretString};

use super::{
    cluster::{Cluster, User},
    meta,
    secrets::{data, text},
};
use crate::{api::labels, domain::password};

/// Everything but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const PASSWORD: &str = "password";
const VERIFIER: &str = "verifier";

/// Where the pooler is.
struct Pooler {
    host: String,
    port: String,
}

/// The Secret of `user`. A password or verifier that somebody wrote into it is taken; an empty password is an order to make
/// a new one, unless there is a verifier alone: then only its author knows the password.
#[must_use]
pub fn build(cluster: &Cluster, user: &User, existing: Option<&Secret>, rng: &mut ThreadRng) -> Secret {
    let (password, verifier) = credentials(user, existing, rng);
    let host = format!("{}.{}.svc", cluster.names.primary_service(), cluster.namespace);
    let port = cluster.port.to_string();
    let mut values = data([
        ("host", host.as_str()),
        ("port", port.as_str()),
        ("user", user.name.as_str()),
        (VERIFIER, verifier.expose_secret()),
    ]);
    let pooler = cluster.pgbouncer.as_ref().map(|pgbouncer| Pooler {
        host: format!("{}.{}.svc", cluster.names.pgbouncer(), cluster.namespace),
        port: pgbouncer.port.to_string(),
    });
    if let Some(Pooler { host, port }) = &pooler {
        values.extend(data([("pgbouncer-host", host.as_str()), ("pgbouncer-port", port.as_str())]));
    }
    let database = user.databases.first().map(String::as_str);
    values.extend(data(database.map(|name| ("dbname", name))));
    if let Some(password) = &password {
        values.extend(data([(PASSWORD, password.expose_secret())]));
        if let Some(database) = database {
            let (name, secret) = (escaped(&user.name), escaped(password.expose_secret()));
            let database = escaped(database);
            let uri = format!("postgresql://{name}:{secret}@{host}:{port}/{database}");
            let jdbc = format!("jdbc:postgresql://{host}:{port}/{database}?password={secret}&user={name}");
            values.extend(data([("uri", uri.as_str()), ("jdbc-uri", jdbc.as_str())]));
            if let Some(Pooler { host, port }) = &pooler {
                let uri = format!("postgresql://{name}:{secret}@{host}:{port}/{database}");
                // Between transactions the server behind PgBouncer changes, and with it what was prepared there.
                let jdbc = format!(
                    "jdbc:postgresql://{host}:{port}/{database}?password={secret}&prepareThreshold=0&user={name}"
                );
                values.extend(data([("pgbouncer-uri", uri.as_str()), ("pgbouncer-jdbc-uri", jdbc.as_str())]));
            }
        }
    }
    let own = meta::labels([(labels::ROLE, labels::ROLE_PGUSER), (labels::PGUSER, user.name.as_str())]);
    Secret {
        metadata: meta::object_meta(cluster, cluster.names.user_secret(&user.name), own, &[]),
        data: Some(values),
        ..Secret::default()
    }
}

/// The verifier that a Secret made by [`build`] holds.
#[must_use]
pub fn stored_verifier(secret: &Secret) -> Option<SecretString> {
    text(secret, VERIFIER).map(SecretString::from)
}

/// The password, where it is known, and its verifier.
fn credentials(
    user: &User,
    existing: Option<&Secret>,
    rng: &mut ThreadRng,
) -> (Option<SecretString>, SecretString) {
    let stored = |key| existing.and_then(|secret| text(secret, key));
    let verifier = stored(VERIFIER).filter(|value| !value.is_empty()).map(SecretString::from);
    let password = match (stored(PASSWORD), &verifier) {
        (Some(password), _) if !password.is_empty() => SecretString::from(password),
        (None, Some(verifier)) => return (None, verifier.clone()),
        _ => password::generate(user.password, rng),
    };
    let verifier = verifier
        .filter(|verifier| password::verifies(verifier, &password))
        .unwrap_or_else(|| password::verifier(&password));
    (Some(password), verifier)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}
