//! `pgherd inventory show`.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure, output::table},
    inventory::{Origin, Row},
};

/// Shows settings. Secrets stay hidden.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file [default: the one that `-i` names]
    file: Option<PathBuf>,
    /// Show every setting, also those that have their defaults
    #[arg(long)]
    resolved: bool,
}

#[derive(Serialize)]
struct Outcome {
    file: PathBuf,
    settings: Vec<Row>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { file, resolved } = self;
        let (file, checked) = context.checked(file)?;
        let mut settings = checked.rows;
        settings.retain(|row| resolved || row.origin != Origin::Default);
        let outcome = Outcome { file, settings };
        context.printer.result(&outcome, || {
            let rows = outcome.settings.iter().map(|row| {
                let value = match (&row.value, row.without) {
                    (Some(value), _) => value.clone(),
                    (None, Some(without)) => format!("– ({without})"),
                    (None, None) => "–".to_owned(),
                };
                [row.key.clone(), value, row.origin.to_string()]
            });
            table(&["SETTING", "VALUE", "FROM"], rows)
        })?;
        Ok(Exit::Success)
    }
}
