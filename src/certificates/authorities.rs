//! The authorities of an installation: the one that issues, one that will, and one that did. All of them are trusted, so
//! that clients have time to learn of a new one before it issues, and of the end of an old one after it did.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    AUTHORITY_CERTIFICATE, AUTHORITY_KEY, Error, Home, NEXT_CERTIFICATE, NEXT_KEY, PREVIOUS_CERTIFICATE,
    Policy, bytes, entry,
};
use crate::pki::{self, Authority, Facts, Terms, merged};

/// Authorities as they are in their Secret.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// The one that issues.
    pub current: Arc<Authority>,
    /// The one that will, and is trusted already.
    pub next: Option<Arc<Authority>>,
    /// The certificate of the one that did, and is trusted still.
    pub previous: Option<String>,
}

impl Authorities {
    /// One that nothing came before.
    #[must_use]
    pub fn only(authority: Arc<Authority>) -> Self {
        Self { current: authority, next: None, previous: None }
    }

    /// Reads them from their Secret; `place` is what errors call it. A next one that is damaged counts as none.
    ///
    /// # Errors
    /// When there is none that could issue.
    pub fn read(secret: &Secret, place: &str) -> Result<Self, Error> {
        let needed =
            |key| entry(secret, key).ok_or_else(|| Error::Incomplete { place: place.to_owned(), key });
        let (certificate, key) = (needed(AUTHORITY_CERTIFICATE)?, needed(AUTHORITY_KEY)?);
        let current = Authority::from_pem(&certificate, SecretString::from(key))
            .map_err(|source| Error::Unusable { place: place.to_owned(), source })?;
        let next = entry(secret, NEXT_CERTIFICATE)
            .zip(entry(secret, NEXT_KEY))
            .and_then(|(certificate, key)| Authority::from_pem(&certificate, SecretString::from(key)).ok());
        let previous = entry(secret, PREVIOUS_CERTIFICATE);
        Ok(Self { current: Arc::new(current), next: next.map(Arc::new), previous })
    }

    /// All certificates that a client has to trust, the one that issues first.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|next| next.certificate_pem());
        merged([Some(self.current.certificate_pem()), next, self.previous.as_deref()].into_iter().flatten())
    }

    /// What the Secret holds.
    pub(super) fn data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, text: &str| data.insert(key.to_owned(), bytes(text));
        put(AUTHORITY_CERTIFICATE, self.current.certificate_pem());
        put(AUTHORITY_KEY, self.current.key_pem().expose_secret());
        if let Some(next) = &self.next {
            put(NEXT_CERTIFICATE, next.certificate_pem());
            put(NEXT_KEY, next.key_pem().expose_secret());
        }
        if let Some(previous) = &self.previous {
            put(PREVIOUS_CERTIFICATE, previous);
        }
        data
    }

    /// Makes a new authority that is trusted from now on and will issue.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn prepare(&mut self, home: &Home, policy: &Policy, now: Timestamp) -> Result<(), pki::Error> {
        // No two authorities of one name: clients choose by it.
        let name = format!("{} {}", first_name(home), now.strftime("%Y%m%dT%H%M%SZ"));
        self.next = Some(Arc::new(Authority::generate(&name, now, terms(policy))?));
        Ok(())
    }

    /// Has the prepared authority issue, and trusts the one before still. Without a prepared one, nothing changes.
    pub fn switch(&mut self) {
        if let Some(next) = self.next.take() {
            let before = std::mem::replace(&mut self.current, next);
            self.previous = Some(before.certificate_pem().to_owned());
        }
    }

    /// What time brings about where pgherd makes the authority: a new one is prepared in the last third of its time, takes
    /// over while there is time for clients to learn of it, and the old one goes when it has expired.
    ///
    /// # Errors
    /// When a new one can't be made.
    pub(super) fn age(&mut self, home: &Home, policy: &Policy, now: Timestamp) -> Result<(), pki::Error> {
        self.next = self.next.take().filter(|next| !expired(next.certificate_pem(), now));
        let Turns { prepare, switch } = Turns::of(&self.current, policy)?;
        if now >= prepare && self.next.is_none() {
            self.prepare(home, policy, now)?;
        }
        if now >= switch {
            self.switch();
        }
        self.previous = self.previous.take().filter(|previous| !expired(previous, now));
        Ok(())
    }

    /// When time brings something about: a successor is prepared, takes over, or one that issued before has expired.
    #[must_use]
    pub fn due(&self, policy: &Policy) -> Option<Timestamp> {
        let turns = Turns::of(&self.current, policy).ok();
        let turn = turns.map(|turns| if self.next.is_some() { turns.switch } else { turns.prepare });
        let end = self.previous.as_ref().and_then(|previous| pki::not_after(previous).ok());
        turn.into_iter().chain(end).min()
    }
}

/// When an authority's successor is made, and when that takes over.
struct Turns {
    prepare: Timestamp,
    switch: Timestamp,
}

impl Turns {
    fn of(authority: &Authority, policy: &Policy) -> Result<Self, pki::Error> {
        let facts = Facts::read(authority.certificate_pem())?;
        let lifetime = facts.lifetime().as_secs();
        // A certificate issued later than this would not live its full time. Of a short-lived authority, clients have at
        // least half of its last third to learn of the next one.
        let length = i64::try_from(policy.certificate_validity.as_secs()).unwrap_or(i64::MAX);
        Ok(Self {
            prepare: before(facts.not_after, lifetime / 3),
            switch: before(facts.not_after, length.min(lifetime / 6)),
        })
    }
}

/// An authority that nothing came before.
pub(super) fn first(home: &Home, policy: &Policy, now: Timestamp) -> Result<Authority, pki::Error> {
    Authority::generate(&first_name(home), now, terms(policy))
}

fn first_name(home: &Home) -> String {
    format!("pgherd {}", home.installation)
}

fn terms(policy: &Policy) -> Terms {
    Terms { algorithm: policy.algorithm, validity: policy.authority_validity }
}

pub(super) fn expired(certificate_pem: &str, now: Timestamp) -> bool {
    pki::not_after(certificate_pem).is_ok_and(|end| end <= now)
}

pub(super) fn before(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_sub(seconds)).unwrap_or(time)
}
