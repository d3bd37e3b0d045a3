//! Certificate authorities and leaves; pure functions over PEM text and a given time.
//!
//! Keys are ECDSA on P-256 with SHA-256 unless somebody chose otherwise: every supported PostgreSQL, libpq, JDBC driver and
//! kubelet speaks it, and making one takes less than a millisecond. Nothing here reads a clock, a file or the network; a
//! caller passes the time, and stores what it gets in a Secret or in a file that only its owner can read.

mod authorities;
mod authority;
mod bundle;
mod inspect;
mod leaf;

pub use authorities::{Authorities, Keys, Rules, Unusable, before, expired};
pub use authority::Authority;
pub use bundle::{certificates, merged};
pub use inspect::{Facts, days_left, issued_by, not_after, renewal_due};
pub use leaf::{Leaf, LeafRequest, Usage};

use std::time::Duration;

use jiff::Timestamp;

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
}

impl Algorithm {
    fn signature(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

/// How a certificate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The algorithm of its key.
    pub algorithm: Algorithm,
    /// How long it is valid.
    pub validity: Duration,
}

impl Terms {
    /// Those of an authority where nobody chose any: ten years.
    pub const AUTHORITY: Self = Self::days(3650);
    /// Those of a leaf where nobody chose any: one year. It is renewed in the last third of that time.
    pub const LEAF: Self = Self::days(365);

    /// Some days, with the algorithm that everything understands.
    #[must_use]
    pub const fn days(days: u16) -> Self {
        Self { algorithm: Algorithm::EcdsaP256, validity: Duration::from_secs(days as u64 * 86_400) }
    }
}

/// How far before the given time a certificate starts to be valid, in seconds: hosts whose clocks are behind by up to an
/// hour accept it at once.
pub const BACKDATED_SECONDS: i64 = 3600;

/// Why a certificate could not be made or read. No variant holds a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key pair or certificate could not be generated or encoded.
    #[error("failed to make a certificate for {subject:?}: {source}")]
    Generate {
        /// Common name of the certificate that was asked for.
        subject: String,
        /// What the certificate library said.
        source: rcgen::Error,
    },
    /// The stored private key is not a private key in PEM.
    #[error("the private key is not a PKCS#8 private key in PEM, of RSA, ECDSA or Ed25519: {0}")]
    Key(rcgen::Error),
    /// The stored certificate is not a certificate in PEM.
    #[error("not a certificate in PEM: {0}")]
    Certificate(String),
    /// The certificate is not one of an authority, or it does not belong to its key.
    #[error("{0}")]
    NotAnAuthority(&'static str),
    /// The time lies outside what certificates can express.
    #[error("the time {0} can't be written into a certificate")]
    Time(Timestamp),
}

/// The validity that starts at `now` (backdated by an hour for lagging clocks) and ends after `length`.
fn validity(now: Timestamp, length: Duration) -> Result<(time::OffsetDateTime, time::OffsetDateTime), Error> {
    let at = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::Time(now));
    let seconds = i64::try_from(length.as_secs()).map_err(|_| Error::Time(now))?;
    Ok((at(now.as_second() - BACKDATED_SECONDS)?, at(now.as_second().saturating_add(seconds))?))
}

#[cfg(test)]
mod tests;
