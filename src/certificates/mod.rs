//! The certificates of an installation: its authority, and the certificate of the operator's endpoint.
//!
//! They live in two Secrets of the operator's namespace. The installer makes them when they are missing, the operator makes
//! them when nobody did and renews them, and `pgherd certs` works on them. All three decide by the same pure function
//! ([`decide`]) and write as the same field manager ([`store`]), so that nobody undoes what another one did.

mod decide;
pub mod given;
pub mod served;
pub mod store;

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};

pub use self::decide::{Decision, Stored, decide, renewal, settle};
use crate::pki::{self, Algorithm, Authorities, Keys, LeafRequest, Rules, Terms, Unusable, Usage};

/// Keys of the Secret with the authority. What is in `ca.crt` and `ca.key` issues certificates.
pub const AUTHORITY_CERTIFICATE: &str = "ca.crt";
/// The key of the authority that issues.
pub const AUTHORITY_KEY: &str = "ca.key";
/// An authority that is trusted already and will issue.
pub const NEXT_CERTIFICATE: &str = "ca-next.crt";
/// Its key.
pub const NEXT_KEY: &str = "ca-next.key";
/// An authority that issues no more and is trusted still. Its key is gone.
pub const PREVIOUS_CERTIFICATE: &str = "ca-previous.crt";
/// All of them.
pub const KEYS: Keys = Keys {
    certificate: AUTHORITY_CERTIFICATE,
    key: AUTHORITY_KEY,
    next_certificate: NEXT_CERTIFICATE,
    next_key: NEXT_KEY,
    previous_certificate: PREVIOUS_CERTIFICATE,
};

/// Keys of the Secret with the operator's certificate; [`AUTHORITY_CERTIFICATE`] in it holds all authorities to trust.
pub const LEAF_CERTIFICATE: &str = "tls.crt";
/// The key of the operator's certificate.
pub const LEAF_KEY: &str = "tls.key";

/// Whose certificates they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The installation's name.
    pub installation: String,
    /// The operator's namespace.
    pub namespace: String,
    /// Labels of the Secrets. None of them changes with the version of pgherd: two versions at work would undo each other.
    pub labels: BTreeMap<String, String>,
    /// The label among these that tells the installation's own objects.
    pub membership: &'static str,
}

impl Home {
    /// The Secret that holds the authority and, alone, its key.
    #[must_use]
    pub fn authority_secret(&self) -> String {
        format!("{}-ca", self.installation)
    }

    /// The Secret that holds the certificate of the operator's endpoint.
    #[must_use]
    pub fn leaf_secret(&self) -> String {
        format!("{}-tls", self.installation)
    }

    /// The Service by whose name the operator's endpoint is reached.
    #[must_use]
    pub fn service(&self) -> String {
        format!("{}-metrics", self.installation)
    }

    /// What the operator's certificate has to say: every name by which a client in the cluster may call the Service.
    #[must_use]
    pub fn request(&self) -> LeafRequest {
        let (service, namespace) = (self.service(), &self.namespace);
        LeafRequest {
            dns_names: ["", ".svc", ".svc.cluster.local"]
                .iter()
                .map(|suffix| format!("{service}.{namespace}{suffix}"))
                .chain([service.clone()])
                .collect(),
            common_name: service,
            usage: Usage::Server,
        }
    }

    /// Whether a Secret is the installation's own. One of somebody else is used as it is, and never written.
    #[must_use]
    pub fn owns(&self, secret: &Secret) -> bool {
        let found = secret.metadata.labels.as_ref().and_then(|labels| labels.get(self.membership));
        found.is_some() && found == self.labels.get(self.membership)
    }
}

/// Where the authority comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// pgherd makes it, and a new one before it expires.
    Made,
    /// The user's, from files. The installer puts it into the Secret, and nobody else replaces it.
    Given,
    /// The user's, in a Secret of this name, which pgherd only reads.
    Secret(String),
}

