//! Authorities that follow each other: the one that issues, one that will, and one that did. All of them are trusted, so
//! that clients have time to learn of a new one before it issues, and of the end of an old one after it did.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Authority, Error, Facts, Terms, merged, not_after};

/// Under which keys a Secret holds authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The certificate of the one that issues.
    pub certificate: &'static str,
    /// Its key.
    pub key: &'static str,
    /// The certificate of the one that will issue, and is trusted already.
    pub next_certificate: &'static str,
    /// Its key.
    pub next_key: &'static str,
    /// The certificate of the one that issues no more, and is trusted still. Its key is gone.
    pub previous_certificate: &'static str,
}

/// How successors are made, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What the first one is called. Successors have the time behind it.
    pub name: String,
    /// How authorities are made.
    pub terms: Terms,
    /// How long the certificates are valid that they issue.
    pub certificate_validity: Duration,
}

/// Authorities as they are stored.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// The one that issues.
    pub current: Arc<Authority>,
    /// The one that will, and is trusted already.
    pub next: Option<Arc<Authority>>,
    /// The certificate of the one that did, and is trusted still.
    pub previous: Option<String>,
}

/// Why what is stored can't be used.
#[derive(Debug)]
pub enum Unusable {
    /// There is nothing under this key.
    Missing(&'static str),
    /// What is there is no authority.
    Broken(Error),
}

impl Authorities {
    /// One that nothing came before.
    #[must_use]
    pub fn only(authority: Arc<Authority>) -> Self {
        Self { current: authority, next: None, previous: None }
    }

    /// Makes one that nothing came before.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn first(rules: &Rules, now: Timestamp) -> Result<Self, Error> {
        Authority::generate(&rules.name, now, rules.terms).map(|made| Self::only(Arc::new(made)))
    }

    /// Reads them with a function that gives the text under a key. A next one that is damaged counts as none.
    ///
    /// # Errors
    /// When there is none that could issue.
    pub fn read(keys: &Keys, entry: impl Fn(&str) -> Option<String>) -> Result<Self, Unusable> {
        let needed = |key| entry(key).ok_or(Unusable::Missing(key));
        let parse = |certificate: String, key| Authority::from_pem(&certificate, SecretString::from(key));
        let current = parse(needed(keys.certificate)?, needed(keys.key)?).map_err(Unusable::Broken)?;
        let next = entry(keys.next_certificate).zip(entry(keys.next_key));
        let next = next.and_then(|(certificate, key)| parse(certificate, key).ok());
        let previous = entry(keys.previous_certificate);
        Ok(Self { current: Arc::new(current), next: next.map(Arc::new), previous })
    }

    /// What is stored under which key.
    #[must_use]
    pub fn entries(&self, keys: &Keys) -> Vec<(&'static str, &str)> {
        let mut entries = vec![
            (keys.certificate, self.current.certificate_pem()),
            (keys.key, self.current.key_pem().expose_secret()),
        ];
        if let Some(next) = &self.next {
            entries.push((keys.next_certificate, next.certificate_pem()));
            entries.push((keys.next_key, next.key_pem().expose_secret()));
        }
        entries.extend(self.previous.iter().map(|previous| (keys.previous_certificate, previous.as_str())));
        entries
    }

    /// All certificates that a client has to trust, the one that issues first.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|next| next.certificate_pem());
        merged([Some(self.current.certificate_pem()), next, self.previous.as_deref()].into_iter().flatten())
    }

    /// Makes a new authority that is trusted from now on and will issue.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn prepare(&mut self, rules: &Rules, now: Timestamp) -> Result<(), Error> {
        // No two authorities of one name: clients choose by it.
        let name = format!("{} {}", rules.name, now.strftime("%Y%m%dT%H%M%SZ"));
        self.next = Some(Arc::new(Authority::generate(&name, now, rules.terms)?));
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
    pub fn age(&mut self, rules: &Rules, now: Timestamp) -> Result<(), Error> {
        self.next = self.next.take().filter(|next| !expired(next.certificate_pem(), now));
        let Turns { prepare, switch } = Turns::of(&self.current, rules)?;
        if now >= prepare && self.next.is_none() {
            self.prepare(rules, now)?;
        }
        if now >= switch {
            self.switch();
        }
        self.previous = self.previous.take().filter(|previous| !expired(previous, now));
        Ok(())
    }

    /// When time brings something about: a successor is prepared, takes over, or one that issued before has expired.
    #[must_use]
    pub fn due(&self, rules: &Rules) -> Option<Timestamp> {
        let turns = Turns::of(&self.current, rules).ok();
        let turn = turns.map(|turns| if self.next.is_some() { turns.switch } else { turns.prepare });
        let end = self.previous.as_ref().and_then(|previous| not_after(previous).ok());
        turn.into_iter().chain(end).min()
    }
}

/// When an authority's successor is made, and when that takes over.
struct Turns {
    prepare: Timestamp,
    switch: Timestamp,
}

impl Turns {
    fn of(authority: &Authority, rules: &Rules) -> Result<Self, Error> {
        let facts = Facts::read(authority.certificate_pem())?;
        let lifetime = facts.lifetime().as_secs();
        // A certificate issued later than this would not live its full time. Of a short-lived authority, clients have at
        // least half of its last third to learn of the next one.
        let length = i64::try_from(rules.certificate_validity.as_secs()).unwrap_or(i64::MAX);
        Ok(Self {
            prepare: before(facts.not_after, lifetime / 3),
            switch: before(facts.not_after, length.min(lifetime / 6)),
        })
    }
}

/// Whether a certificate has expired. What is no certificate hasn't.
#[must_use]
pub fn expired(certificate_pem: &str, now: Timestamp) -> bool {
    not_after(certificate_pem).is_ok_and(|end| end <= now)
}

/// So many seconds before a time.
#[must_use]
pub fn before(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_sub(seconds)).unwrap_or(time)
}
