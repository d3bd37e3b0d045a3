//! `pgherd inventory check`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure, output::counted},
    inventory::{Inventory, Report},
};

/// Checks an inventory.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file [default: the one that `-i` names]
    file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    file: PathBuf,
    valid: bool,
    warnings: &'a Report,
    inventory: &'a Inventory,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let (file, checked) = context.checked(self.file)?;
        let result =
            Outcome { file, valid: true, warnings: &checked.warnings, inventory: &checked.inventory };
        context.printer.result(&result, || {
            let Inventory { installation, storages, .. } = &checked.inventory;
            let warnings = match checked.warnings.mistakes().len() {
                0 => String::new(),
                _ => format!("{}\n\n", checked.warnings.render(context.printer.colored())),
            };
            format!(
                "{warnings}{} is right: installation {} in namespace {}, {}, {}\n",
                result.file.display(),
                installation.name,
                installation.namespace,
                counted(checked.inventory.watched().len(), "watched namespace"),
                counted(storages.len(), "storage"),
            )
        })?;
        Ok(Exit::Success)
    }
}
