//! The installation's authority and the certificate of the operator's endpoint: kept while they are good, made anew when
//! they are missing, damaged, or in the last third of their time.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::Error;
use crate::{
    inventory::Installation,
    pki::{AUTHORITY_DAYS, Authority, LEAF_DAYS, Leaf, LeafRequest, Usage, not_after, renewal_due},
};

const AUTHORITY_CERTIFICATE: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const LEAF_CERTIFICATE: &str = "tls.crt";
const LEAF_KEY: &str = "tls.key";

/// The Secret that holds the authority and, alone, its key.
#[must_use]
pub fn authority_name(installation: &Installation) -> String {
    format!("{}-ca", installation.name)
}

/// The Secret that holds the certificate of the operator's endpoint.
#[must_use]
pub fn leaf_name(installation: &Installation) -> String {
    format!("{}-tls", installation.name)
}

/// The Service by whose name the operator's endpoint is reached.
#[must_use]
pub fn service_name(installation: &Installation) -> String {
    format!("{}-metrics", installation.name)
}

/// Certificates that are to be in the cluster.
#[derive(Debug)]
pub struct Certificates {
    /// The two Secrets.
    pub secrets: Vec<DynamicObject>,
    /// The authority's name and the last day of its validity, for people.
    pub summary: String,
}

/// Decides what the two Secrets hold, from what they hold now. Pure: a caller reads them, and passes the time.
///
/// # Errors
/// When a certificate can't be made.
pub fn prepare(
    installation: &Installation,
    authority: Option<&DynamicObject>,
    leaf: Option<&DynamicObject>,
    now: Timestamp,
) -> Result<Certificates, Error> {
    let common_name = format!("pgherd {}", installation.name);
    let authority = match authority.and_then(stored_authority) {
        Some(kept) if !renewal_due(kept.certificate_pem(), now).unwrap_or(true) => kept,
        _ => Authority::generate(&common_name, now, AUTHORITY_DAYS)?,
    };
    let request = LeafRequest {
        common_name: service_name(installation),
        dns_names: dns_names(installation),
        usage: Usage::Server,
    };
    let leaf = match leaf.and_then(stored_leaf) {
        Some(kept) if kept.satisfies(&request, &authority, now) => kept,
        _ => authority.issue(&request, now, LEAF_DAYS)?,
    };
    let until = not_after(authority.certificate_pem())?.strftime("%Y-%m-%d").to_string();
    let authority_data = json!({
        AUTHORITY_CERTIFICATE: STANDARD.encode(authority.certificate_pem()),
        AUTHORITY_KEY: STANDARD.encode(authority.key_pem().expose_secret()),
    });
    let leaf_data = json!({
        AUTHORITY_CERTIFICATE: STANDARD.encode(authority.certificate_pem()),
        LEAF_CERTIFICATE: STANDARD.encode(&leaf.certificate_pem),
        LEAF_KEY: STANDARD.encode(leaf.key_pem.expose_secret()),
    });
    Ok(Certificates {
        secrets: vec![
            secret(installation, &authority_name(installation), "Opaque", &authority_data),
            secret(installation, &leaf_name(installation), "kubernetes.io/tls", &leaf_data),
        ],
        summary: format!("authority \"{common_name}\", valid until {until}"),
    })
}

/// Every name by which a client in the cluster may call the Service.
fn dns_names(installation: &Installation) -> Vec<String> {
    let (service, namespace) = (service_name(installation), &installation.namespace);
    ["", ".svc", ".svc.cluster.local"]
        .iter()
        .map(|suffix| format!("{service}.{namespace}{suffix}"))
        .chain([service.clone()])
        .collect()
}

fn stored_authority(secret: &DynamicObject) -> Option<Authority> {
    let key = SecretString::from(entry(secret, AUTHORITY_KEY)?);
    Authority::from_pem(&entry(secret, AUTHORITY_CERTIFICATE)?, key).ok()
}

fn stored_leaf(secret: &DynamicObject) -> Option<Leaf> {
    Some(Leaf {
        certificate_pem: entry(secret, LEAF_CERTIFICATE)?,
        key_pem: SecretString::from(entry(secret, LEAF_KEY)?),
    })
}

fn entry(secret: &DynamicObject, key: &str) -> Option<String> {
    let encoded = secret.data.get("data")?.get(key)?.as_str()?;
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

pub(super) fn secret(installation: &Installation, name: &str, kind: &str, data: &Value) -> DynamicObject {
    let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
    DynamicObject::new(name, &resource)
        .within(installation.namespace.as_str())
        .data(json!({"type": kind, "data": data}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation() -> Installation {
        Installation { name: "pgo".parse().unwrap(), namespace: "home".parse().unwrap(), debug: false }
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    #[test]
    fn good_certificates_are_kept_to_the_letter() {
        let first = prepare(&installation(), None, None, at(0)).unwrap();
        let again =
            prepare(&installation(), Some(&first.secrets[0]), Some(&first.secrets[1]), at(10)).unwrap();
        assert_eq!(again.secrets[0].data, first.secrets[0].data);
        assert_eq!(again.secrets[1].data, first.secrets[1].data);
        assert!(first.summary.starts_with("authority \"pgherd pgo\", valid until 20"), "{}", first.summary);
    }

    #[test]
    fn a_leaf_in_its_last_third_is_renewed_by_the_same_authority() {
        let first = prepare(&installation(), None, None, at(0)).unwrap();
        let later =
            prepare(&installation(), Some(&first.secrets[0]), Some(&first.secrets[1]), at(300)).unwrap();
        assert_eq!(later.secrets[0].data, first.secrets[0].data);
        assert_ne!(later.secrets[1].data, first.secrets[1].data);
    }

    #[test]
    fn damaged_or_foreign_certificates_are_made_anew() {
        let first = prepare(&installation(), None, None, at(0)).unwrap();
        let other = prepare(&installation(), None, None, at(0)).unwrap();
        let mixed =
            prepare(&installation(), Some(&first.secrets[0]), Some(&other.secrets[1]), at(1)).unwrap();
        assert_eq!(mixed.secrets[0].data, first.secrets[0].data);
        assert_ne!(mixed.secrets[1].data, other.secrets[1].data);
        let mut damaged = first.secrets[0].clone();
        damaged.data["data"]["ca.crt"] = json!("AAAA");
        assert!(prepare(&installation(), Some(&damaged), None, at(1)).is_ok());
    }
}
