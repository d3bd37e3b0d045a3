//! `pgherd operator`: the reconciler, as it runs in the cluster.

use std::net::SocketAddr;

use crate::{
    certificates::{Policy, Source},
    cli::{Code, Context, Exit, Failure},
    desired::network_policy::Network,
    domain::{
        duration::WrittenDuration,
        names::{InstallationName, NamespaceName, ObjectName},
    },
    inventory::{Installation, KeyAlgorithm, NamespaceMode},
    operator::{
        Certificates, Followed, Identity, Marks, Options, PullSecrets, Scope,
        cluster::validate::DefaultImages, run,
    },
    roles::{certificates, labels},
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
    /// Address that health and metrics are served on; nothing is served without it
    #[arg(long, env = "PGHERD_LISTEN", value_name = "ADDRESS", requires = "installation")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    tls: Tls,
}

/// What NetworkPolicies of clusters let through: what the inventory says in `[network]`.
#[derive(Debug, clap::Args)]
struct NetworkArgs {
    /// Whether clusters get NetworkPolicies
    #[arg(long, env = "PGHERD_NETWORK_POLICIES", requires = "api_server_port")]
    network_policies: bool,
    /// Namespaces, with commas between them, whose pods may connect to databases besides those of the databases' own; everybody
    /// may without this
    #[arg(long, env = "PGHERD_CLIENT_NAMESPACES", value_name = "NAMES")]
    client_namespaces: Option<String>,
    /// A port of the API server
    #[arg(long, env = "PGHERD_API_SERVER_PORTS", value_delimiter = ',', value_name = "PORT")]
    api_server_port: Vec<u16>,
}

/// How the certificate for health and metrics is made and renewed: what the inventory says in `[tls]`.
#[derive(Debug, clap::Args)]
struct Tls {
    /// Whether the authority is one of the user's, which isn't replaced before it expires
    #[arg(long = "tls-authority-given", env = "PGHERD_TLS_AUTHORITY_GIVEN")]
    authority_given: bool,
    /// A Secret with an authority of the user's
    #[arg(long = "tls-authority-secret", env = "PGHERD_TLS_AUTHORITY_SECRET", value_name = "NAME")]
    authority_secret: Option<ObjectName>,
    /// The algorithm of new keys
    #[arg(
        long = "tls-algorithm",
        env = "PGHERD_TLS_ALGORITHM",
        value_name = "NAME",
        default_value = "ecdsa-p256"
    )]
    algorithm: KeyAlgorithm,
    /// How long an authority is valid
    #[arg(
        long = "tls-authority-validity",
        env = "PGHERD_TLS_AUTHORITY_VALIDITY",
        value_name = "DURATION",
        default_value = "3650d"
    )]
    authority_validity: WrittenDuration,
    /// How long a certificate is valid
    #[arg(
        long = "tls-certificate-validity",
        env = "PGHERD_TLS_CERTIFICATE_VALIDITY",
        value_name = "DURATION",
        default_value = "365d"
    )]
    certificate_validity: WrittenDuration,
    /// How long before its end a certificate is renewed [default: a third of its validity]
    #[arg(long = "tls-renew-before", env = "PGHERD_TLS_RENEW_BEFORE", value_name = "DURATION")]
    renew_before: Option<WrittenDuration>,
}

impl Tls {
    fn policy(self) -> Policy {
        let source = match self.authority_secret {
            Some(secret) => Source::Secret(secret.to_string()),
            None if self.authority_given => Source::Given,
            None => Source::Made,
        };
        Policy {
            source,
            algorithm: certificates::algorithm(self.algorithm),
            authority_validity: self.authority_validity.length(),
            certificate_validity: self.certificate_validity.length(),
            renew_before: self.renew_before.map(|before| before.length()),
        }
    }
}

impl NetworkArgs {
    fn network(self) -> Option<Network> {
        let Self { network_policies, client_namespaces, api_server_port } = self;
        let split = |names: String| {
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        network_policies.then(|| Network {
            client_namespaces: client_namespaces.map(split),
            api_server_ports: api_server_port.into_iter().collect(),
        })
    }
}

impl Args {
    /// Runs until it is told to stop.
    ///
    /// # Errors
    /// When the API server can't be reached at the start, or the endpoint can't be served.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { watch_namespace, namespace_mode, installation, image_pull_secrets, listen, network, tls } =
            self;
        let installation = installation
            .zip(context.settings.namespace.clone())
            .map(|(name, namespace)| Installation { name, namespace, debug: false });
        let unknown = |why: &str| {
            Failure::new(Code::Usage, "the installation has no name, or no namespace")
                .because(why)
                .next("Set PGHERD_INSTALLATION and PGHERD_NAMESPACE.")
        };
        let endpoint = match (listen, &installation) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(unknown("The Secret with the certificate of the endpoint is named after it."));
            }
            (Some(address), Some(installation)) => {
                Some((address, Certificates { home: certificates::home(installation), policy: tls.policy() }))
            }
        };
        let listed = watch_namespace.iter().map(ToString::to_string);
        let scope = match (namespace_mode, &installation) {
            (NamespaceMode::Disabled, _) if watch_namespace.is_empty() => Scope::All,
            (NamespaceMode::Disabled, _) => Scope::Namespaces(listed.collect()),
            (NamespaceMode::ReadOnly | NamespaceMode::Dynamic, None) => {
                return Err(unknown("Namespaces are followed by a label that is made of both."));
            }
            (mode, Some(installation)) => Scope::Followed(Followed {
                key: labels::NAMESPACE.to_owned(),
                value: labels::namespace_label(installation),
                listed: listed.collect(),
                pull_secrets: PullSecrets {
                    home: installation.namespace.to_string(),
                    names: image_pull_secrets.clone(),
                    membership: (labels::PART_OF, labels::set_id(installation)),
                },
                made_with: (mode == NamespaceMode::Dynamic)
                    .then(|| labels::of_watched_namespace(installation))
                    .map(|(labels, annotations)| Marks { labels, annotations }),
            }),
        };
        let client = context.service_client().await?;
        let postgres = std::env::vars()
            .filter_map(|(name, image)| Some((name.strip_prefix(IMAGE_VARIABLE)?.parse().ok()?, image)))
            .filter(|(_, image)| !image.is_empty())
            .collect();
        let images = DefaultImages { postgres, pull_secrets: image_pull_secrets };
        let identity = installation.map(|installation| Identity {
            namespace: installation.namespace.to_string(),
            lease: labels::operator_lease(&installation),
            follower: labels::namespace_label(&installation),
        });
        let options = Options { identity, scope, images, network: network.network(), endpoint };
        run(client, options).await.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(Exit::Success)
    }
}
