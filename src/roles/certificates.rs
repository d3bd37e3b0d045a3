//! Certificates as a part of the installation: whose they are, the rules that the inventory sets for them, and their objects.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use kube::api::DynamicObject;

use super::{Error, labels, record::dynamic};
use crate::{
    certificates::{Home, Policy, Source, Stored, decide, given::Files, store},
    inventory::{Installation, Inventory, KeyAlgorithm, Tls},
    k8s::kinds::ObjectId,
    pki::{Algorithm, Authority, not_after},
};

/// The value of [`labels::COMPONENT`] on the Secrets with certificates.
const COMPONENT: &str = "certificates";

/// Certificates that are to be in the cluster.
#[derive(Debug)]
pub struct Certificates {
    /// Their Secrets.
    pub secrets: Vec<DynamicObject>,
    /// The authority's name and the last day of its validity, for people.
    pub summary: String,
}

/// Whose certificates they are.
#[must_use]
pub fn home(installation: &Installation) -> Home {
    let mut own = labels::own(installation);
    own.remove(labels::VERSION);
    own.insert(labels::COMPONENT.to_owned(), COMPONENT.to_owned());
    Home {
        installation: installation.name.to_string(),
        namespace: installation.namespace.to_string(),
        labels: own,
        membership: labels::PART_OF,
    }
}

/// The rules that an inventory sets.
#[must_use]
pub fn policy(tls: &Tls) -> Policy {
    let source = match (&tls.authority_secret, &tls.authority_certificate) {
        (Some(secret), _) => Source::Secret(secret.to_string()),
        (None, Some(_)) => Source::Given,
        (None, None) => Source::Made,
    };
    Policy {
        source,
        algorithm: algorithm(tls.algorithm),
        authority_validity: tls.authority_validity.length(),
        certificate_validity: tls.certificate_validity.length(),
        renew_before: tls.renew_before.as_ref().map(crate::domain::duration::WrittenDuration::length),
    }
}

/// An algorithm that an inventory names.
#[must_use]
pub fn algorithm(named: KeyAlgorithm) -> Algorithm {
    match named {
        KeyAlgorithm::EcdsaP256 => Algorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384 => Algorithm::EcdsaP384,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
    }
}

/// What the operator has to know of these rules, as variables of its environment.
#[must_use]
pub fn variables(tls: &Tls) -> Vec<(&'static str, String)> {
    let Tls { algorithm, authority_validity, certificate_validity, renew_before, .. } = tls;
    let mut variables = vec![
        ("PGHERD_TLS_ALGORITHM", algorithm.as_str().to_owned()),
        ("PGHERD_TLS_AUTHORITY_VALIDITY", authority_validity.to_string()),
        ("PGHERD_TLS_CERTIFICATE_VALIDITY", certificate_validity.to_string()),
    ];
    match policy(tls).source {
        Source::Made => {}
        Source::Given => variables.push(("PGHERD_TLS_AUTHORITY_GIVEN", "true".to_owned())),
        Source::Secret(name) => variables.push(("PGHERD_TLS_AUTHORITY_SECRET", name)),
    }
    variables.extend(renew_before.as_ref().map(|before| ("PGHERD_TLS_RENEW_BEFORE", before.to_string())));
    variables
}

/// The files of an authority of the user's, if the inventory names any; `folder` is the inventory's.
#[must_use]
pub fn files(tls: &Tls, folder: &Path) -> Option<Files> {
    let (certificate, key) = tls.authority_certificate.as_ref().zip(tls.authority_key.as_ref())?;
    Some(Files { certificate: folder.join(certificate.as_str()), key: folder.join(key.as_str()) })
}

/// The Secrets of an installation, whoever makes them: they belong to it, and go with it.
#[must_use]
pub fn ids(inventory: &Inventory) -> Vec<ObjectId> {
    let (home, policy) = (home(&inventory.installation), policy(&inventory.tls));
    let authority = (!matches!(policy.source, Source::Secret(_))).then(|| home.authority_secret());
    let names = authority.into_iter().chain([home.leaf_secret()]);
    names
        .map(|name| ObjectId {
            api_version: "v1".to_owned(),
            kind: "Secret".to_owned(),
            namespace: Some(home.namespace.clone()),
            name,
        })
        .collect()
}

