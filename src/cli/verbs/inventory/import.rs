//! `pgherd inventory import`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    cli::{Code, Context, Exit, Failure},
    inventory::{
        Checked,
        import::{self, ImportError, Options, Report, SecretsTo, WriteError, Written},
    },
};

/// Makes an inventory of files of the 4.x Ansible installer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The old files: an `inventory` of 4.0 to 4.3, or `inventory.yaml` and `values.yaml` of later ones. Later files win
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The inventory to write [default: standard output, with secrets in variables of the environment]
    #[arg(long = "to", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave out what can't be carried over safely, instead of stopping
    #[arg(long)]
    lenient: bool,
    /// Overwrite what a former import wrote
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Written>,
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    toml: Option<&'a str>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { files, out, lenient, force } = self;
        let secrets = match &out {
            Some(out) => SecretsTo::Folder(import::secrets_folder(out)),
            None => SecretsTo::Environment,
        };
        let imported = import::run(&files, &Options { lenient, secrets })?;
        // What a setting alone doesn't show, such as two that contradict each other, shows here.
        let checked = Checked::parse("the imported inventory", &imported.toml, &[], None);
        if let Err(report) = checked.as_ref()
            && !lenient
        {
            return Err(Failure::inventory(report.clone()));
        }
        let printer = &context.printer;
        let Some(out) = out else {
            let outcome = Outcome { written: None, report: &imported.report, toml: Some(&imported.toml) };
            printer.line(imported.report.summary().trim_end());
            printer.result(&outcome, || imported.toml.clone())?;
            return Ok(Exit::Success);
        };
        let written = imported.write(&out, force)?;
        let outcome = Outcome { written: Some(&written), report: &imported.report, toml: None };
        printer.result(&outcome, || {
            let verdict = match &checked {
                Ok(_) => "which passes `pgherd inventory check`".to_owned(),
                Err(report) => format!("where {} mistakes are left", report.mistakes().len()),
            };
            let secrets = match written.secrets.len() {
                0 => String::new(),
                _ => {
                    format!("Secrets are in files that only you can read, in {}.\n", folder(&written.secrets))
                }
            };
            let (file, page) = (out.display(), written.report.display());
            format!(
                "{}Wrote {file}, {verdict}. The full report: {page}\n{secrets}",
                imported.report.summary()
            )
        })?;
        Ok(Exit::Success)
    }
}

fn folder(secrets: &[PathBuf]) -> String {
    secrets.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).display().to_string()
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let what = error.to_string();
        match error {
            ImportError::Read(_) => Self::new(Code::Import, "the old inventory can't be read").because(what),
            ImportError::NotAnInventory { .. } => Self::new(Code::Import, what)
                .next("Name an `inventory`, `inventory.yaml` or `values.yaml` of the 4.x installer."),
            ImportError::Unsafe(problems) => problems
                .iter()
                .map(|problem| {
                    let key = if problem.key.is_empty() { "this line" } else { &problem.key };
                    format!("{}: {key}: {} {}", problem.place, problem.why, problem.advice)
                })
                .fold(Self::new(Code::Import, what), Self::because)
                .next("Nothing was written. `--lenient` leaves these out, and says so in the inventory."),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let failure = Self::new(Code::Output, error.to_string());
        match error {
            WriteError::Exists(_) => failure.next("Nothing was written. `--force` overwrites it."),
            WriteError::Write { .. } => failure.next("Nothing was changed."),
        }
    }
}
