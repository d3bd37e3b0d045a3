//! Groups of arguments that several verbs take.

use std::path::PathBuf;

use super::Failure;
use crate::roles::Catalogue;

/// Where roles come from.
#[derive(Debug, clap::Args)]
pub(super) struct RolesArgs {
    /// A folder whose subfolders replace roles that come with pgherd
    #[arg(long, env = "PGHERD_ROLES_DIR", hide_env_values = true, value_name = "DIR")]
    roles_dir: Option<PathBuf>,
}

impl RolesArgs {
    /// The roles.
    ///
    /// # Errors
    /// When the folder can't be read, or has something else than roles.
    pub(super) fn catalogue(&self) -> Result<Catalogue, Failure> {
        Ok(Catalogue::load(self.roles_dir.as_deref())?)
    }
}
