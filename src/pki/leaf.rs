//! Leaf certificates: what was asked for, how one is issued, and whether a stored one still is what was asked for.

use jiff::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};
use secrecy::{ExposeSecret, SecretString};

use super::{Algorithm, Authority, Error, Terms, inspect, validity};

/// What a leaf may be used for (extended key usage of RFC 5280, section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// To prove the identity of a server.
    Server,
    /// To prove the identity of a client.
    Client,
    /// Both.
    Both,
}

impl Usage {
    fn purposes(self) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Self::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        }
    }
}

/// What a leaf certificate has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafRequest {
    /// Common name of the subject. PostgreSQL takes it as the user's name in `cert` authentication.
    pub common_name: String,
    /// DNS names that the certificate is valid for. TLS clients look at these and not at the common name.
    pub dns_names: Vec<String>,
    /// What it may be used for.
    pub usage: Usage,
}

/// A certificate with its private key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate, as PEM.
    pub certificate_pem: String,
    /// Its private key, as PEM (PKCS#8).
    pub key_pem: SecretString,
}

impl Authority {
    /// Issues a leaf with a new key.
    ///
    /// # Errors
    /// When a DNS name can't be encoded or the certificate can't be made.
    pub fn issue(&self, request: &LeafRequest, now: Timestamp, terms: Terms) -> Result<Leaf, Error> {
        let failed = |source| Error::Generate { subject: request.common_name.clone(), source };
        let key = KeyPair::generate_for(terms.algorithm.signature()).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, request.common_name.as_str());
        for name in &request.dns_names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into().map_err(failed)?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = request.usage.purposes();
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, terms.validity)?;
        let certificate = params.signed_by(&key, self.issuer()).map_err(failed)?;
        Ok(Leaf { certificate_pem: certificate.pem(), key_pem: SecretString::from(key.serialize_pem()) })
    }
}

impl Leaf {
    /// Whether this stored leaf can go on serving `request`: signed by `authority`, its key fits, it says what was asked
    /// for, and its renewal isn't due. A text that can't be parsed answers no, so that a damaged Secret is mended.
    #[must_use]
    pub fn satisfies(&self, request: &LeafRequest, authority: &Authority, now: Timestamp) -> bool {
        self.fits(request, authority)
            && inspect::renewal_due(&self.certificate_pem, now).is_ok_and(|due| !due)
    }

    /// The same, whatever its age.
    #[must_use]
    pub fn fits(&self, request: &LeafRequest, authority: &Authority) -> bool {
        let Some(key) = self.key() else { return false };
        inspect::leaf_fits(&self.certificate_pem, &key, request, authority.certificate_pem())
    }

    /// Whether its key is of this algorithm.
    #[must_use]
    pub fn is_of(&self, algorithm: Algorithm) -> bool {
        self.key().is_some_and(|key| key.is_compatible(algorithm.signature()))
    }

    fn key(&self) -> Option<KeyPair> {
        KeyPair::from_pem(self.key_pem.expose_secret()).ok()
    }
}
