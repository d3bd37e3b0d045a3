//! `pgherd version`.

use serde::Serialize;

use crate::cli::{Context, Exit, Failure};

/// What to tell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tell this program's version only, without asking the cluster
    #[arg(long)]
    client: bool,
}

#[derive(Serialize)]
struct Versions {
    client: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
}

impl Args {
    /// Prints the versions.
    ///
    /// # Errors
    /// When the cluster was to be asked and can't be.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { client } = self;
        let kubernetes = if client { None } else { Some(context.connection().await?.version.clone()) };
        let versions = Versions { client: crate::VERSION, kubernetes };
        context.printer.result(&versions, || {
            let mut text = format!("pgherd      {}\n", versions.client);
            if let Some(kubernetes) = &versions.kubernetes {
                text.extend(["Kubernetes  ", kubernetes, "\n"]);
            }
            text
        })?;
        Ok(Exit::Success)
    }
}