/// Whether an object is one of these Secrets, which are not written as other objects are.
#[must_use]
pub fn is_one(object: &DynamicObject) -> bool {
    let found = object.metadata.labels.as_ref().and_then(|labels| labels.get(labels::COMPONENT));
    found.is_some_and(|component| component == COMPONENT)
        && object.types.as_ref().is_some_and(|types| types.kind == "Secret")
}

/// Decides what the Secrets hold, from what they hold now. Pure: a caller reads them, and passes the time.
///
/// # Errors
/// When the user's authority can't be used, or a certificate can't be made.
pub fn prepare(
    inventory: &Inventory,
    stored: &Stored,
    given: Option<&Arc<Authority>>,
    now: Timestamp,
) -> Result<Certificates, Error> {
    let (home, policy) = (home(&inventory.installation), policy(&inventory.tls));
    let decision = decide(&home, &policy, stored, given, now)?;
    let live = |name: &Option<String>| {
        [&stored.authority, &stored.leaf].into_iter().flatten().find(|live| live.metadata.name == *name)
    };
    let secrets =
        decision.secrets.iter().map(|secret| dynamic(&store::over(secret, live(&secret.metadata.name))));
    let authority = &decision.authorities.current;
    let until = not_after(authority.certificate_pem())?.strftime("%Y-%m-%d").to_string();
    let mut summary = format!("authority \"{}\", valid until {until}", authority.name()?);
    if let Some(next) = &decision.authorities.next {
        summary = format!(
            "{summary}; \"{}\" is trusted too, and issues after `pgherd certs rotate-ca --reissue`",
            next.name()?
        );
    }
    Ok(Certificates { secrets: secrets.collect::<Result<_, _>>()?, summary })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::{Catalogue, Files, Live, components, record::Record};

    fn inventory(tls: &str) -> Inventory {
        let minimal = include_str!("../../inventory/minimal.toml");
        Inventory::parse("minimal.toml", &format!("{minimal}\n[tls]\n{tls}\n")).unwrap()
    }

    #[test]
    fn the_record_has_them_whoever_makes_them() {
        let listed = |tls: &str, seen: bool| {
            let inventory = inventory(tls);
            let mut live = Live::unseen(&inventory);
            live.certificates = seen.then(Stored::default);
            let catalogue = Catalogue::load(None).unwrap();
            let all = components(&catalogue, &inventory, &Files::default(), &live, Timestamp::now()).unwrap();
            let names = Record::of(&inventory, &all).objects.into_iter().filter(|id| id.kind == "Secret");
            names.map(|id| id.name).collect::<Vec<_>>()
        };
        assert_eq!(listed("", true), ["pgherd-ca", "pgherd-tls"]);
        assert_eq!(listed("", false), ["pgherd-ca", "pgherd-tls"]);
        assert_eq!(listed("authority_secret = \"company\"", false), ["pgherd-tls"]);
    }

    #[test]
    fn their_labels_are_the_installations_and_stay_with_another_version() {
        let inventory = inventory("");
        let made = prepare(&inventory, &Stored::default(), None, Timestamp::now()).unwrap();
        assert!(made.summary.starts_with("authority \"pgherd pgherd\", valid until 20"), "{}", made.summary);
        let set = labels::set_id(&inventory.installation);
        for secret in &made.secrets {
            assert!(is_one(secret) && labels::belongs(secret, &set));
            assert!(!secret.metadata.labels.as_ref().unwrap().contains_key(labels::VERSION));
        }
    }

    #[test]
    fn the_operator_is_told_the_rules_of_the_inventory() {
        let given = "authority_certificate = \"ca.crt\"\nauthority_key = \"ca.key\"\nrenew_before = \"20d\"";
        let told = variables(&inventory(given).tls);
        assert!(told.contains(&("PGHERD_TLS_AUTHORITY_GIVEN", "true".to_owned())), "{told:?}");
        assert!(told.contains(&("PGHERD_TLS_RENEW_BEFORE", "20d".to_owned())), "{told:?}");
        assert_eq!(policy(&inventory(given).tls).source, Source::Given);
        let secret = policy(&inventory("authority_secret = \"company\"").tls);
        assert_eq!(secret.source, Source::Secret("company".to_owned()));
    }
}
