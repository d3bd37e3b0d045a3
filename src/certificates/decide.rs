//! What the two Secrets are to hold, from what they hold. Pure: time and contents are arguments.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    AUTHORITY_CERTIFICATE, Error, Home, KEYS, LEAF_CERTIFICATE, LEAF_KEY, Policy, Source, bytes, entry,
    named, secret,
};
use crate::pki::{
    Authorities, Authority, BACKDATED_SECONDS, Facts, Leaf, Terms, before, certificates, expired, not_after,
};

/// What is in the cluster.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The Secret with the authority: the installation's, or the one that the inventory names.
    pub authority: Option<Secret>,
    /// The Secret with the operator's certificate.
    pub leaf: Option<Secret>,
}

/// What is to be in the cluster.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The authorities.
    pub authorities: Authorities,
    /// The operator's certificate.
    pub leaf: Leaf,
    /// Their Secrets, the authority's first. That of an authority in a Secret of the user's is none of ours.
    pub secrets: Vec<Secret>,
    /// When the operator's certificate is renewed; none when a new one would not live longer.
    pub renewal: Option<Timestamp>,
    /// When to decide again; none when time changes nothing any more.
    pub due: Option<Timestamp>,
}

/// Decides what the Secrets are to hold. `given` is the authority from the user's files, for whoever has them.
///
/// # Errors
/// When the user's authority is missing or can't be used, or a certificate can't be made.
pub fn decide(
    home: &Home,
    policy: &Policy,
    stored: &Stored,
    given: Option<&Arc<Authority>>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let authorities = authorities(home, policy, stored.authority.as_ref(), given, now)?;
    let leaf = stored.leaf.as_ref().and_then(stored_leaf);
    settle(home, policy, authorities, leaf, now)
}

fn authorities(
    home: &Home,
    policy: &Policy,
    stored: Option<&Secret>,
    given: Option<&Arc<Authority>>,
    now: Timestamp,
) -> Result<Authorities, Error> {
    let place = named(home, &policy.authority_secret(home));
    let found = stored.map(|secret| super::authorities(secret, &place));
    match &policy.source {
        Source::Made => {
            // A damaged one is replaced. Nothing verifies against it any more.
            let mut found = match found {
                Some(Ok(found)) => found,
                Some(Err(_)) | None => Authorities::first(&policy.rules(home), now)?,
            };
            found.age(&policy.rules(home), now)?;
            Ok(found)
        }
        Source::Given => match (found, given) {
            (Some(Ok(found)), Some(given)) => {
                usable(given, "the file that tls.authority_certificate names", now)?;
                Ok(succeed(found, given, now))
            }
            (_, Some(given)) => {
                usable(given, "the file that tls.authority_certificate names", now)?;
                Ok(Authorities::only(Arc::clone(given)))
            }
            (Some(found), None) => {
                let found = found?;
                usable(&found.current, &place, now)?;
                Ok(found)
            }
            (None, None) => Err(Error::Missing { place }),
        },
        Source::Secret(_) => {
            let found = found.ok_or_else(|| Error::Missing { place: place.clone() })??;
            usable(&found.current, &place, now)?;
            Ok(Authorities::only(found.current))
        }
    }
}

/// Takes an authority of the user's in. One that comes after another is trusted at first, and issues when the user says so:
/// clients that don't know it yet would be cut off.
fn succeed(mut found: Authorities, given: &Arc<Authority>, now: Timestamp) -> Authorities {
    if found.current.same(given) {
        // Certificates that are trusted with it may have come or gone.
        found.current = Arc::clone(given);
        found.next = None;
    } else if expired(found.current.certificate_pem(), now) {
        found = Authorities::only(Arc::clone(given));
    } else {
        found.next = Some(Arc::clone(given));
    }
    found.previous = found.previous.take().filter(|previous| !expired(previous, now));
    found
}

/// Whether an authority may issue now; `place` is what errors call where it is.
pub(super) fn usable(authority: &Authority, place: &str, now: Timestamp) -> Result<(), Error> {
    let facts = Facts::read(authority.certificate_pem())?;
    let (place, subject) = (place.to_owned(), facts.subject);
    if facts.not_after <= now {
        return Err(Error::Expired { place, subject, since: facts.not_after });
    }
    if facts.not_before > now {
        return Err(Error::NotYet { place, subject, from: facts.not_before });
    }
    Ok(())
}

