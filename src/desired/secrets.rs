//! Secrets with certificates. What is stored is kept as long as it serves; everything else is made anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    cluster::{Cluster, InstanceSet},
    meta::{self, Labels},
};
use crate::{
    api::labels,
    domain::{
        cluster_names::{InstanceName, ROOT_AUTHORITY_SECRET},
        hba,
    },
    pki::{self, Authorities, Authority, Keys, Leaf, LeafRequest, Rules, Usage, merged},
};

/// Name of the domain that Kubernetes clusters have unless somebody chose another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The certificate of a namespace's authority, in its Secret.
pub const ROOT_CERTIFICATE: &str = "root.crt";

/// What the Secret of a namespace's authority holds.
pub const ROOT_KEYS: Keys = Keys {
    certificate: ROOT_CERTIFICATE,
    key: "root.key",
    next_certificate: "root-next.crt",
    next_key: "root-next.key",
    previous_certificate: "root-previous.crt",
};

/// Keys of a Secret that holds a certificate, as `kubernetes.io/tls` names them.
pub const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// What a client has to trust.
pub const ROOTS: &str = "ca.crt";

/// Keys of the Secret with the certificate of an instance's Patroni API.
pub const PATRONI_ROOTS: &str = "patroni.ca-roots";
/// Certificate and key in one, as Patroni reads them.
pub const PATRONI_COMBINED: &str = "patroni.crt-combined";

/// How the authorities of a namespace follow each other.
#[must_use]
pub fn rules(namespace: &str) -> Rules {
    Rules {
        name: format!("pgherd {namespace}"),
        terms: pki::Terms::AUTHORITY,
        certificate_validity: pki::Terms::LEAF.validity,
    }
}

/// The authorities of a namespace as their Secret holds them; none when the one that issues can't be used.
#[must_use]
pub fn stored_authorities(secret: &Secret) -> Option<Authorities> {
    Authorities::read(&ROOT_KEYS, |key| text(secret, key)).ok()
}

/// The authorities of a namespace: the stored ones, and what time makes of them. When there are none, or they can't be used,
/// there is a new one; what the cluster has trusted until now (`trusted`) is trusted still, so that instances with
/// certificates of the one that is lost and of the new one understand each other.
///
/// # Errors
/// When a new authority can't be made.
pub fn authorities(
    namespace: &str,
    existing: Option<&Secret>,
    trusted: Option<&str>,
    now: Timestamp,
) -> Result<Authorities, pki::Error> {
    let rules = rules(namespace);
    let mut authorities = match existing.and_then(stored_authorities) {
        Some(stored) => stored,
        None => Authorities {
            previous: trusted.map(|roots| merged([roots])).filter(|roots| !roots.is_empty()),
            ..Authorities::first(&rules, now)?
        },
    };
    authorities.age(&rules, now)?;
    Ok(authorities)
}

/// The Secret of the namespace's authority. It is owned by every cluster of the namespace and goes with the last one.
#[must_use]
pub fn root_authority(cluster: &Cluster, existing: Option<&Secret>, authorities: &Authorities) -> Secret {
    let mut owners: BTreeMap<String, OwnerReference> = existing
        .and_then(|secret| secret.metadata.owner_references.clone())
        .unwrap_or_default()
        .into_iter()
        .map(|owner| (owner.uid.clone(), owner))
        .collect();
    // No cluster controls what all of them share.
    let owner = OwnerReference { controller: None, block_owner_deletion: None, ..cluster.owner.clone() };
    owners.insert(owner.uid.clone(), owner);
    root_secret(&cluster.namespace, owners.into_values().collect(), existing, authorities)
}

/// The Secret `existing` with other authorities in it.
#[must_use]
pub fn with_authorities(existing: &Secret, authorities: &Authorities) -> Secret {
    let namespace = existing.metadata.namespace.clone().unwrap_or_default();
    let owners = existing.metadata.owner_references.clone().unwrap_or_default();
    root_secret(&namespace, owners, Some(existing), authorities)
}

/// Several clusters write this Secret, and `pgherd certs`: whoever has not read what it is to replace is refused.
fn root_secret(
    namespace: &str,
    owners: Vec<OwnerReference>,
    existing: Option<&Secret>,
    authorities: &Authorities,
) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(ROOT_AUTHORITY_SECRET.to_owned()),
            namespace: Some(namespace.to_owned()),
            owner_references: Some(owners),
            uid: existing.and_then(|secret| secret.metadata.uid.clone()),
            resource_version: existing.and_then(|secret| secret.metadata.resource_version.clone()),
            ..ObjectMeta::default()
        },
        data: Some(data(authorities.entries(&ROOT_KEYS))),
        ..Secret::default()
    }
}

/// The certificate that PostgreSQL shows to clients. It names every Service that leads to the cluster. Besides the namespace's
/// authorities it comes with `others`, which instances with certificates of the user's have.
///
/// # Errors
/// When the certificate can't be made.
pub fn server_certificate(
    cluster: &Cluster,
    authorities: &Authorities,
    others: &str,
    existing: Option<&Secret>,
    now: Timestamp,
) -> Result<Secret, pki::Error> {
    let services = [cluster.names.primary_service(), cluster.names.replica_service(), cluster.names.leader()];
    let request = LeafRequest {
        common_name: cluster.names.primary_service(),
        dns_names: services.iter().flat_map(|service| service_names(service, &cluster.namespace)).collect(),
        usage: Usage::Server,
    };
    let own = meta::labels([(labels::CLUSTER_CERTIFICATE, labels::CERTIFICATE_SERVER)]);
    certificate(
        cluster,
        cluster.names.server_certificate(),
        own,
        (authorities, others),
        existing,
        &request,
        now,
    )
}

