//! `pgherd inventory …`.

mod check;
mod explain;
mod import;
mod schema;
mod show;

use clap::Subcommand;

use crate::cli::{Context, Exit, Failure};

/// What to do with an inventory.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check an inventory without a cluster, and show all its mistakes
    Check(check::Args),
    /// Show the settings that are in force, and where each comes from
    Show(show::Args),
    /// Explain a setting by its name, or by the name that the 4.x installer had for it
    Explain(explain::Args),
    /// Make an inventory of the files of the 4.x Ansible installer
    Import(import::Args),
    /// Print the JSON Schema of inventories, for editors
    Schema(schema::Args),
}

impl Args {
    /// Whether `-o` can name a file.
    #[must_use]
    pub fn writes_file(&self) -> bool {
        matches!(self.action, Action::Import(_))
    }

    /// Does it.
    ///
    /// # Errors
    /// When the inventory can't be read or has mistakes, or what was asked for doesn't exist.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(args) => args.run(context),
            Action::Show(args) => args.run(context),
            Action::Explain(args) => args.run(context),
            Action::Import(args) => args.run(context),
            Action::Schema(args) => args.run(context),
        }
    }
}
