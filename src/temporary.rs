//! Files that come into being beside the one whose place they take: whole, or not at all.

use std::{fs::Permissions, io, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::NamedTempFile;

/// An empty file in the folder of `path`, so that it can be moved there at once. Of `mode` it gets what the umask leaves.
///
/// # Errors
/// When nothing can be written there.
pub(crate) fn beside(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".pgherd-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)
}
