//! Keeps files that are generated from code current.

use std::path::Path;

/// Fails unless the file below the package's root has this content; with `UPDATE=1` in the environment, writes it.
pub(crate) fn assert_current(path: &str, content: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, content).unwrap();
        return;
    }
    let present = fs_err::read_to_string(&file).unwrap_or_default();
    assert!(
        present == content,
        "{path} is not what the code says. Write it anew with `UPDATE=1 cargo test --release --lib api` and commit \
         it.\n{}",
        similar::TextDiff::from_lines(present.as_str(), content).unified_diff().header("file", "code")
    );
}
