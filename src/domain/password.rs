//! Passwords of roles: generating them, and the SCRAM verifier that the server gets instead.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use postgres_protocol::password::scram_sha_256;
use rand::{RngExt, rngs::ThreadRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Characters of a generated password. 24 of either kind carry over 140 bits.
const LENGTH: usize = 24;

/// Which characters a generated password is made of (`spec.users[].password.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PasswordKind {
    /// Printable ASCII without what shells, URLs and connection strings trip over: quotes, backslash and backtick.
    #[default]
    Ascii,
    /// Letters and digits.
    AlphaNumeric,
}

impl PasswordKind {
    fn alphabet(self) -> impl Iterator<Item = char> {
        ('!'..='~').filter(move |character| match self {
            Self::Ascii => !matches!(character, '\'' | '"' | '\\' | '`'),
            Self::AlphaNumeric => character.is_ascii_alphanumeric(),
        })
    }
}

/// A new random password.
#[must_use]
pub fn generate(kind: PasswordKind, rng: &mut ThreadRng) -> SecretString {
    let alphabet: Vec<char> = kind.alphabet().collect();
    let password: String = (0..LENGTH).map(|_| alphabet[rng.random_range(0..alphabet.len())]).collect();
    SecretString::from(password)
}

/// The SCRAM-SHA-256 verifier of a password, with a new salt (RFC 5803, as PostgreSQL stores it).
#[must_use]
pub fn verifier(password: &SecretString) -> SecretString {
    SecretString::from(scram_sha_256(password.expose_secret().as_bytes()))
}

/// Whether a stored verifier belongs to a password. A verifier that can't be parsed belongs to none.
#[must_use]
pub fn verifies(verifier: &SecretString, password: &SecretString) -> bool {
    recompute(verifier.expose_secret(), password.expose_secret().as_bytes()).unwrap_or(false)
}

/// Follows RFC 5802, section 3: `StoredKey := H(HMAC(SaltedPassword, "Client Key"))`.
fn recompute(verifier: &str, password: &[u8]) -> Option<bool> {
    let (iterations_and_salt, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = iterations_and_salt.split_once(':')?;
    let stored = STANDARD.decode(keys.split_once(':')?.0).ok()?;
    let iterations: u32 = iterations.parse().ok()?;
    let password = stringprep::saslprep(std::str::from_utf8(password).ok()?).ok()?;
    // PBKDF2 with one block, which is all that a 32-byte key needs.
    let mut block = STANDARD.decode(salt).ok()?;
    block.extend_from_slice(&1_u32.to_be_bytes());
    let mut previous = hmac(password.as_bytes(), &block)?;
    let mut salted = previous;
    for _ in 1..iterations {
        previous = hmac(password.as_bytes(), &previous)?;
        salted.iter_mut().zip(previous).for_each(|(sum, byte)| *sum ^= byte);
    }
    let client_key = hmac(&salted, b"Client Key")?;
    Some(Sha256::digest(client_key)[..] == stored[..])
}

fn hmac(key: &[u8], message: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_belongs_to_its_password_only() {
        let password = SecretString::from("corect horse\u{00AD}");
        let stored = verifier(&password);
        assert!(verifies(&stored, &password));
        assert!(!verifies(&stored, &SecretString::from("another")));
        assert!(!verifies(&SecretString::from("md5abc"), &password));
        assert!(!verifies(&SecretString::from("SCRAM-SHA-256$x:y$z:w"), &password));
    }

    #[test]
    fn passwords_are_made_of_what_was_asked_for() {
        let mut rng = rand::rng();
        let plain = generate(PasswordKind::AlphaNumeric, &mut rng);
        assert_eq!(plain.expose_secret().len(), LENGTH);
        assert!(plain.expose_secret().chars().all(|character| character.is_ascii_alphanumeric()));
        let other = generate(PasswordKind::AlphaNumeric, &mut rng);
        assert_ne!(plain.expose_secret(), other.expose_secret());
        let ascii: std::collections::BTreeSet<char> = PasswordKind::Ascii.alphabet().collect();
        assert_eq!(ascii.len(), 90);
        assert!(ascii.contains(&'/') && !ascii.contains(&'\''));
    }
}
