//! The TOML inventory: its model, and every mistake in it reported at its place.
//!
//! A file goes through three steps: `reader` and `raw` turn the TOML tree into values that are right on their own,
//! `validate` compares them with each other and fills in defaults, `model` is what the rest of the program sees.

mod code;
mod model;
mod raw;
mod reader;
mod report;
mod validate;

use std::path::Path;

use toml::de::DeTable;

pub use self::{
    code::Code,
    model::{
        AccessMode, Defaults, Images, Installation, Inventory, Namespaces, PullPolicy, Resources, Storage,
    },
    report::{Mistake, Report},
};

/// Why there is no inventory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file can't be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// The file has mistakes.
    #[error("the inventory has mistakes")]
    Mistakes(Report),
}

impl Inventory {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When the file can't be read, or with all its mistakes at once.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let source = fs_err::read_to_string(path).map_err(LoadError::Read)?;
        Self::parse(&path.display().to_string(), &source).map_err(LoadError::Mistakes)
    }

    /// Checks the text of a file; `file` is what its mistakes call it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, source: &str) -> Result<Self, Report> {
        let (root, errors) = DeTable::parse_recoverable(source);
        let notes = reader::Notes::default();
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            notes.add(Code::Syntax, span, "this is not TOML".to_owned(), error.message().replace('\n', ", "));
        }
        // Guesses about the meaning of a broken file would only bury what is wrong with it.
        if !errors.is_empty() {
            return Err(Report::new(file.to_owned(), source.to_owned(), notes.into_inner()));
        }
        let end = source.trim_end().len();
        let raw = raw::read(root.get_ref(), end.saturating_sub(1)..end, &notes);
        let inventory = validate::resolve(raw, source, &notes);
        let mistakes = notes.into_inner();
        match inventory {
            Some(inventory) if mistakes.is_empty() => Ok(inventory),
            _ => Err(Report::new(file.to_owned(), source.to_owned(), mistakes)),
        }
    }
}

#[cfg(test)]
mod tests;
