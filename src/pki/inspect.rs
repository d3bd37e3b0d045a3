//! Reading certificates: expiry, names, who signed them, and whether a key belongs to them.

use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PublicKeyData};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    pem::{Pem, parse_x509_pem},
};

use super::{Error, LeafRequest, Usage};

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is: the common name, or the whole name where there is none.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when on it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// Whether it may sign others.
    pub authority: bool,
    /// Whose identity it may prove, if it says that.
    pub usage: Option<Usage>,
    self_issued: bool,
}

impl Facts {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When the text holds no certificate.
    pub fn read(certificate_pem: &str) -> Result<Self, Error> {
        with_certificate(certificate_pem, |certificate| {
            let usage = certificate.extended_key_usage().ok().flatten().map(|extension| extension.value);
            let name = |name: &x509_parser::x509::X509Name<'_>| {
                let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
                common.map_or_else(|| name.to_string(), str::to_owned)
            };
            Ok(Self {
                subject: name(certificate.subject()),
                issuer: name(certificate.issuer()),
                not_before: timestamp(certificate.validity().not_before.timestamp())?,
                not_after: timestamp(certificate.validity().not_after.timestamp())?,
                authority: certificate.is_ca(),
                usage: usage.and_then(|usage| {
                    match (usage.any || usage.server_auth, usage.any || usage.client_auth) {
                        (true, true) => Some(Usage::Both),
                        (true, false) => Some(Usage::Server),
                        (false, true) => Some(Usage::Client),
                        (false, false) => None,
                    }
                }),
                self_issued: certificate.issuer() == certificate.subject(),
            })
        })?
    }

    /// How long it is valid from its beginning to its end.
    #[must_use]
    pub fn lifetime(&self) -> SignedDuration {
        self.not_before.duration_until(self.not_after)
    }

    /// Whether it is its own issuer, as roots are.
    #[must_use]
    pub fn self_issued(&self) -> bool {
        self.self_issued
    }
}

fn timestamp(seconds: i64) -> Result<Timestamp, Error> {
    Timestamp::from_second(seconds).map_err(|error| Error::Certificate(error.to_string()))
}

/// Whether the first certificate of a text was signed by that of another.
#[must_use]
pub fn issued_by(certificate_pem: &str, authority_pem: &str) -> bool {
    let checked = with_certificate(authority_pem, |authority| {
        with_certificate(certificate_pem, |certificate| signed(certificate, authority))
    });
    matches!(checked, Ok(Ok(true)))
}

fn signed(certificate: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    certificate.issuer() == authority.subject()
        && certificate.verify_signature(Some(authority.public_key())).is_ok()
}

/// When the first certificate of a PEM text expires.
///
/// # Errors
/// When the text holds no certificate.
pub fn not_after(certificate_pem: &str) -> Result<Timestamp, Error> {
    with_certificate(certificate_pem, |certificate| certificate.validity().not_after.timestamp())
        .and_then(timestamp)
}

/// Whole days from `now` until a certificate ends; negative once it has.
#[must_use]
pub fn days_left(not_after: Timestamp, now: Timestamp) -> i64 {
    now.duration_until(not_after).as_hours().div_euclid(24)
}

/// Whether a certificate is in the last third of its validity, or past it.
///
/// # Errors
/// When the text holds no certificate.
pub fn renewal_due(certificate_pem: &str, now: Timestamp) -> Result<bool, Error> {
    with_certificate(certificate_pem, |certificate| renewal_due_at(certificate, now))
}

fn renewal_due_at(certificate: &X509Certificate<'_>, now: Timestamp) -> bool {
    let start = certificate.validity().not_before.timestamp();
    let end = certificate.validity().not_after.timestamp();
    now.as_second() >= end - (end - start) / 3
}

/// Checks that a certificate is one of an authority and belongs to `key`.
pub(super) fn check_authority(certificate_pem: &str, key: &KeyPair) -> Result<(), Error> {
    with_certificate(certificate_pem, |certificate| {
        if !certificate.is_ca() {
            return Err(Error::NotAnAuthority("the certificate is not one of a certificate authority"));
        }
        let usage = certificate.key_usage().ok().flatten();
        if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(Error::NotAnAuthority(
                "the authority's certificate doesn't allow it to sign certificates (key usage keyCertSign)",
            ));
        }
        if !belongs(certificate, key) {
            return Err(Error::NotAnAuthority(
                "the private key does not belong to the authority's certificate",
            ));
        }
        Ok(())
    })?
}

/// Whether a stored leaf is what `request` asks for, and signed by the authority.
pub(super) fn leaf_fits(leaf_pem: &str, key: &KeyPair, request: &LeafRequest, authority_pem: &str) -> bool {
    let checked = with_certificate(leaf_pem, |leaf| {
        belongs(leaf, key)
            && common_name(leaf) == Some(request.common_name.as_str())
            && dns_names(leaf) == request.dns_names
    });
    matches!(checked, Ok(true)) && issued_by(leaf_pem, authority_pem)
}

fn belongs(certificate: &X509Certificate<'_>, key: &KeyPair) -> bool {
    certificate.public_key().subject_public_key.data.as_ref() == key.der_bytes()
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok())
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(dns) => Some((*dns).to_owned()),
            _ => None,
        })
        .collect()
}

fn with_certificate<T>(pem: &str, read: impl FnOnce(&X509Certificate<'_>) -> T) -> Result<T, Error> {
    let (_, block): (_, Pem) =
        parse_x509_pem(pem.as_bytes()).map_err(|error| Error::Certificate(error.to_string()))?;
    let certificate = block.parse_x509().map_err(|error| Error::Certificate(error.to_string()))?;
    Ok(read(&certificate))
}
