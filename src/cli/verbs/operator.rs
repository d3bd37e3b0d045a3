//! `pgherd operator`: the reconciler, as it runs in the cluster.

use std::{net::SocketAddr, path::PathBuf};

use crate::{
    cli::{Code, Context, Exit, Failure},
    domain::names::{InstallationName, NamespaceName},
    inventory::{Installation, NamespaceMode},
    operator::{Followed, Marks, Options, Scope, cluster::validate::DefaultImages, run},
    roles::labels,
};

/// Prefix of the variables that name the image for a major version of PostgreSQL.
const IMAGE_VARIABLE: &str = "RELATED_IMAGE_POSTGRES_";

/// Options of `pgherd operator`. The installer sets them as environment variables of the Deployment.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A namespace to look after; all of them unless any is named
    #[arg(long, env = "PGHERD_WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAME")]
    watch_namespace: Vec<NamespaceName>,
    /// Whether namespaces with the installation's label are looked after too, and whether missing ones are made
    #[arg(long, env = "PGHERD_NAMESPACE_MODE", value_name = "MODE", default_value = "disabled")]
    namespace_mode: NamespaceMode,
    /// Name of the installation
    #[arg(long, env = "PGHERD_INSTALLATION", value_name = "NAME")]
    installation: Option<InstallationName>,
    /// Secrets that the pods of all clusters pull images with
    #[arg(long, env = "PGHERD_IMAGE_PULL_SECRETS", value_delimiter = ',', value_name = "NAME")]
    image_pull_secrets: Vec<String>,
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
        let Self { watch_namespace, namespace_mode, installation, image_pull_secrets, tls_dir, listen } =
            self;
        let client = context.service_client().await?;
        let listed = watch_namespace.iter().map(ToString::to_string);
        let scope = match namespace_mode {
            NamespaceMode::Disabled if watch_namespace.is_empty() => Scope::All,
            NamespaceMode::Disabled => Scope::Namespaces(listed.collect()),
            NamespaceMode::ReadOnly | NamespaceMode::Dynamic => {
                let (Some(name), Some(namespace)) = (installation, context.settings.namespace.clone()) else {
                    return Err(Failure::new(Code::Usage, "the installation has no name, or no namespace")
                        .because("Namespaces are followed by a label that is made of both.")
                        .next("Set PGHERD_INSTALLATION and PGHERD_NAMESPACE."));
                };
                let installation = Installation { name, namespace, debug: false };
                Scope::Followed(Followed {
                    key: labels::NAMESPACE.to_owned(),
                    value: labels::namespace_label(&installation),
                    listed: listed.collect(),
                    made_with: (namespace_mode == NamespaceMode::Dynamic)
                        .then(|| labels::of_watched_namespace(&installation))
                        .map(|(labels, annotations)| Marks { labels, annotations }),
                })
            }
        };
        let postgres = std::env::vars()
            .filter_map(|(name, image)| Some((name.strip_prefix(IMAGE_VARIABLE)?.parse().ok()?, image)))
            .filter(|(_, image)| !image.is_empty())
            .collect();
        let images = DefaultImages { postgres, pull_secrets: image_pull_secrets };
        let options = Options { scope, images, endpoint: tls_dir.map(|directory| (directory, listen)) };
        run(client, options).await.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(Exit::Success)
    }
}
