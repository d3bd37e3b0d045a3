//! `pgherd update`.

use super::install::{self, Manner};
use crate::cli::{Context, Exit, Failure};

/// How to update.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    install: install::Args,
    /// Put everything back as it was when the update fails
    #[arg(long)]
    rollback_on_failure: bool,
}

impl Args {
    /// Brings an installation that is there to this program's version and to what its inventory says. Database clusters keep
    /// running.
    ///
    /// # Errors
    /// When there is none, and whenever an installation fails.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { install, rollback_on_failure } = self;
        install.carry_out(context, &Manner::Update { rollback_on_failure }).await
    }
}