/// How certificates are made and renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where the authority comes from.
    pub source: Source,
    /// The algorithm of new keys.
    pub algorithm: Algorithm,
    /// How long an authority is valid that pgherd makes.
    pub authority_validity: Duration,
    /// How long a certificate is valid.
    pub certificate_validity: Duration,
    /// How long before its end a certificate is renewed; a third of its validity if nothing is said.
    pub renew_before: Option<Duration>,
}

impl Policy {
    /// The name of the Secret that the authority is in.
    #[must_use]
    pub fn authority_secret(&self, home: &Home) -> String {
        match &self.source {
            Source::Secret(name) => name.clone(),
            Source::Made | Source::Given => home.authority_secret(),
        }
    }

    /// How the authority is replaced.
    #[must_use]
    pub fn rules(&self, home: &Home) -> Rules {
        Rules {
            name: format!("pgherd {}", home.installation),
            terms: Terms { algorithm: self.algorithm, validity: self.authority_validity },
            certificate_validity: self.certificate_validity,
        }
    }
}

/// Reads the authorities from their Secret; `place` is what errors call it.
///
/// # Errors
/// When there is none that could issue.
pub fn authorities(secret: &Secret, place: &str) -> Result<Authorities, Error> {
    Authorities::read(&KEYS, |key| entry(secret, key)).map_err(|unusable| match unusable {
        Unusable::Missing(key) => Error::Incomplete { place: place.to_owned(), key },
        Unusable::Broken(source) => Error::Unusable { place: place.to_owned(), source },
    })
}

/// Why there are no certificates. Nothing here holds a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret with the user's authority isn't there.
    #[error("there is no {place} with the authority that the inventory names")]
    Missing {
        /// The Secret.
        place: String,
    },
    /// Something isn't in it.
    #[error("{place} has no {key}")]
    Incomplete {
        /// The Secret.
        place: String,
        /// What is missing.
        key: &'static str,
    },
    /// What is there is no authority that works.
    #[error("the authority in {place} can't be used: {source}")]
    Unusable {
        /// Where it is.
        place: String,
        /// Why.
        source: pki::Error,
    },
    /// It is too old.
    #[error("the authority {subject:?} in {place} expired at {since}")]
    Expired {
        /// Where it is.
        place: String,
        /// Its name.
        subject: String,
        /// When.
        since: Timestamp,
    },
    /// It is too new.
    #[error("the authority {subject:?} in {place} is not valid before {from}")]
    NotYet {
        /// Where it is.
        place: String,
        /// Its name.
        subject: String,
        /// From when on.
        from: Timestamp,
    },
    /// What it issues isn't recognized as its own.
    #[error(
        "certificates issued by the authority {subject:?} in {place} don't verify against it: its name has parts that \
         can't be copied"
    )]
    CantIssue {
        /// Where it is.
        place: String,
        /// Its name.
        subject: String,
    },
    /// A file can't be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// A key is for everybody to see.
    #[error("{file} can be read by others (mode {mode:o})")]
    Exposed {
        /// The file with the key.
        file: String,
        /// Its permissions.
        mode: u32,
    },
    /// A certificate can't be made.
    #[error(transparent)]
    Pki(#[from] pki::Error),
}

/// The text under a key of a Secret; none when it is absent or isn't text.
#[must_use]
pub fn entry(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
}

/// A Secret as messages name it.
fn named(home: &Home, name: &str) -> String {
    format!("secret {}/{name}", home.namespace)
}

fn secret(home: &Home, name: String, kind: &str, data: BTreeMap<String, ByteString>) -> Secret {
    let mut secret = Secret { type_: Some(kind.to_owned()), data: Some(data), ..Secret::default() };
    secret.metadata.name = Some(name);
    secret.metadata.namespace = Some(home.namespace.clone());
    secret.metadata.labels = Some(home.labels.clone());
    secret
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests;