/// The certificate that replicas authenticate with: its common name is their role's. `others` are trusted, too.
///
/// # Errors
/// When the certificate can't be made.
pub fn replication_certificate(
    cluster: &Cluster,
    authorities: &Authorities,
    others: &str,
    existing: Option<&Secret>,
    now: Timestamp,
) -> Result<Secret, pki::Error> {
    let request = LeafRequest {
        common_name: hba::REPLICATION_USER.to_owned(),
        dns_names: Vec::new(),
        usage: Usage::Client,
    };
    let own = meta::labels([(labels::CLUSTER_CERTIFICATE, labels::CERTIFICATE_REPLICATION)]);
    certificate(
        cluster,
        cluster.names.replication_certificate(),
        own,
        (authorities, others),
        existing,
        &request,
        now,
    )
}

/// The certificate of an instance's Patroni API, which is also what Patroni's own tools show to other instances.
///
/// # Errors
/// When the certificate can't be made.
pub fn instance_certificates(
    cluster: &Cluster,
    set: &InstanceSet,
    instance: &InstanceName,
    authorities: &Authorities,
    existing: Option<&Secret>,
    now: Timestamp,
) -> Result<Secret, pki::Error> {
    let host = format!("{}.{}", instance.pod(), cluster.names.pod_service());
    let request = LeafRequest {
        common_name: instance.pod(),
        dns_names: service_names(&host, &cluster.namespace),
        usage: Usage::Both,
    };
    let stored = existing.and_then(|secret| {
        let combined = text(secret, PATRONI_COMBINED)?;
        let key_start = combined.find("-----BEGIN PRIVATE KEY-----")?;
        let (certificate, key) = combined.split_at(key_start);
        Some(Leaf { certificate_pem: certificate.to_owned(), key_pem: SecretString::from(key) })
    });
    let leaf = keep_or_issue(stored, &authorities.current, &request, now)?;
    let combined = format!("{}{}", leaf.certificate_pem, leaf.key_pem.expose_secret());
    Ok(Secret {
        metadata: meta::object_meta(
            cluster,
            instance.certificates(),
            meta::instance_labels(&set.name, instance),
            &[],
        ),
        data: Some(data([
            (PATRONI_ROOTS, authorities.bundle().as_str()),
            (PATRONI_COMBINED, combined.as_str()),
        ])),
        ..Secret::default()
    })
}

fn certificate(
    cluster: &Cluster,
    name: String,
    own: Labels,
    (authorities, others): (&Authorities, &str),
    existing: Option<&Secret>,
    request: &LeafRequest,
    now: Timestamp,
) -> Result<Secret, pki::Error> {
    let stored = existing.and_then(|secret| {
        Some(Leaf {
            certificate_pem: text(secret, CERTIFICATE)?,
            key_pem: SecretString::from(text(secret, KEY)?),
        })
    });
    let leaf = keep_or_issue(stored, &authorities.current, request, now)?;
    Ok(Secret {
        metadata: meta::object_meta(cluster, name, own, &[]),
        data: Some(data([
            (CERTIFICATE, leaf.certificate_pem.as_str()),
            (KEY, leaf.key_pem.expose_secret()),
            (ROOTS, merged([authorities.bundle().as_str(), others]).as_str()),
        ])),
        ..Secret::default()
    })
}

/// A certificate for the Service `service` of the cluster, which clients see: the stored one, its key after it, as long as it
/// serves.
///
/// # Errors
/// When the certificate can't be made.
pub(super) fn service_certificate(
    cluster: &Cluster,
    service: &str,
    authorities: &Authorities,
    stored: Option<(String, String)>,
    now: Timestamp,
) -> Result<Leaf, pki::Error> {
    let request = LeafRequest {
        common_name: service.to_owned(),
        dns_names: service_names(service, &cluster.namespace),
        usage: Usage::Server,
    };
    let stored =
        stored.map(|(certificate_pem, key)| Leaf { certificate_pem, key_pem: SecretString::from(key) });
    keep_or_issue(stored, &authorities.current, &request, now)
}

fn keep_or_issue(
    stored: Option<Leaf>,
    authority: &Authority,
    request: &LeafRequest,
    now: Timestamp,
) -> Result<Leaf, pki::Error> {
    match stored {
        Some(leaf) if leaf.satisfies(request, authority, now) => Ok(leaf),
        _ => authority.issue(request, now, pki::Terms::LEAF),
    }
}

/// The names by which a Service (or a pod behind a headless one) is reached, the shortest last.
fn service_names(host: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{host}.{namespace}.svc.{CLUSTER_DOMAIN}"),
        format!("{host}.{namespace}.svc"),
        format!("{host}.{namespace}"),
        host.to_owned(),
    ]
}

/// The text under `key` of a Secret; none when it is absent or isn't text.
#[must_use]
pub fn text(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
}

/// Values of a Secret.
#[must_use]
pub fn data<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, ByteString> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).collect()
}
