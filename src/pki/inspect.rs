//! Reading certificates: expiry, names, who signed them, and whether a key belongs to them.

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    pem::{Pem, parse_x509_pem},
};

use super::{Error, LeafRequest};

/// When the first certificate of a PEM text expires.
///
/// # Errors
/// When the text holds no certificate.
pub fn not_after(certificate_pem: &str) -> Result<Timestamp, Error> {
    with_certificate(certificate_pem, |certificate| certificate.validity().not_after.timestamp()).and_then(
        |seconds| Timestamp::from_second(seconds).map_err(|error| Error::Certificate(error.to_string())),
    )
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
        if !belongs(certificate, key) {
            return Err(Error::NotAnAuthority(
                "the private key does not belong to the authority's certificate",
            ));
        }
        Ok(())
    })?
}

/// Whether a stored leaf is still what `request` asks for.
pub(super) fn leaf_satisfies(
    leaf_pem: &str,
    key: &KeyPair,
    request: &LeafRequest,
    authority_pem: &str,
    now: Timestamp,
) -> bool {
    let checked = with_certificate(authority_pem, |authority| {
        with_certificate(leaf_pem, |leaf| {
            belongs(leaf, key)
                && leaf.verify_signature(Some(authority.public_key())).is_ok()
                && leaf.issuer() == authority.subject()
                && common_name(leaf) == Some(request.common_name.as_str())
                && dns_names(leaf) == request.dns_names
                && !renewal_due_at(leaf, now)
        })
    });
    matches!(checked, Ok(Ok(true)))
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
