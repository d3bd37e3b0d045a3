//! `pgherd certs …`.

mod databases;
mod export;
mod renew;
mod rotate;
mod scene;
mod show;

use crate::cli::{Context, Exit, Failure};

/// What to do with certificates.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// List all certificates of an installation and of its database clusters, and when they end
    Show(show::Args),
    /// Make the operator's certificate anew, before it is due
    Renew(renew::Args),
    /// Replace the authority of the operator, or of a namespace's databases, step by step
    ///
    /// Without a flag, a new authority is made and trusted beside the one that issues certificates: give it to your clients
    /// (`pgherd certs export`). With `--reissue` it begins to issue, and the old one is still trusted. With `--finish` the
    /// old one is trusted no longer. Each step can be run again, and says what comes next.
    ///
    /// With `--databases -n NAMESPACE` this is about the authority that all clusters of that namespace share, and each step
    /// waits until every instance has taken it up.
    #[command(name = "rotate-ca")]
    RotateCa(rotate::Args),
    /// Write the certificates that a client has to trust
    Export(export::Args),
}

impl Args {
    /// Works on certificates.
    ///
    /// # Errors
    /// When there is no installation, its Secrets can't be read or written, or something stands against it.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.task {
            Task::Show(args) => args.run(context).await,
            Task::Renew(args) => args.run(context).await,
            Task::RotateCa(args) => args.run(context).await,
            Task::Export(args) => args.run(context).await,
        }
    }

    /// Whether the verb writes a file.
    #[must_use]
    pub fn writes_file(&self) -> bool {
        matches!(self.task, Task::Export(_))
    }
}
