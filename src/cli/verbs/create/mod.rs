//! `pgherd create …`.

mod cluster;
mod defaults;
mod manifest;

use crate::cli::{Context, Exit, Failure};

/// What to create.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, clap::Subcommand)]
enum Noun {
    /// Create a PostgreSQL cluster and wait until it accepts connections
    Cluster(cluster::Args),
}

impl Args {
    /// Creates something.
    ///
    /// # Errors
    /// Whatever the creation fails with.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.noun {
            Noun::Cluster(args) => args.run(context).await,
        }
    }
}
