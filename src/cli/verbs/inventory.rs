//! `pgherd inventory …`.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure, output::counted},
    inventory::Inventory,
};

/// What to do with an inventory.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check an inventory without a cluster, and show all its mistakes
    Check {
        /// The file [default: the one that `-i` names]
        file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    valid: bool,
    inventory: Inventory,
}

impl Args {
    /// Checks the inventory.
    ///
    /// # Errors
    /// When it can't be read or has mistakes.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { action: Action::Check { file } } = self;
        let (file, inventory) = match file {
            Some(file) => (file.clone(), Inventory::load(&file)?),
            None => (context.settings.inventory.clone().unwrap_or_default(), context.inventory()?),
        };
        let checked = Checked { file, valid: true, inventory };
        context.printer.result(&checked, || {
            let Inventory { installation, storages, .. } = &checked.inventory;
            format!(
                "{} is right: installation {} in namespace {}, {}, {}\n",
                checked.file.display(),
                installation.name,
                installation.namespace,
                counted(checked.inventory.watched().len(), "watched namespace"),
                counted(storages.len(), "storage"),
            )
        })?;
        Ok(Exit::Success)
    }
}
