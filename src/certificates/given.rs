//! An authority of the user's, from files.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Error, decide::usable};
use crate::pki::{self, Authority};

/// The files of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Its certificate; others that follow in the same file are trusted with it, or lead to its root.
    pub certificate: PathBuf,
    /// Its key, which only its owner may read.
    pub key: PathBuf,
}

/// Reads and checks an authority.
///
/// # Errors
/// When a file can't be read, others can read the key, or what is in the files is no authority that is valid now.
pub fn read(files: &Files, now: Timestamp) -> Result<Arc<Authority>, Error> {
    let Files { certificate, key } = files;
    let mode = fs_err::metadata(key).map_err(Error::Read)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { file: key.display().to_string(), mode });
    }
    let text = |file: &Path| fs_err::read_to_string(file).map_err(Error::Read);
    let place = |file: &Path| format!("file {}", file.display());
    let authority =
        Authority::from_pem(&text(certificate)?, SecretString::from(text(key)?)).map_err(|source| {
            let file = if matches!(source, pki::Error::Key(_)) { key } else { certificate };
            Error::Unusable { place: place(file), source }
        })?;
    usable(&authority, &place(certificate), now)?;
    Ok(Arc::new(authority))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::SignedDuration;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::pki::Terms;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn files(folder: &Path, certificate: &str, key: &str, mode: u32) -> Files {
        let files = Files { certificate: folder.join("ca.crt"), key: folder.join("ca.key") };
        fs_err::write(&files.certificate, certificate).unwrap();
        fs_err::write(&files.key, key).unwrap();
        fs_err::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).unwrap();
        files
    }

    #[test]
    fn an_authority_is_taken_only_when_it_works_and_its_key_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let made = Authority::generate("zoo", now(), Terms::days(10)).unwrap();
        let other = Authority::generate("other", now(), Terms::days(10)).unwrap();
        let (certificate, key) = (made.certificate_pem(), made.key_pem().expose_secret());
        let said = |certificate: &str, key: &str, mode: u32, now: Timestamp| {
            read(&files(folder.path(), certificate, key, mode), now).map_err(|error| error.to_string())
        };
        assert!(said(certificate, key, 0o600, now()).unwrap().same(&made));
        assert!(said(certificate, key, 0o400, now()).is_ok());
        let refused = |certificate: &str, key: &str, mode: u32, now: Timestamp, told: &str| {
            let error = said(certificate, key, mode, now).unwrap_err();
            assert!(error.contains(told) && !error.contains("PRIVATE KEY"), "{error}");
        };
        refused(certificate, key, 0o640, now(), "ca.key can be read by others (mode 640)");
        refused(certificate, other.key_pem().expose_secret(), 0o600, now(), "does not belong to");
        refused(certificate, "no key", 0o600, now(), "ca.key can't be used: the private key is not");
        refused("no certificate", key, 0o600, now(), "ca.crt can't be used: not a certificate");
        let later = now() + SignedDuration::from_hours(11 * 24);
        refused(certificate, key, 0o600, later, "\"zoo\" in file");
        refused(certificate, key, 0o600, now() - SignedDuration::from_hours(2), "is not valid before");
    }
}
