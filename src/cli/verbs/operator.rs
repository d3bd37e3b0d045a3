//! `pgherd operator`: the reconciler, as it runs in the cluster.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    cli::{Code, Context, Exit, Failure},
    domain::names::NamespaceName,
    operator::{Options, Scope, run},
};

/// Prefix of the variables that name the image for a major version of PostgreSQL.
const IMAGE_VARIABLE: &str = "RELATED_IMAGE_POSTGRES_";

/// Options of `pgherd operator`. The installer sets them as environment variables of the Deployment.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A namespace to look after; all of them unless any is named
    #[arg(long, env = "PGHERD_WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAME")]
    watch_namespace: Vec<NamespaceName>,
    /// Directory with tls.crt and tls.key for health and metrics; nothing is served without it
    #[arg(long, env = "PGHERD_TLS_DIR", value_name = "DIR")]
    tls_dir: Option<PathBuf>,
    /// Address that health and metrics are served on
    #[arg(long, env = "PGHERD_LISTEN", default_value = "0.0.0.0:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
}

impl Args {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the API server can't be reached at the start, or the endpoint can't be served.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { watch_namespace, tls_dir, listen } = self;
        let client = context.client().await?;
        let scope = if watch_namespace.is_empty() {
            Scope::All
        } else {
            Scope::Namespaces(watch_namespace.iter().map(ToString::to_string).collect())
        };
        let images = std::env::vars()
            .filter_map(|(name, image)| Some((name.strip_prefix(IMAGE_VARIABLE)?.parse().ok()?, image)))
            .filter(|(_, image)| !image.is_empty())
            .collect();
        let options = Options { scope, images, endpoint: tls_dir.map(|directory| (directory, listen)) };
        run(client, options).await.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(Exit::Success)
    }
}
