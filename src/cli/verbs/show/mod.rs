//! `pgherd show …`.

mod cluster;
mod text;
mod user;
pub(super) mod view;

use crate::cli::{Context, Exit, Failure};

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, clap::Subcommand)]
enum Noun {
    /// Show a cluster with its instances, or list clusters
    Cluster(cluster::Args),
    /// List database users, and how to connect as them
    User(user::Args),
}

impl Args {
    /// Shows something.
    ///
    /// # Errors
    /// When it isn't there or can't be read.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.noun {
            Noun::Cluster(args) => args.run(context).await,
            Noun::User(args) => args.run(context).await,
        }
    }
}
