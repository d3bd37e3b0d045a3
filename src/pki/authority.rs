//! A certificate authority: generated, or read from where it was stored.

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use secrecy::{ExposeSecret, SecretString};

use super::{Error, Terms, bundle, inspect, validity};

/// A certificate authority that can issue leaves.
pub struct Authority {
    certificate_pem: String,
    key_pem: SecretString,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority with a new key. It may sign leaves only, no further authorities.
    ///
    /// # Errors
    /// When the key or the certificate can't be made.
    pub fn generate(common_name: &str, now: Timestamp, terms: Terms) -> Result<Self, Error> {
        let failed = |source| Error::Generate { subject: common_name.to_owned(), source };
        let key = KeyPair::generate_for(terms.algorithm.signature()).map_err(failed)?;
        let key_pem = SecretString::from(key.serialize_pem());
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = validity(now, terms.validity)?;
        let certificate_pem = CertifiedIssuer::self_signed(params, key).map_err(failed)?.pem();
        Self::from_pem(&certificate_pem, key_pem)
    }

    /// Reads an authority from the PEM texts it was stored as. The first certificate is the one that issues; what follows
    /// it is trusted with it, or leads from it to a root.
    ///
    /// # Errors
    /// When either text can't be parsed, the certificate isn't one of an authority, or the two don't belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: SecretString) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key_pem.expose_secret()).map_err(Error::Key)?;
        inspect::check_authority(certificate_pem, &key)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key)
            .map_err(|error| Error::Certificate(error.to_string()))?;
        Ok(Self { certificate_pem: certificate_pem.to_owned(), key_pem, issuer })
    }

    /// The certificate, as PEM, with those that were read with it: what clients put into their list of trusted roots.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key, as PEM (PKCS#8). It belongs into a Secret and nowhere else.
    #[must_use]
    pub fn key_pem(&self) -> &SecretString {
        &self.key_pem
    }

    /// The name of its certificate's subject.
    ///
    /// # Errors
    /// When the certificate can't be read, which is so of none that was made an authority of.
    pub fn name(&self) -> Result<String, Error> {
        inspect::Facts::read(&self.certificate_pem).map(|facts| facts.subject)
    }

    /// Whether both are the same authority: the same certificate issues.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        bundle::certificates(&self.certificate_pem).next()
            == bundle::certificates(&other.certificate_pem).next()
    }

    /// Certificates between a leaf of this authority and a root, which a server has to show with the leaf: none, unless
    /// another authority signed this one.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let between = |pem: &&str| inspect::Facts::read(pem).is_ok_and(|facts| !facts.self_issued());
        bundle::certificates(&self.certificate_pem).filter(between).flat_map(|pem| [pem, "\n"]).collect()
    }

    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Authority")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}
