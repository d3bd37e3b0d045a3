//! Finding, reaching and authenticating to the API server, with one clear reason when that fails.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, Config,
    api::PostParams,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::{ServiceBuilder, buffer::BufferLayer, retry::RetryLayer};

use super::{
    error::{cause, innermost},
    patience::{Notice, Patience},
};

/// How long a connection may take to open, and the first answers to arrive.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// The oldest Kubernetes that has everything that is used of it: its major and minor version.
pub const OLDEST: (u32, u32) = (1, 33);

/// The major and minor version of a server that says it is a version such as `1.32.7+vendor`.
#[must_use]
pub fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '+', '-']).map_while(|number| number.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// Requests that may wait for the connection.
const QUEUE: usize = 1024;

/// Which cluster to talk to; what isn't said is found as kubectl finds it.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The kube config to use instead of the usual ones.
    pub kubeconfig: Option<PathBuf>,
    /// The context to use instead of the current one.
    pub context: Option<String>,
    /// Whether to be the pod that this runs in, whatever kube configs there are.
    pub in_cluster: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nothing says where the API server is.
    #[error("no kube config was found")]
    NoConfig {
        /// Where it was looked for.
        looked_at: Vec<PathBuf>,
    },
    /// A kube config can't be used.
    #[error("the kube config can't be used: {reason}")]
    InvalidConfig {
        /// Why.
        reason: String,
    },
    /// The context isn't there.
    #[error("no context is called {context:?}")]
    UnknownContext {
        /// The one asked for.
        context: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// No answer.
    #[error("the API server {server} can't be reached: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// Its certificate is not accepted.
    #[error("the API server {server} can't be trusted: {reason}")]
    Tls {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
    /// It doesn't know who calls.
    #[error("the API server {server} doesn't accept the credentials: {reason}")]
    Unauthorised {
        /// Its address.
        server: String,
        /// Why.
        reason: String,
    },
}

/// A checked connection to an API server.
#[derive(Clone)]
pub struct Connection {
    /// The client; it retries requests that the server was too busy for.
    pub client: Client,
    /// The name of the kube config's context, or `in-cluster`.
    pub context: String,
    /// The name of the cluster, or of the context where there is none.
    pub cluster: String,
    /// The server's address.
    pub server: String,
    /// The server's version, such as `1.34.4`.
    pub version: String,
    /// Who the server takes the caller for.
    pub user: String,
    /// The context's namespace.
    pub default_namespace: String,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { context, server, version, .. } = self;
        formatter
            .debug_struct("Connection")
            .field("context", context)
            .field("server", server)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, and asks the server for its version and for who we are. Later requests are tried again while the server is
    /// away, if there is somebody to tell; a service decides itself what to do then.
    ///
    /// # Errors
    /// The one reason why that can't be, within seconds.
    pub async fn open(target: &Target, notice: Option<Notice>) -> Result<Self, ConnectError> {
        let (mut config, context, cluster) = load(target).await?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();

        let probe = match &notice {
            Some(notice) => patient(config.clone(), Patience::first(notice.clone())),
            None => impatient(config.clone()),
        };
        let probe = probe.map_err(|error| classify(&error, &server))?;
        let (version, user) = check(&probe, &server).await?;
        let default_namespace = config.default_namespace.clone();
        let client = match notice {
            Some(notice) => patient(config, Patience::new(notice)),
            None => Client::try_from(config),
        };
        let client = client.map_err(|error| classify(&error, &server))?;
        Ok(Self { client, context, cluster, server, version, user, default_namespace })
    }
}

/// A client that takes the first answer, and the lack of one.
fn impatient(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    Client::try_from(config)
}

fn patient(mut config: Config, patience: Patience) -> Result<Client, kube::Error> {
    config.default_retry = false;
    let layer =
        ServiceBuilder::new().layer(RetryLayer::new(patience)).layer(BufferLayer::new(QUEUE)).into_inner();
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

async fn check(client: &Client, server: &str) -> Result<(String, String), ConnectError> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let (parameters, review) = (PostParams::default(), SelfSubjectReview::default());
    let answers =
        async { tokio::try_join!(client.apiserver_version(), reviews.create(&parameters, &review)) };
    let (version, review) = tokio::time::timeout(ANSWER, answers)
        .await
        .map_err(|_| ConnectError::Unreachable {
            server: server.to_owned(),
            reason: format!("no answer within {} s", ANSWER.as_secs()),
        })?
        .map_err(|error| classify(&error, server))?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    Ok((version.git_version.trim_start_matches('v').to_owned(), user.unwrap_or_default()))
}

async fn load(target: &Target) -> Result<(Config, String, String), ConnectError> {
    let pod = || ("in-cluster".to_owned(), "in-cluster".to_owned());
    if target.in_cluster {
        let (context, cluster) = pod();
        let config = in_cluster().ok_or_else(|| ConnectError::InvalidConfig {
            reason: "kubernetes.in_cluster is true, but this is not a pod with a service account".to_owned(),
        })?;
        return Ok((config, context, cluster));
    }
    let candidates = candidates(target);
    let Some(merged) = merged(&candidates)? else {
        return match (in_cluster(), target.kubeconfig.is_none() && target.context.is_none()) {
            (Some(config), true) => {
                let (context, cluster) = pod();
                Ok((config, context, cluster))
            }
            _ => Err(ConnectError::NoConfig { looked_at: candidates }),
        };
    };
    let known: Vec<String> = merged.contexts.iter().map(|context| context.name.clone()).collect();
    let wanted = target.context.clone().or_else(|| merged.current_context.clone()).unwrap_or_default();
    let Some(context) = merged.contexts.iter().find(|context| context.name == wanted) else {
        return Err(if wanted.is_empty() {
            ConnectError::InvalidConfig { reason: "it has no current context, and none was named".to_owned() }
        } else {
            ConnectError::UnknownContext { context: wanted, known }
        });
    };
    let cluster = context.context.as_ref().map_or_else(|| wanted.clone(), |inner| inner.cluster.clone());
    let options = KubeConfigOptions { context: Some(wanted.clone()), ..KubeConfigOptions::default() };
    let config =
        Config::from_custom_kubeconfig(merged, &options).await.map_err(|error| invalid(None, &error))?;
    Ok((config, wanted, cluster))
}

/// The contexts of the kube config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    /// Their names.
    pub known: Vec<String>,
    /// The current one.
    pub current: Option<String>,
}

/// The contexts that a target could name. There are none where there is no kube config.
///
/// # Errors
/// When a kube config can't be used.
pub fn contexts(target: &Target) -> Result<Contexts, ConnectError> {
    if target.in_cluster {
        return Ok(Contexts::default());
    }
    let merged = merged(&candidates(target))?.unwrap_or_default();
    let known: Vec<String> = merged.contexts.into_iter().map(|context| context.name).collect();
    let current = merged.current_context.filter(|current| known.contains(current));
    Ok(Contexts { known, current })
}

/// What the kube configs that exist say together, as kubectl reads them.
fn merged(candidates: &[PathBuf]) -> Result<Option<Kubeconfig>, ConnectError> {
    let mut merged = None;
    for path in candidates.iter().filter(|path| path.exists()) {
        let next = Kubeconfig::read_from(path).map_err(|error| invalid(Some(path), &error))?;
        let before: Kubeconfig = merged.unwrap_or_default();
        merged = Some(before.merge(next).map_err(|error| invalid(Some(path), &error))?);
    }
    Ok(merged)
}

/// Files that may hold a kube config, in kubectl's order.
fn candidates(target: &Target) -> Vec<PathBuf> {
    if let Some(path) = &target.kubeconfig {
        return vec![path.clone()];
    }
    match std::env::var_os("KUBECONFIG") {
        Some(paths) if !paths.is_empty() => {
            std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect()
        }
        _ => std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    }
}

/// Inside a pod, its ServiceAccount says all there is to know.
fn in_cluster() -> Option<Config> {
    std::env::var_os("KUBERNETES_SERVICE_HOST")?;
    Config::incluster().ok()
}

fn invalid(path: Option<&Path>, error: &KubeconfigError) -> ConnectError {
    let reason = innermost(error);
    ConnectError::InvalidConfig {
        reason: path.map_or_else(|| reason.clone(), |path| format!("{}: {reason}", path.display())),
    }
}

fn classify(error: &kube::Error, server: &str) -> ConnectError {
    let server = server.to_owned();
    match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            ConnectError::Unauthorised { server, reason: status.message.clone() }
        }
        kube::Error::Auth(source) => ConnectError::Unauthorised { server, reason: innermost(source) },
        kube::Error::Api(status) => {
            ConnectError::Unreachable { server, reason: format!("HTTP {} {}", status.code, status.message) }
        }
        other => {
            let reason = innermost(other);
            let mut link: Option<&(dyn std::error::Error + 'static)> = Some(other);
            while let Some(error) = link {
                if error.downcast_ref::<rustls::Error>().is_some() {
                    return ConnectError::Tls { server, reason };
                }
                link = cause(error);
            }
            match other {
                kube::Error::RustlsTls(_) => ConnectError::Tls { server, reason },
                _ => ConnectError::Unreachable { server, reason },
            }
        }
    }
}
