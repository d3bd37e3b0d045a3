//! `pgherd delete …`.

mod cluster;

use crate::cli::{Context, Exit, Failure};

/// What to delete.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, clap::Subcommand)]
enum Noun {
    /// Delete a PostgreSQL cluster with its data
    Cluster(cluster::Args),
}

impl Args {
    /// Deletes something.
    ///
    /// # Errors
    /// When it isn't there, isn't confirmed, or doesn't go.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.noun {
            Noun::Cluster(args) => args.run(context).await,
        }
    }
}
