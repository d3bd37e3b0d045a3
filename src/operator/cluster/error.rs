//! Why a reconciliation stopped.

use crate::{
    k8s::{self, Kind, exec::ExecError},
    operator::FenceError,
    pki,
};

/// Why a reconciliation stopped. It is tried again; what was done by then stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This operator isn't, or may not be, the one to act.
    #[error(transparent)]
    Fence(#[from] FenceError),
    /// The API server refused or can't be reached.
    #[error("failed to read or change objects of the cluster: {0}")]
    Api(#[from] Box<kube::Error>),
    /// An object can't be applied.
    #[error(transparent)]
    Apply(#[from] k8s::Error),
    /// A certificate can't be made.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// A command in a pod failed.
    #[error("failed to set up roles and databases: {0}")]
    Exec(#[from] ExecError),
    /// A request was never answered.
    #[error("no answer within {} s", .0.as_secs())]
    Stuck(std::time::Duration),
    /// Patroni's configuration can't be written as JSON.
    #[error("failed to write Patroni's configuration: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}

impl Error {
    /// What the API server says about an object that it will refuse again and again, because of the cluster's description or of
    /// an admission rule.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Apply(error) if matches!(error.kind(), Kind::Invalid | Kind::Forbidden) => {
                Some(error.to_string())
            }
            _ => None,
        }
    }

    /// A short word for metrics.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Fence(_) => "fence",
            Self::Api(_) => "api",
            Self::Apply(_) => "apply",
            Self::Pki(_) => "pki",
            Self::Exec(_) => "exec",
            Self::Stuck(_) => "stuck",
            Self::Json(_) => "json",
        }
    }
}

/// The result of a request for an object that may be gone already.
///
/// # Errors
/// Every other error of the request.
pub(super) fn ignore_missing<T>(result: kube::Result<T>) -> kube::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
