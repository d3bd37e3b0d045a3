//! The stable codes of failures that are not mistakes in an inventory (those are in [`crate::inventory::Code`]).

use strum::IntoEnumIterator as _;

use super::exit::Exit;

/// Why a run failed. The text form (`PG-K8S-01`) is what a person looks up and a script compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
pub enum Code {
    /// A defect.
    Internal,
    /// Standard output or a file can't be written.
    Output,
    /// Stopped by a signal.
    Interrupted,
    /// Flags that contradict each other or lack a value.
    Usage,
    /// The inventory can't be read or has mistakes.
    Inventory,
    /// No inventory was named.
    InventoryMissing,
    /// A setting that was asked about doesn't exist.
    SettingMissing,
    /// A code that was asked about doesn't exist.
    CodeMissing,
    /// An old inventory can't be imported.
    Import,
    /// A file that was to be written is there already.
    FileExists,
    /// Nobody is there to confirm.
    NoTerminal,
    /// The answer was no.
    Declined,
    /// No kube config.
    KubeConfigMissing,
    /// A kube config that can't be used.
    KubeConfigInvalid,
    /// A context that the kube config doesn't have.
    ContextUnknown,
    /// The API server doesn't answer.
    Unreachable,
    /// The API server's certificate isn't trusted, or it doesn't speak TLS.
    Tls,
    /// The API server doesn't accept the credentials.
    Unauthorised,
    /// The caller lacks a right.
    Forbidden,
    /// The API server rejected an object.
    Rejected,
    /// An object that was named doesn't exist.
    ObjectMissing,
    /// The API server answered something else than expected.
    ApiServer,
    /// Another installer holds the Lease.
    Busy,
    /// A role's template can't be rendered.
    Role,
    /// An object that was to be applied was rejected.
    ApplyFailed,
    /// An object belongs to somebody else.
    NotOurs,
    /// The operator did not become ready.
    NotReady,
    /// Definitions did not become ready.
    DefinitionsNotReady,
    /// Certificates can't be issued.
    Certificates,
    /// A step of the rotation of an authority would cut clients off.
    RotationRefused,
    /// The operator doesn't show a certificate.
    NotTaken,
    /// No installation was found.
    NoInstallation,
    /// Several installations were found.
    SeveralInstallations,
    /// The record of an installation can't be read.
    Record,
    /// Rights that somebody else was to give aren't there.
    RightsMissing,
    /// A file that the inventory names is of no use.
    File,
    /// Something isn't as an installation needs it.
    CheckFailed,
    /// What is installed is newer than this program.
    Downgrade,
    /// Database clusters stand against an uninstall.
    ClustersExist,
    /// Something did not go away in time.
    NotGone,
    /// A database cluster of that name exists already.
    ClusterExists,
    /// There is no such database cluster.
    ClusterMissing,
    /// The operator doesn't follow the description of a database cluster.
    ClusterRefused,
    /// A database cluster did not become ready in time.
    ClusterNotReady,
    /// A database cluster did not go away in time.
    ClusterNotGone,
    /// There is no such database user.
    UserMissing,
    /// A database can't be connected to.
    NoConnection,
    /// The primary of a database cluster stays as it is.
    NotSwitchedOver,
}

