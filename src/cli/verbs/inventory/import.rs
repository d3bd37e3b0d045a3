//! `pgherd inventory import`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::{
    cli::{Code, Context, Exit, Failure, output::counted},
    inventory::{
        Checked, Level,
        import::{self, ImportError, Options, Report, SecretsTo, WriteError, Written},
    },
};

/// Makes an inventory of files of the 4.x Ansible installer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The old files: an `inventory` of 4.0 to 4.3, or `inventory.yaml` and `values.yaml` of later ones. Later files win
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The inventory to write; `-o FILE` is the same [default: standard output, with secrets in variables of the environment]
    #[arg(long = "to", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Leave out what can't be carried over safely, instead of stopping
    #[arg(long)]
    lenient: bool,
    /// Overwrite what a former import wrote
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<&'a Written>,
    /// Whether `inventory check` finds no errors.
    valid: bool,
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    toml: Option<&'a str>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { files, out, lenient, force } = self;
        let out = out.or_else(|| context.settings.out.clone());
        let secrets = match &out {
            Some(out) => SecretsTo::Folder(import::secrets_folder(out)),
            None => SecretsTo::Environment,
        };
        let imported = import::run(&files, &Options { lenient, secrets })?;
        // What a setting alone doesn't show, such as two that contradict each other, shows here.
        let name =
            out.as_ref().map_or_else(|| "the imported inventory".to_owned(), |out| out.display().to_string());
        let mistakes = Checked::parse(&name, &imported.toml, &[], None).err();
        if let Some(report) = &mistakes
            && !lenient
        {
            return Err(Failure::inventory(report.clone()));
        }
        let written = out.map(|out| imported.write(&out, force)).transpose()?;
        let report = &imported.report;
        let toml = written.is_none().then_some(imported.toml.as_str());
        let outcome = Outcome { written: written.as_ref(), valid: mistakes.is_none(), report, toml };
        let printer = &context.printer;
        printer.result(&outcome, || match &written {
            Some(written) => format!("{}{}", report.summary(), told(written, mistakes.is_none())),
            None => imported.toml.clone(),
        })?;
        if written.is_none() {
            printer.line(report.summary().trim_end());
        }
        for (secret, variable) in
            report.secrets.iter().filter_map(|secret| Some((secret, secret.env.as_ref()?)))
        {
            printer.warning(&format!("{} is a secret that was left out: set {variable} to it", secret.to));
        }
        if let Some(mistakes) = mistakes {
            let errors = counted(mistakes.count(Level::Error), "error");
            printer.warning(&format!("the inventory isn't right yet, it has {errors}"));
            printer.line(mistakes.render(printer.colored()).trim_end());
        }
        Ok(Exit::Success)
    }
}

/// What was written.
fn told(written: &Written, valid: bool) -> String {
    let passes = if valid { ", which passes `pgherd inventory check`" } else { "" };
    let secrets = match written.secrets.len() {
        0 => String::new(),
        _ => format!("Secrets are in files that only you can read, in {}.\n", folder(&written.secrets)),
    };
    let (file, page) = (written.inventory.display(), written.report.display());
    format!("Wrote {file}{passes}. The full report: {page}\n{secrets}")
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
                    // A line that is no setting has no key.
                    let key =
                        if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
                    format!("{}: {key}{}. {}", problem.place, problem.why, problem.advice)
                })
                .fold(Self::new(Code::Import, what), Self::because)
                .next("Nothing was written. `--lenient` leaves these out, and says so in the inventory."),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let what = error.to_string();
        match error {
            WriteError::Exists(_) => Self::new(Code::FileExists, what)
                .next("Nothing was written. `--force` overwrites it, another name keeps both."),
            WriteError::Write { .. } => Self::new(Code::Output, what).next("Nothing was changed."),
        }
    }
}
