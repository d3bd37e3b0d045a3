//! Certificates of the installation.

use super::{choices::KeyAlgorithm, texts::FilePath};
use crate::{
    domain::{duration::WrittenDuration, names::ObjectName},
    inventory::table::settings,
};

settings! {
    /// Certificates. Without anything here, the installation has an authority of its own.
    Tls / RawTls {
        /// The certificate of an authority of yours, as PEM.
        authority_certificate: [optional "an own authority is made"] FilePath, old [], inert;
        /// Its key, as PEM.
        authority_key: [optional "an own authority is made"] FilePath, old [], inert;
        /// A Secret in the operator's namespace that holds an authority of yours as `ca.crt` and `ca.key`.
        authority_secret: [optional "an own authority is made"] ObjectName, old [], inert;
        /// The algorithm of new keys.
        algorithm: [default "\"ecdsa-p256\""] KeyAlgorithm, old [], inert;
        /// How long an authority is valid.
        authority_validity: [default "\"3650d\""] WrittenDuration, old [], inert;
        /// How long a certificate is valid.
        certificate_validity: [default "\"365d\""] WrittenDuration, old [], inert;
        /// How long before its end a certificate is renewed.
        renew_before: [optional "a third of its validity"] WrittenDuration, old [], inert;
        /// Further authorities that the operator trusts, as PEM.
        trusted_authorities: [optional "none"] FilePath, old ["pgo_tls_ca_store"], inert;
        /// Whether it also trusts the authorities of the operating system.
        trust_system: [default "false"] bool, old ["pgo_add_os_ca_store"], inert;
    }
}