impl Code {
    /// The stable text form.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Internal => "PG-CLI-01",
            Self::Output => "PG-CLI-02",
            Self::Interrupted => "PG-CLI-03",
            Self::Usage => "PG-CLI-04",
            Self::NoTerminal => "PG-CLI-05",
            Self::Declined => "PG-CLI-06",
            Self::InventoryMissing => "PG-CLI-07",
            Self::Inventory => "PG-CLI-08",
            Self::SettingMissing => "PG-CLI-09",
            Self::CodeMissing => "PG-CLI-10",
            Self::Import => "PG-CLI-11",
            Self::FileExists => "PG-CLI-12",
            Self::KubeConfigMissing => "PG-K8S-01",
            Self::KubeConfigInvalid => "PG-K8S-02",
            Self::ContextUnknown => "PG-K8S-03",
            Self::Unreachable => "PG-K8S-04",
            Self::Tls => "PG-K8S-05",
            Self::Unauthorised => "PG-K8S-06",
            Self::Forbidden => "PG-K8S-07",
            Self::Rejected => "PG-K8S-08",
            Self::ObjectMissing => "PG-K8S-09",
            Self::ApiServer => "PG-K8S-10",
            Self::Busy => "PG-INSTALL-01",
            Self::Role => "PG-INSTALL-02",
            Self::ApplyFailed => "PG-INSTALL-03",
            Self::NotOurs => "PG-INSTALL-04",
            Self::Certificates => "PG-INSTALL-05",
            Self::DefinitionsNotReady => "PG-INSTALL-06",
            Self::NotReady => "PG-INSTALL-07",
            Self::NoInstallation => "PG-INSTALL-08",
            Self::SeveralInstallations => "PG-INSTALL-09",
            Self::Record => "PG-INSTALL-10",
            Self::RightsMissing => "PG-INSTALL-11",
            Self::File => "PG-INSTALL-12",
            Self::CheckFailed => "PG-INSTALL-13",
            Self::Downgrade => "PG-INSTALL-14",
            Self::RotationRefused => "PG-CERTS-01",
            Self::NotTaken => "PG-CERTS-02",
            Self::ClustersExist => "PG-UNINSTALL-01",
            Self::NotGone => "PG-UNINSTALL-02",
            Self::ClusterExists => "PG-CLUSTER-01",
            Self::ClusterMissing => "PG-CLUSTER-02",
            Self::ClusterRefused => "PG-CLUSTER-03",
            Self::ClusterNotReady => "PG-CLUSTER-04",
            Self::ClusterNotGone => "PG-CLUSTER-05",
            Self::UserMissing => "PG-CLUSTER-06",
            Self::NoConnection => "PG-CLUSTER-07",
            Self::NotSwitchedOver => "PG-CLUSTER-08",
        }
    }

    /// What it means, for the reference.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Internal => "A defect.",
            Self::Output => "Standard output or a file can't be written.",
            Self::Interrupted => "Stopped by a signal.",
            Self::Usage => "Flags that contradict each other or lack a value.",
            Self::Inventory => "The inventory can't be read or has mistakes.",
            Self::InventoryMissing => "No inventory was named.",
            Self::SettingMissing => "There is no such setting.",
            Self::CodeMissing => "There is no such code.",
            Self::Import => {
                "An inventory of the 4.x installer can't be read or can't be carried over safely."
            }
            Self::FileExists => "A file that was to be written is there already.",
            Self::NoTerminal => "Nobody is there to confirm.",
            Self::Declined => "The answer was no.",
            Self::KubeConfigMissing => "No kube config.",
            Self::KubeConfigInvalid => "A kube config that can't be used.",
            Self::ContextUnknown => "A context that the kube config doesn't have.",
            Self::Unreachable => "The API server doesn't answer.",
            Self::Tls => "The API server's certificate isn't trusted, or it doesn't speak TLS.",
            Self::Unauthorised => "The API server doesn't accept the credentials.",
            Self::Forbidden => "The caller lacks a right.",
            Self::Rejected => "The API server rejected an object.",
            Self::ObjectMissing => "An object that was named doesn't exist.",
            Self::ApiServer => "The API server answered something else than expected.",
            Self::Busy => "Another installer holds the Lease.",
            Self::Role => "A role's template can't be rendered.",
            Self::ApplyFailed => "An object that was to be applied was rejected.",
            Self::NotOurs => "An object belongs to somebody else.",
            Self::NotReady => "The operator did not become ready.",
            Self::DefinitionsNotReady => "Definitions did not become ready.",
            Self::Certificates => {
                "Certificates can't be issued: an authority of yours is missing or can't be used."
            }
            Self::RotationRefused => {
                "It isn't this step's turn: an authority would be gone too early, or is yours to replace."
            }
            Self::NotTaken => "The operator doesn't show its new certificate in time.",
            Self::NoInstallation => "No installation was found.",
            Self::SeveralInstallations => "Several installations were found.",
            Self::Record => "The record of an installation can't be read.",
            Self::RightsMissing => "Rights that somebody else was to give the operator aren't there.",
            Self::File => "A file that the inventory names can't be read, or isn't what it should be.",
            Self::CheckFailed => "A check found that something isn't as an installation needs it.",
            Self::Downgrade => "What is installed is of a newer version than this program.",
            Self::ClustersExist => "Database clusters stand against an uninstall.",
            Self::NotGone => "Something did not go away in time.",
            Self::ClusterExists => "A database cluster of that name exists already.",
            Self::ClusterMissing => "There is no such database cluster.",
            Self::ClusterRefused => "The operator doesn't follow the description of a database cluster.",
            Self::ClusterNotReady => "A database cluster did not become ready in time.",
            Self::ClusterNotGone => "A database cluster did not go away in time.",
            Self::UserMissing => "There is no such database user.",
            Self::NoConnection => "A database can't be connected to.",
            Self::NotSwitchedOver => "The primary of a database cluster stays as it is.",
        }
    }

    /// The exit code that goes with it.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Internal | Self::Output | Self::Role | Self::Record => Exit::Internal,
            Self::Interrupted => Exit::Interrupted,
            Self::Usage | Self::InventoryMissing | Self::SeveralInstallations => Exit::Usage,
            Self::Inventory | Self::Import | Self::File | Self::Certificates => Exit::Inventory,
            Self::FileExists
            | Self::NoTerminal
            | Self::Declined
            | Self::ClustersExist
            | Self::RightsMissing
            | Self::Downgrade
            | Self::ClusterExists
            | Self::NotOurs
            | Self::RotationRefused => Exit::Refused,
            Self::KubeConfigMissing
            | Self::KubeConfigInvalid
            | Self::ContextUnknown
            | Self::Unreachable
            | Self::Tls
            | Self::Unauthorised => Exit::Unreachable,
            Self::Forbidden | Self::Rejected | Self::ApiServer | Self::ApplyFailed => Exit::Rejected,
            Self::ObjectMissing
            | Self::NoInstallation
            | Self::ClusterMissing
            | Self::UserMissing
            | Self::SettingMissing
            | Self::CodeMissing => Exit::NotFound,
            Self::Busy => Exit::Busy,
            Self::DefinitionsNotReady
            | Self::CheckFailed
            | Self::NotReady
            | Self::NotGone
            | Self::ClusterRefused
            | Self::ClusterNotReady
            | Self::ClusterNotGone
            | Self::NotTaken
            | Self::NoConnection
            | Self::NotSwitchedOver => Exit::NotReady,
        }
    }

    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_id_is_its_own() {
        let ids: BTreeSet<&str> = Code::all().map(Code::id).collect();
        assert_eq!(ids.len(), Code::all().count());
    }
}