/// What the Secrets are to hold for these authorities. A leaf that is still good is kept.
///
/// # Errors
/// When a leaf can't be issued.
pub fn settle(
    home: &Home,
    policy: &Policy,
    authorities: Authorities,
    leaf: Option<Leaf>,
    now: Timestamp,
) -> Result<Decision, Error> {
    let issuer = Facts::read(authorities.current.certificate_pem())?;
    let request = home.request();
    let kept = leaf.filter(|leaf| {
        leaf.fits(&request, &authorities.current)
            && leaf.is_of(policy.algorithm)
            && not_after(&leaf.certificate_pem).is_ok_and(|end| end > now)
            && renewal(leaf, &issuer, policy).is_none_or(|due| now < due)
    });
    let leaf = match kept {
        Some(leaf) => leaf,
        None => issue(home, policy, &authorities.current, &issuer, now)?,
    };
    let chain = authorities.current.chain_pem();
    let certificate = certificates(&leaf.certificate_pem).next().unwrap_or_default();
    let data = BTreeMap::from([
        (AUTHORITY_CERTIFICATE.to_owned(), bytes(&authorities.bundle())),
        (LEAF_CERTIFICATE.to_owned(), bytes(&format!("{certificate}\n{chain}"))),
        (LEAF_KEY.to_owned(), bytes(leaf.key_pem.expose_secret())),
    ]);
    let mut secrets = Vec::new();
    if !matches!(policy.source, Source::Secret(_)) {
        let entries = authorities.entries(&KEYS).into_iter();
        let data = entries.map(|(key, text)| (key.to_owned(), bytes(text))).collect();
        secrets.push(secret(home, home.authority_secret(), "Opaque", data));
    }
    secrets.push(secret(home, home.leaf_secret(), "kubernetes.io/tls", data));
    let renewal = renewal(&leaf, &issuer, policy);
    let turn = (policy.source == Source::Made).then(|| authorities.due(&policy.rules(home))).flatten();
    // When the user's authority has expired there is something to say.
    let end = (policy.source != Source::Made && issuer.not_after > now).then_some(issuer.not_after);
    let due = [renewal, turn, end].into_iter().flatten().min();
    Ok(Decision { authorities, leaf, secrets, renewal, due })
}

fn issue(
    home: &Home,
    policy: &Policy,
    authority: &Authority,
    issuer: &Facts,
    now: Timestamp,
) -> Result<Leaf, Error> {
    // No certificate outlives its issuer; saying that it does would only hide when it ends.
    let left = Duration::try_from(now.duration_until(issuer.not_after)).unwrap_or_default();
    let terms = Terms { algorithm: policy.algorithm, validity: policy.certificate_validity.min(left) };
    let request = home.request();
    let leaf = authority.issue(&request, now, terms)?;
    // What isn't recognized now would be issued anew each time somebody looks.
    if !leaf.fits(&request, authority) {
        let place = named(home, &policy.authority_secret(home));
        return Err(Error::CantIssue { place, subject: issuer.subject.clone() });
    }
    Ok(leaf)
}

/// When a leaf is to be renewed. Not at all, when it lives as long as its issuer: a new one would not live longer.
#[must_use]
pub fn renewal(leaf: &Leaf, issuer: &Facts, policy: &Policy) -> Option<Timestamp> {
    let facts = Facts::read(&leaf.certificate_pem).ok()?;
    if facts.not_after >= issuer.not_after {
        return None;
    }
    let lifetime = facts.lifetime().as_secs();
    let wanted = policy.renew_before.and_then(|length| i64::try_from(length.as_secs()).ok());
    // Whatever the rule says, a certificate isn't due before it has lived for a while.
    let longest = (lifetime - lifetime / 10 - BACKDATED_SECONDS).max(0);
    Some(before(facts.not_after, wanted.map_or(lifetime / 3, |wanted| wanted.min(longest))))
}

/// The leaf that a Secret holds.
pub(super) fn stored_leaf(secret: &Secret) -> Option<Leaf> {
    Some(Leaf {
        certificate_pem: entry(secret, LEAF_CERTIFICATE)?,
        key_pem: SecretString::from(entry(secret, LEAF_KEY)?),
    })
}

impl Stored {
    /// The operator's certificate, if there is one.
    #[must_use]
    pub fn leaf(&self) -> Option<Leaf> {
        self.leaf.as_ref().and_then(stored_leaf)
    }
}

impl Decision {
    /// The Secrets that differ from what is there, with what is there. Those of somebody else are left alone.
    #[must_use]
    pub fn writes<'a>(&'a self, home: &Home, stored: &'a Stored) -> Vec<(&'a Secret, Option<&'a Secret>)> {
        let there = |secret: &Secret| {
            let live = [&stored.authority, &stored.leaf].into_iter().flatten();
            live.into_iter().find(|live| live.metadata.name == secret.metadata.name)
        };
        self.secrets
            .iter()
            .map(|secret| (secret, there(secret)))
            .filter(|(secret, live)| live.is_none_or(|live| home.owns(live) && differs(secret, live)))
            .collect()
    }
}

fn differs(wanted: &Secret, live: &Secret) -> bool {
    let labelled = |(key, value): (&String, &String)| {
        live.metadata.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value)
    };
    wanted.data != live.data || !wanted.metadata.labels.iter().flatten().all(labelled)
}
