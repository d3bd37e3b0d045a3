//! Writes an inventory, its report and its secrets: all of them, or nothing.

use std::{
    ffi::OsString,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret as _;
use serde::Serialize;
use tempfile::{NamedTempFile, TempPath};

use super::Imported;
use crate::temporary;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The inventory.
    pub inventory: PathBuf,
    /// The report.
    pub report: PathBuf,
    /// Files with secrets.
    pub secrets: Vec<PathBuf>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file is there already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("{} can't be written: {error}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

/// The folder for the secrets of an inventory, as the inventory refers to it.
#[must_use]
pub fn secrets_folder(inventory: &Path) -> String {
    let name = inventory.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.secrets")
}

/// Undoes what was done so far unless it is told that all went well.
#[derive(Default)]
struct Transaction {
    steps: Vec<Step>,
}

enum Step {
    /// A folder was made.
    Folder(PathBuf),
    /// A file was put where none was.
    Made(PathBuf),
    /// A file was put where another was, which is kept here.
    Replaced(PathBuf, TempPath),
}

impl Drop for Transaction {
    fn drop(&mut self) {
        for step in self.steps.drain(..).rev() {
            // Nothing better can be done about a failure here than to go on with the others.
            match step {
                Step::Folder(path) => drop(fs_err::remove_dir(path)),
                Step::Made(path) => drop(fs_err::remove_file(path)),
                Step::Replaced(path, before) => drop(before.persist(path)),
            }
        }
    }
}

impl Transaction {
    fn folder(&mut self, path: &Path) -> Result<(), WriteError> {
        if path.is_dir() {
            return Ok(());
        }
        let failed = |error| WriteError::Write { file: path.to_owned(), error };
        fs_err::create_dir(path).map_err(failed)?;
        self.steps.push(Step::Folder(path.to_owned()));
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    fn file(&mut self, path: &Path, contents: NamedTempFile, force: bool) -> Result<(), WriteError> {
        let failed = |error| WriteError::Write { file: path.to_owned(), error };
        if force && path.is_file() {
            let before = temporary::beside(path, 0o600).map_err(failed)?.into_temp_path();
            fs_err::rename(path, &before).map_err(failed)?;
            self.steps.push(Step::Replaced(path.to_owned(), before));
            contents.persist(path).map_err(|error| failed(error.error))?;
            return Ok(());
        }
        contents.persist_noclobber(path).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => WriteError::Exists(path.to_owned()),
            _ => failed(error.error),
        })?;
        self.steps.push(Step::Made(path.to_owned()));
        Ok(())
    }
}

fn contents(path: &Path, mode: u32, text: &str) -> Result<NamedTempFile, WriteError> {
    let write = || {
        let mut file = temporary::beside(path, mode)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|error| WriteError::Write { file: path.to_owned(), error })
}

/// A path with something added to its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

impl Imported {
    /// Writes the inventory to a file, the report beside it, and each secret into a file that only its owner reads.
    ///
    /// # Errors
    /// When a file is there already and `force` isn't given, or can't be written. Nothing is changed then.
    pub fn write(&self, out: &Path, force: bool) -> Result<Written, WriteError> {
        let page = beside(out, ".import.md");
        let folder = beside(out, ".secrets");
        let secrets: Vec<PathBuf> = self.secrets.iter().map(|secret| folder.join(secret.name)).collect();
        // A name that is taken is told before anything is tried.
        for path in [out, page.as_path()].into_iter().chain(secrets.iter().map(PathBuf::as_path)) {
            if !force && path.symlink_metadata().is_ok() {
                return Err(WriteError::Exists(path.to_owned()));
            }
        }
        let mut transaction = Transaction::default();
        if !secrets.is_empty() {
            transaction.folder(&folder)?;
        }
        let mut prepared = Vec::new();
        for (secret, path) in self.secrets.iter().zip(&secrets) {
            prepared.push((path.clone(), contents(path, 0o600, secret.value.expose_secret())?));
        }
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        prepared.push((page.clone(), contents(&page, 0o666, &self.report.page(&name))?));
        prepared.push((out.to_owned(), contents(out, 0o666, &self.toml)?));
        for (path, file) in prepared {
            transaction.file(&path, file, force)?;
        }
        // Dropping the steps one by one removes what was replaced and undoes nothing.
        transaction.steps.clear();
        Ok(Written { inventory: out.to_owned(), report: page, secrets })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::inventory::import::{Report, work::Secret};

    fn imported(text: &str) -> Imported {
        let secret = Secret { name: "s3-secret", value: SecretString::from("hidden") };
        Imported { toml: text.to_owned(), report: Report::default(), secrets: vec![secret] }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs_err::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn everything_is_written_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pgherd.toml");
        imported("one").write(&out, false).unwrap();
        assert_eq!(names(folder.path()), ["pgherd.toml", "pgherd.toml.import.md", "pgherd.toml.secrets"]);
        let secret = folder.path().join("pgherd.toml.secrets/s3-secret");
        assert_eq!(fs_err::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs_err::metadata(secret.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs_err::read_to_string(&secret).unwrap(), "hidden");
        assert!(matches!(imported("two").write(&out, false), Err(WriteError::Exists(_))));
        assert_eq!(fs_err::read_to_string(&out).unwrap(), "one");
        imported("two").write(&out, true).unwrap();
        assert_eq!(fs_err::read_to_string(&out).unwrap(), "two");
        assert_eq!(names(folder.path()).len(), 3);
    }

    #[test]
    fn a_failure_on_the_way_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("pgherd.toml");
        // A folder where the report belongs can't be replaced, even by force.
        fs_err::create_dir(folder.path().join("pgherd.toml.import.md")).unwrap();
        fs_err::write(&out, "before").unwrap();
        assert!(imported("after").write(&out, true).is_err());
        assert_eq!(fs_err::read_to_string(&out).unwrap(), "before");
        assert_eq!(names(folder.path()), ["pgherd.toml", "pgherd.toml.import.md"]);
        assert!(imported("x").write(&folder.path().join("none/x.toml"), false).is_err());
    }
}
