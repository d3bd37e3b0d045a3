//! `pgherd inventory schema`.

use crate::{
    cli::{Context, Exit, Failure},
    inventory::schema,
};

/// Prints the schema.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self {} = self;
        let text = serde_json::to_string_pretty(&schema::schema()).map_err(Failure::internal)?;
        context.printer.raw(&format!("{text}\n"))?;
        Ok(Exit::Success)
    }
}
