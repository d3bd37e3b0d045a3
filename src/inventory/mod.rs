//! The TOML inventory: its settings, and every mistake in it reported at its place.
//!
//! Every setting is described once, in `tables`, with its type, default and meaning. From that description come the model,
//! the reading of files ([`Inventory::parse`]), help ([`catalogue`]), the schema and the reference.
//!
//! A file goes through three steps: `raw` reads values that are right on their own, `validate` compares them with each
//! other, `model` fills in defaults and is what the rest of the program sees.

pub mod catalogue;
mod code;
pub mod examples;
mod images;
pub mod import;
mod model;
mod notes;
mod overrides;
mod raw;
pub mod reference;
mod report;
pub mod schema;
mod section;
pub mod setting;
mod source;
mod table;
mod tables;
mod validate;
mod value;

use std::path::Path;

use toml::de::DeTable;

pub use self::{
    code::{Code, Level},
    images::ResolvedImages,
    model::Inventory,
    overrides::Given,
    report::{Mistake, Report},
    source::{Origin, Place, Source, SourceKind},
    table::Row,
    tables::*,
    value::{GroupId, Major, Port, PostgresVersion, Within},
};
use self::{
    notes::Notes,
    raw::RawInventory,
    section::{Reading, Section},
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

/// An inventory, and what is worth knowing about it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The inventory.
    pub inventory: Inventory,
    /// What may not be as meant.
    pub warnings: Report,
    /// Every setting, its value, and where it came from.
    pub rows: Vec<Row>,
}

impl Inventory {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When the file can't be read, or with all its mistakes at once.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Checked::load(path, &[]).map(|checked| checked.inventory)
    }

    /// Checks the text of a file; `file` is what its mistakes call it.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, source: &str) -> Result<Self, Report> {
        Checked::parse(file, source, &[], None).map(|checked| checked.inventory)
    }
}

impl Checked {
    /// Reads and checks a file, with what flags and the environment set.
    ///
    /// # Errors
    /// When the file can't be read, or with all mistakes at once.
    pub fn load(path: &Path, given: &[Given]) -> Result<Self, LoadError> {
        let source = fs_err::read_to_string(path).map_err(LoadError::Read)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&path.display().to_string(), &source, given, Some(folder)).map_err(LoadError::Mistakes)
    }

    /// Checks the text of a file, with what flags and the environment set. Files that the inventory names are looked for in
    /// the folder, if there is one.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn parse(file: &str, text: &str, given: &[Given], folder: Option<&Path>) -> Result<Self, Report> {
        let notes = Notes::default();
        let mut sources = vec![Source::new(SourceKind::File(file.to_owned()), text.to_owned())];
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let place = Place { source: 0, span: error.span().unwrap_or(0..0) };
            notes.add(
                Code::Syntax,
                place,
                "this is not TOML".to_owned(),
                error.message().replace('\n', ", "),
            );
        }
        // Guesses about the meaning of a broken file would only bury what is wrong with it.
        if !errors.is_empty() {
            sources[0].text = notes::blot_suspicious(text);
            return Err(notes.into_report(sources));
        }
        let overrides = overrides::read(given, &mut sources, &notes);
        let end = text.trim_end().len();
        let end = Place { source: 0, span: end.saturating_sub(1)..end };
        let reading = Reading { notes: &notes, overrides: &overrides };
        let raw = RawInventory::read(Section::top(root.get_ref(), end, &reading));
        validate::compare(&raw, &sources, &notes);
        if let Some(folder) = folder {
            validate::files(&raw, folder, &notes);
        }
        let rows = raw.rows(&sources);
        validate::effects(&rows, &notes);
        let inventory = Inventory::complete(raw, &notes);
        let report = notes.into_report(sources);
        match inventory {
            Some(inventory) if report.count(Level::Error) == 0 => {
                Ok(Self { inventory, warnings: report, rows })
            }
            _ => Err(report),
        }
    }
}

#[cfg(test)]
mod tests;
