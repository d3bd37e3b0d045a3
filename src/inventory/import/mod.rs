//! Takes over the files of the 4.x Ansible installer.
//!
//! `read` finds out what a file is and hands it to `ini` or `yaml`; `chosen` keeps what counted, as Ansible would have;
//! `catalogue` says what becomes of each setting and `convert` does it; `document` and `report` are what comes out, and
//! `output` writes it.

mod blocks;
mod catalogue;
mod chosen;
mod convert;
mod defaults;
mod document;
mod forms;
mod ini;
mod keys;
mod literal;
mod node;
mod output;
mod parts;
mod read;
mod release;
mod report;
mod setting;
mod template;
mod words;
mod work;
mod yaml;

use std::path::PathBuf;

use self::{document::Document, read::Source, setting::Fault, work::Work};
pub use self::{
    output::{WriteError, Written, secrets_folder},
    release::Release,
    report::{Added, FileRead, Problem, Report, Row, SecretMoved},
    setting::Place,
};

/// How to import.
#[derive(Clone, Debug)]
pub struct Options {
    /// Leave out what can't be carried over safely, instead of stopping.
    pub lenient: bool,
    /// Where secrets go.
    pub secrets: SecretsTo,
}

/// Where secrets go, since they don't stay in the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretsTo {
    /// Files in this folder, as the inventory refers to it.
    Folder(String),
    /// Variables of the environment, which the user sets.
    Environment,
}

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The inventory.
    pub toml: String,
    /// What became of every setting.
    pub report: Report,
    secrets: Vec<work::Secret>,
}

/// Why there is nothing to write.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can't be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// A file is something else than an old inventory.
    #[error("{file} {why}")]
    NotAnInventory {
        /// The file.
        file: String,
        /// What it is instead.
        why: &'static str,
    },
    /// Settings can't be carried over safely.
    #[error("{} can't be carried over safely", lines(.0.len()))]
    Unsafe(Vec<Problem>),
}

fn lines(count: usize) -> String {
    if count == 1 { "one setting".to_owned() } else { format!("{count} settings") }
}

/// Reads the files and makes an inventory of them. Writes nothing.
///
/// # Errors
/// When a file can't be read or is no old inventory, or with everything at once that can't be carried over safely.
pub fn run(files: &[PathBuf], options: &Options) -> Result<Imported, ImportError> {
    from(read::all(files)?, options)
}

/// Makes an inventory of what was read.
fn from(sources: Vec<Source>, options: &Options) -> Result<Imported, ImportError> {
    let mut report = Report::default();
    let mut listings = Vec::new();
    let mut faults: Vec<(String, Fault)> = Vec::new();
    for source in sources {
        let Source { path, format, listing } = source;
        report.settings += listing.settings.len();
        report.files.push(FileRead { path: path.clone(), format, settings: listing.settings.len() });
        faults.extend(listing.faults.into_iter().map(|fault| (path.clone(), fault)));
        listings.push(listing.settings);
    }
    let chosen = chosen::choose(listings);
    let release = release::detect(&|key| chosen.written(key));
    report.release = release;
    let several = report.files.len() > 1;
    let mut work = Work {
        options,
        chosen,
        document: Document::default(),
        report,
        problems: Vec::new(),
        secrets: Vec::new(),
        release,
        several,
    };
    head(&mut work);
    for (file, Fault { line, why, advice }) in faults {
        let place = Place { file, line };
        work.document.head(&format!("Left out: {place}: {why}"));
        work.problems.push(Problem { key: String::new(), place, to: None, why, advice: advice.to_owned() });
    }
    convert::all(&mut work);
    finish(work)
}

/// What is said at the top of the document.
fn head(work: &mut Work<'_>) {
    let files: Vec<&str> = work.report.files.iter().map(|file| file.path.as_str()).collect();
    let release = work.release.map_or_else(|| "PGO 4".to_owned(), |release| format!("PGO {release}"));
    let line = format!("Imported from {} ({release}).", files.join(", "));
    work.document.head(&line);
    if work.several {
        work.report
            .notes
            .push("Where files have the same setting, the one of the later file wins.".to_owned());
    }
}

fn finish(work: Work<'_>) -> Result<Imported, ImportError> {
    let Work { options, document, mut report, mut problems, secrets, .. } = work;
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    if !problems.is_empty() && !options.lenient {
        return Err(ImportError::Unsafe(problems));
    }
    report.left_out = problems;
    for rows in [
        &mut report.carried,
        &mut report.renamed,
        &mut report.changed,
        &mut report.dropped,
        &mut report.not_understood,
        &mut report.replaced,
    ] {
        rows.sort_by(|one, other| one.place.cmp(&other.place));
    }
    Ok(Imported { toml: document.render(), report, secrets })
}

#[cfg(test)]
mod tests;
