//! Certificate authorities and leaves; pure functions over PEM text and a given time.
//!
//! Keys are ECDSA on P-256 with SHA-256: every supported PostgreSQL, libpq, JDBC driver and kubelet speaks it, and making
//! one takes less than a millisecond. Nothing here reads a clock, a file or the network; a caller passes the time, and
//! stores what it gets in a Secret or in a file that only its owner can read.

mod authority;
mod inspect;
mod leaf;

pub use authority::Authority;
pub use inspect::{not_after, renewal_due};
pub use leaf::{Leaf, LeafRequest, Usage};

use jiff::Timestamp;

/// How long an authority made by pgherd is valid, in days (ten years).
pub const AUTHORITY_DAYS: u16 = 3650;

/// How long a leaf made by pgherd is valid, in days (one year). It is renewed in the last third of that time.
pub const LEAF_DAYS: u16 = 365;

/// How far before the given time a certificate starts to be valid, in seconds: hosts whose clocks are behind by up to an
/// hour accept it at once.
const BACKDATED_SECONDS: i64 = 3600;

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
    #[error("the private key is not a PKCS#8 private key in PEM: {0}")]
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

/// The validity that starts at `now` (backdated by an hour for lagging clocks) and ends after `days`.
fn validity(now: Timestamp, days: u16) -> Result<(time::OffsetDateTime, time::OffsetDateTime), Error> {
    let at = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::Time(now));
    let start = now.as_second() - BACKDATED_SECONDS;
    Ok((at(start)?, at(now.as_second() + i64::from(days) * 86_400)?))
}

#[cfg(test)]
mod tests;
