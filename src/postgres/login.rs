//! What a client needs to log in: from the Secrets that a cluster's users are given. Pure.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    api::{labels, postgres_cluster::PostgresCluster},
    desired::secrets::text,
    domain::cluster_names::ClusterNames,
};

/// The database that every PostgreSQL has.
const MAINTENANCE: &str = "postgres";

/// How to log in as one user. Its `Debug` form doesn't hold the password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password.
    pub password: SecretString,
}

/// Why a Secret is of no use for logging in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No user name.
    #[error("it has no key \"user\"")]
    NoUser,
    /// Somebody keeps the password elsewhere.
    #[error("it has no password: whoever set its verifier keeps the password elsewhere")]
    NoPassword,
}

impl Login {
    /// Reads the Secret of a user; `database` wins over the one it names.
    ///
    /// # Errors
    /// When it lacks the name or the password.
    pub fn read(secret: &Secret, database: Option<&str>) -> Result<Self, LoginError> {
        let password = text(secret, "password").filter(|password| !password.is_empty());
        Ok(Self {
            user: text(secret, "user").ok_or(LoginError::NoUser)?,
            database: database
                .map(str::to_owned)
                .or_else(|| text(secret, "dbname"))
                .unwrap_or_else(|| MAINTENANCE.to_owned()),
            password: password.ok_or(LoginError::NoPassword)?.into(),
        })
    }

    /// A password file of libpq that answers for every host, which is one line.
    #[must_use]
    pub fn password_file(&self) -> SecretString {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        format!("*:*:*:{}:{}\n", escaped(&self.user), escaped(self.password.expose_secret())).into()
    }
}

/// The user that is meant when none is named: the first that the cluster describes, or the one that a cluster which
/// describes none is given.
#[must_use]
pub fn default_user(cluster: &PostgresCluster) -> Option<String> {
    match cluster.spec.users.as_deref() {
        None => Some(cluster.name_any()),
        Some(users) => users.first().map(|user| user.name.clone()),
    }
}

/// The user whose Secret this is.
#[must_use]
pub fn user_of(secret: &Secret) -> Option<&str> {
    secret.labels().get(labels::PGUSER).map(String::as_str)
}

/// The Secret with the certificate of the authority that signed the server's, and the key it is under.
#[must_use]
pub fn authority_of(cluster: &PostgresCluster) -> (String, String) {
    certificate_file(cluster, "ca.crt")
}

/// The Secret with the certificate that the server shows, and the key it is under.
#[must_use]
pub fn certificate_of(cluster: &PostgresCluster) -> (String, String) {
    certificate_file(cluster, "tls.crt")
}

/// Where the user's own certificates are, or else the operator's.
fn certificate_file(cluster: &PostgresCluster, file: &str) -> (String, String) {
    match &cluster.spec.custom_tls_secret {
        Some(custom) => {
            let item = custom.items.iter().flatten().find(|item| item.path == file);
            (custom.name.clone(), item.map_or_else(|| file.to_owned(), |item| item.key.clone()))
        }
        None => (ClusterNames::new(&cluster.name_any()).server_certificate(), file.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::secrets::data;

    fn secret(pairs: &[(&str, &str)]) -> Secret {
        Secret { data: Some(data(pairs.iter().copied())), ..Secret::default() }
    }

    #[test]
    fn a_login_is_what_the_secret_says_but_for_the_database_that_was_asked_for() {
        let secret = secret(&[("user", "app"), ("password", "p"), ("dbname", "orders")]);
        assert_eq!(Login::read(&secret, None).unwrap().database, "orders");
        assert_eq!(Login::read(&secret, Some("other")).unwrap().database, "other");
    }

    #[test]
    fn a_secret_without_a_password_says_so() {
        let error = Login::read(&secret(&[("user", "app"), ("verifier", "SCRAM")]), None).unwrap_err();
        assert_eq!(error, LoginError::NoPassword);
    }

    #[test]
    fn no_password_can_leave_its_line() {
        let secret = secret(&[("user", "a:b"), ("password", r"x\y:z")]);
        let login = Login::read(&secret, None).unwrap();
        assert_eq!(login.database, "postgres");
        assert_eq!(login.password_file().expose_secret(), "*:*:*:a\\:b:x\\\\y\\:z\n");
        assert!(!format!("{login:?}").contains("y:z"));
    }
}
