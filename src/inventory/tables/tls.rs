//! Certificates of the installation.

use super::{choices::KeyAlgorithm, texts::FilePath};
use crate::{
    domain::{duration::WrittenDuration, names::ObjectName},
    inventory::table::settings,
};

settings! {
    /// Certificates. Without anything here, the installation has an authority of its own.
    Tls / RawTls {
        /// The certificate of an authority of yours, as PEM. Certificates that follow it in the file are trusted with it, or lead
        /// from it to its root.
        authority_certificate: [optional "an own authority is made"] FilePath, old [];
        /// Its key, as PEM (PKCS#8). Only its owner may be able to read the file (mode 0600).
        authority_key: [optional "an own authority is made"] FilePath, old [];
        /// A Secret in the operator's namespace that holds an authority of yours as `ca.crt` and `ca.key`. It is only read.
        authority_secret: [optional "an own authority is made"] ObjectName, old [];
        /// The algorithm of new keys. Certificates get new keys of another algorithm at once, an authority when it is replaced.
        algorithm: [default "\"ecdsa-p256\""] KeyAlgorithm, old [];
        /// How long an authority is valid that pgherd makes.
        authority_validity: [default "\"3650d\""] WrittenDuration, old [];
        /// How long a certificate of the operator is valid, and at most as long as its authority.
        certificate_validity: [default "\"365d\""] WrittenDuration, old [];
        /// How long before its end a certificate of the operator is renewed.
        renew_before: [optional "a third of its validity"] WrittenDuration, old [];
        /// Further authorities that the operator trusts, as PEM.
        trusted_authorities: [optional "none"] FilePath, old ["pgo_tls_ca_store"], inert;
        /// Whether it also trusts the authorities of the operating system.
        trust_system: [default "false"] bool, old ["pgo_add_os_ca_store"], inert;
    }
}
