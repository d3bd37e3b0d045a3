//! What a verb fails with: the one shape that the printer knows how to show, and how every module's error becomes it.

use super::{codes::Code, exit::Exit};

/// A failed run: what failed, why, and what to do next.
///
/// Boxed, so that a `Result` with it stays small.
#[derive(Debug)]
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    what: String,
    details: Vec<String>,
    next: Option<String>,
    diagnostics: Option<crate::inventory::Report>,
}

impl Failure {
    /// A failure with its code and what failed, as a lowercase sentence without a period.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, what: what.into(), details: Vec::new(), next: None, diagnostics: None }))
    }

    /// A defect of pgherd or of the machine it runs on.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::new(Code::Internal, error.to_string())
    }

    /// Adds a line or paragraph that says why, or what was seen.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.0.details.push(detail.into());
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.0.next = Some(next.into());
        self
    }

    /// Mistakes in an inventory, shown at their places.
    #[must_use]
    pub fn inventory(report: crate::inventory::Report) -> Self {
        let mut failure = Self::new(Code::Inventory, "the inventory has mistakes");
        failure.0.diagnostics = Some(report);
        failure
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The exit code of the run.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.code.exit()
    }

    /// What failed.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why, line by line.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.0.details
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// The mistakes of an inventory, when that is what failed.
    #[must_use]
    pub fn diagnostics(&self) -> Option<&crate::inventory::Report> {
        self.0.diagnostics.as_ref()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.what)?;
        self.0.details.iter().try_for_each(|detail| write!(formatter, ": {detail}"))
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(failure) => failure,
            Err(error) => {
                let mut chain = error.chain().map(ToString::to_string);
                let what = chain.next().unwrap_or_default();
                chain.fold(Self::new(Code::Internal, what), Self::because)
            }
        }
    }
}

impl From<crate::k8s::client::ConnectError> for Failure {
    fn from(error: crate::k8s::client::ConnectError) -> Self {
        use crate::k8s::client::ConnectError;
        let what = error.to_string();
        match error {
            ConnectError::NoConfig { looked_at } => {
                let paths: Vec<String> = looked_at.iter().map(|path| path.display().to_string()).collect();
                Self::new(Code::KubeConfigMissing, what)
                    .because(format!("Looked at: {}", paths.join(", ")))
                    .next("Name one with `--kubeconfig FILE` or in KUBECONFIG.")
            }
            ConnectError::InvalidConfig { reason } => {
                Self::new(Code::KubeConfigInvalid, "the kube config can't be used").because(reason)
            }
            ConnectError::UnknownContext { known, .. } => Self::new(Code::ContextUnknown, what)
                .because(format!("The kube config has: {}", known.join(", ")))
                .next("Name one of these with `--context`."),
            ConnectError::Unreachable { server, reason } => {
                Self::new(Code::Unreachable, format!("the API server {server} can't be reached"))
                    .because(reason)
                    .next("Is the address right, the server up, and no firewall in between?")
            }
            ConnectError::Tls { server, reason } => {
                Self::new(Code::Tls, format!("the API server {server} can't be trusted"))
                    .because(reason)
                    .next("Does the kube config's certificate-authority belong to this server?")
            }
            ConnectError::Unauthorised { server, reason } => Self::new(
                Code::Unauthorised,
                format!("the API server {server} doesn't accept the credentials"),
            )
            .because(reason)
            .next("Have they expired? `kubectl auth whoami` asks the same."),
        }
    }
}

impl From<crate::k8s::Error> for Failure {
    fn from(error: crate::k8s::Error) -> Self {
        use crate::k8s::Kind;
        let code = match error.kind() {
            Kind::NotFound => Code::ObjectMissing,
            Kind::Forbidden => Code::Forbidden,
            Kind::Unauthorised => Code::Unauthorised,
            Kind::Invalid | Kind::Conflict => Code::Rejected,
            Kind::Overloaded => Code::ApiServer,
            Kind::Transport => Code::Unreachable,
        };
        Self::new(code, format!("can't {}", error.action())).because(error.message())
    }
}

impl From<crate::inventory::LoadError> for Failure {
    fn from(error: crate::inventory::LoadError) -> Self {
        match error {
            crate::inventory::LoadError::Read(error) => {
                Self::new(Code::Inventory, "the inventory can't be read").because(error.to_string())
            }
            crate::inventory::LoadError::Mistakes(report) => Self::inventory(report),
        }
    }
}
