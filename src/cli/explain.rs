//! How the errors of the modules below become failures with a code and advice: the one place where these meet.

use super::{Code, Failure};
use crate::{
    certificates,
    inventory::LoadError,
    k8s::{self, Kind, client::ConnectError, lease::LeaseError},
    pki,
    roles::{
        self,
        engine::{ObjectError, PlanError},
        record::RecordError,
        removal::RemovalError,
    },
};

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
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

impl From<k8s::Error> for Failure {
    fn from(error: k8s::Error) -> Self {
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

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Read(error) => {
                Self::new(Code::Inventory, "the inventory can't be read").because(error.to_string())
            }
            LoadError::Mistakes(report) => Self::inventory(report),
        }
    }
}

impl From<roles::Error> for Failure {
    fn from(error: roles::Error) -> Self {
        match error {
            roles::Error::Certificates(error) => error.into(),
            other => Self::new(Code::Role, "the roles can't be rendered").because(other.to_string()),
        }
    }
}

impl From<certificates::Error> for Failure {
    fn from(error: certificates::Error) -> Self {
        let why = error.to_string();
        let failure = |what: &str| Self::new(Code::Certificates, what).because(why.clone());
        let ours = |advice: &str| failure("your authority can't be used").next(advice.to_owned());
        match &error {
            certificates::Error::Pki(_) => failure("certificates can't be made"),
            certificates::Error::Read(_) => ours(
                "The paths of tls.authority_certificate and tls.authority_key are relative to the inventory's folder.",
            ),
            certificates::Error::Exposed { file, .. } => {
                ours(&format!("Keep it to yourself: `chmod 600 {file}`."))
            }
            certificates::Error::Missing { .. } | certificates::Error::Incomplete { .. } => ours(
                "Put it there with the keys ca.crt and ca.key: `kubectl create secret generic NAME --from-file=ca.crt \
                 --from-file=ca.key`.",
            ),
            certificates::Error::Unusable { source: pki::Error::Key(_), .. } => {
                ours("`openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW` writes a key in this form.")
            }
            certificates::Error::NotYet { .. } => ours("Is the clock of this machine right?"),
            certificates::Error::Unusable { .. }
            | certificates::Error::Expired { .. }
            | certificates::Error::CantIssue { .. } => {
                ours("Nothing was written. Name one that works, or none: then pgherd makes its own.")
            }
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        let what = error.to_string();
        match error {
            RecordError::None => Self::new(Code::NoInstallation, what)
                .next("Is it this cluster (`--context`), and the operator's namespace (`-n`)?"),
            RecordError::Several(installations) => installations
                .iter()
                .map(|installation| format!("{} in namespace {}", installation.name, installation.namespace))
                .fold(Self::new(Code::SeveralInstallations, what), Self::because)
                .next("Say which by its inventory (`-i FILE`)."),
            RecordError::Invalid { secret, reason } => {
                Self::new(Code::Record, format!("the record {secret} can't be read"))
                    .because(reason)
                    .next("Was it written by a newer pgherd? `pgherd install -i FILE` writes it anew.")
            }
            RecordError::Request(error) => error.into(),
        }
    }
}

impl From<roles::FileError> for Failure {
    fn from(error: roles::FileError) -> Self {
        Self::new(Code::File, "a file that the inventory names is of no use").because(error.to_string())
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Roles(error) => error.into(),
            PlanError::Request(error) => error.into(),
            PlanError::Record(error) => error.into(),
            PlanError::Namespace(error) => {
                Self::new(Code::NotGone, "a namespace is still being deleted").because(error.to_string())
            }
            PlanError::Newer(installed) => {
                let what = format!(
                    "{installed} is installed, which is newer than this program ({})",
                    crate::VERSION
                );
                Self::new(Code::Downgrade, what)
                    .because("An older operator may not understand what a newer one has made.")
                    .next("Use that version, or say `--allow-downgrade`.")
            }
            PlanError::Missing(missing) => missing
                .into_iter()
                .fold(
                    Self::new(
                        Code::RightsMissing,
                        "the operator's rights are not there, and rbac.create is false",
                    ),
                    Self::because,
                )
                .next("Have an administrator apply what `pgherd render access -i FILE` prints."),
            PlanError::Objects(errors) => objects(&errors),
        }
    }
}

fn objects(errors: &[ObjectError]) -> Failure {
    let not_ours = errors.iter().any(|error| matches!(error, ObjectError::NotOurs { .. }));
    let kinds: Vec<Kind> = errors
        .iter()
        .filter_map(|error| match error {
            ObjectError::Request { error, .. } => Some(error.kind()),
            ObjectError::NotOurs { .. } | ObjectError::StoredVersion { .. } => None,
        })
        .collect();
    let (code, next) = if not_ours {
        (Code::NotOurs, "Choose another installation.name or namespace, or remove what is in the way.")
    } else if kinds.contains(&Kind::Conflict) {
        (Code::ApplyFailed, "`--force-conflicts` takes fields over that somebody else set.")
    } else if kinds.contains(&Kind::Forbidden) {
        (Code::Forbidden, "Ask an administrator of the cluster for these rights, or to install.")
    } else {
        (Code::ApplyFailed, "What was applied before this stays; the next run goes on from there.")
    };
    let count = crate::cli::output::counted(errors.len(), "object");
    errors
        .iter()
        .map(ToString::to_string)
        .fold(Failure::new(code, format!("{count} can't be applied")), Failure::because)
        .next(next)
}

impl From<LeaseError> for Failure {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held { .. } => Self::new(Code::Busy, error.to_string())
                .next("Wait until it is done; then the same command goes on from there."),
            LeaseError::Request(error) => error.into(),
        }
    }
}

impl From<RemovalError> for Failure {
    fn from(error: RemovalError) -> Self {
        match error {
            RemovalError::Request(error) => error.into(),
            RemovalError::NotGone { id, error } => Self::new(Code::NotGone, format!("{id} is still there"))
                .because(error.to_string())
                .next("The same command goes on from here."),
        }
    }
}
