//! The file of the inventory: read once, and replaced as a whole or not at all.

use std::{
    io::{ErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::draft::Draft;
use crate::{
    cli::{Code, Failure},
    temporary,
};

/// A file that may not be there yet.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    /// What is in it. None when it isn't there.
    pub(super) text: Option<String>,
}

impl File {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                return Err(
                    Failure::new(Code::Inventory, "the inventory can't be read").because(error.to_string())
                );
            }
        };
        let file = Self { path, text };
        // Better said before the questions than after them.
        if !file.folder().is_dir() {
            let message = format!("there is no folder {}", file.folder().display());
            return Err(Failure::new(Code::Output, message).next("Make it, or name another file."));
        }
        Ok(file)
    }

    /// What is in it as a document, or one with nothing in it.
    pub(super) fn draft(&self) -> Result<Draft, Failure> {
        let Some(text) = &self.text else { return Ok(Draft::fresh()) };
        Draft::of(text).map_err(|error| {
            Failure::new(Code::Inventory, format!("{} can't be read", self.path.display()))
                .because(error.to_string())
        })
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// Replaces the text, and says whether it is another one.
    pub(super) fn write(&self, text: &str) -> Result<bool, Failure> {
        if self.text.as_deref() == Some(text) {
            return Ok(false);
        }
        let now = Self::open(self.path.clone())?.text;
        if now != self.text {
            let message = format!("{} was changed by somebody else meanwhile", self.path.display());
            return Err(Failure::new(Code::Declined, message).next("Nothing was written. Run it again."));
        }
        self.replace(text).map_err(|error| {
            Failure::new(Code::Output, format!("{} can't be written", self.path.display()))
                .because(error.to_string())
        })?;
        Ok(true)
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        // A link stays one, and what it leads to is replaced.
        let target = if self.text.is_some() { fs_err::canonicalize(&self.path)? } else { self.path.clone() };
        // A new file gets what the umask leaves of this; an existing one keeps what it has.
        let mode = match &self.text {
            Some(_) => fs_err::metadata(&target)?.permissions(),
            None => std::fs::Permissions::from_mode(0o666),
        };
        let mut temporary = temporary::beside(&target, mode.mode())?;
        temporary.write_all(text.as_bytes())?;
        if self.text.is_some() {
            temporary.as_file().set_permissions(mode)?;
        }
        temporary.as_file().sync_all()?;
        temporary.persist(&target)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_behind_its_link_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
        fs_err::write(&real, "a = 1\n").unwrap();
        fs_err::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        fs_err::os::unix::fs::symlink(&real, &link).unwrap();
        let file = File::open(link.clone()).unwrap();
        assert!(!file.write("a = 1\n").unwrap());
        let older = File { text: None, path: link.clone() };
        assert_eq!(older.write("a = 3\n").unwrap_err().code(), Code::Declined);
        assert!(file.write("a = 2\n").unwrap());
        assert_eq!(fs_err::read_to_string(&real).unwrap(), "a = 2\n");
        assert_eq!(fs_err::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(File::open(folder.path().join("no/pgherd.toml")).unwrap_err().code(), Code::Output);
        assert_eq!(File::open(folder.path().to_owned()).unwrap_err().code(), Code::Inventory);
    }
}
