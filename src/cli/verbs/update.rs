//! `pgherd update`.

use std::path::PathBuf;

use super::install::Manner;
use crate::cli::{Context, Exit, Failure};

/// How to update.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder whose subfolders replace roles that come with pgherd
    #[arg(long, env = "PGHERD_ROLES_DIR", hide_env_values = true, value_name = "DIR")]
    roles_dir: Option<PathBuf>,
    /// Take over fields that somebody else set in the meantime
    #[arg(long)]
    force_conflicts: bool,
    /// Go on although what is installed is of a newer version
    #[arg(long)]
    allow_downgrade: bool,
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
        let Self { roles_dir, force_conflicts, allow_downgrade, rollback_on_failure } = self;
        Manner { roles_dir, force_conflicts, allow_downgrade, existing: true, rollback_on_failure }
            .run(context)
            .await
    }
}
