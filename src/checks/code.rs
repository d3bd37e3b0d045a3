//! The stable codes of checks.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};
use strum::IntoEnumIterator as _;

/// A check. Its text form (`PG-STORAGE-02`) keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumIter)]
pub enum Code {
    /// The server's version.
    ServerVersion,
    /// The server's clock.
    Clock,
    /// The caller's rights.
    Rights,
    /// Storage classes are there.
    StorageClass,
    /// Volumes can grow.
    VolumeExpansion,
    /// Volumes are made.
    VolumeBinding,
    /// A volume grew.
    VolumeGrowth,
    /// Images can be pulled.
    ImagePull,
    /// The bucket for backups.
    Bucket,
    /// Namespaces are there, or can be made.
    Namespaces,
    /// What pods may do there.
    PodSecurity,
    /// What may be used there.
    Quota,
    /// What a container may ask for there.
    LimitRange,
    /// Other installations.
    Installations,
    /// Other operators for the same resource.
    OtherOperator,
    /// Whose the definitions are.
    Definitions,
    /// Names that others have taken.
    Names,
}

impl Code {
    /// The stable text form.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::ServerVersion => "PG-SERVER-01",
            Self::Clock => "PG-SERVER-02",
            Self::Rights => "PG-RIGHTS-01",
            Self::StorageClass => "PG-STORAGE-01",
            Self::VolumeExpansion => "PG-STORAGE-02",
            Self::VolumeBinding => "PG-STORAGE-03",
            Self::VolumeGrowth => "PG-STORAGE-04",
            Self::ImagePull => "PG-IMAGE-01",
            Self::Bucket => "PG-BACKUP-01",
            Self::Namespaces => "PG-NAMESPACE-01",
            Self::PodSecurity => "PG-NAMESPACE-02",
            Self::Quota => "PG-NAMESPACE-03",
            Self::LimitRange => "PG-NAMESPACE-04",
            Self::Installations => "PG-NEIGHBOUR-01",
            Self::OtherOperator => "PG-NEIGHBOUR-02",
            Self::Definitions => "PG-NEIGHBOUR-03",
            Self::Names => "PG-NEIGHBOUR-04",
        }
    }

    /// The heading that it stands under.
    #[must_use]
    pub fn group(self) -> &'static str {
        match self {
            Self::ServerVersion | Self::Clock => "Kubernetes",
            Self::Rights => "Rights",
            Self::StorageClass | Self::VolumeExpansion | Self::VolumeBinding | Self::VolumeGrowth => {
                "Storage"
            }
            Self::ImagePull => "Images",
            Self::Bucket => "Backups",
            Self::Namespaces | Self::PodSecurity | Self::Quota | Self::LimitRange => "Namespaces",
            Self::Installations | Self::OtherOperator | Self::Definitions | Self::Names => "Neighbours",
        }
    }

    /// What is looked at, and why it matters.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ServerVersion => {
                "The API server answers, and its version has everything that pgherd uses. Older ones lack server-side \
                 apply with strict field validation or rules in definitions."
            }
            Self::Clock => {
                "The clocks of this machine and of the API server agree. Certificates are valid from a moment on, and \
                 whoever is behind doesn't accept them yet."
            }
            Self::Rights => {
                "You may do everything that an installation does, each thing asked of the API server as it will be \
                 done. `pgherd check --role` prints the roles that an administrator can apply for you."
            }
            Self::StorageClass => {
                "The storage classes that the inventory names exist, or there is a default class where it names none. \
                 Volumes of an unknown class are never made, and the database waits for ever."
            }
            Self::VolumeExpansion => {
                "The storage classes let volumes grow. Otherwise the size of a database's volume can't be changed \
                 later, only the database moved to larger volumes."
            }
            Self::VolumeBinding => {
                "The storage classes make volumes: `pgherd check --probe` has one made, of 1Gi at most, with a pod \
                 that uses it, and removes both. Classes that keep volumes whose claim is gone are left out."
            }
            Self::VolumeGrowth => {
                "A volume that `pgherd check --probe` has made really grows to twice its size, where the class says \
                 that volumes can."
            }
            Self::ImagePull => {
                "Images can be pulled where they will be, with the inventory's pull secrets: `pgherd check --probe` \
                 makes a pod for each image and namespace, and removes it. It tells about the node that the pod got."
            }
            Self::Bucket => {
                "The bucket in `[s3]` is there and takes the key. It is asked from the machine that runs the check, \
                 whose network may be another one than the pods'. Left out where the inventory names no bucket."
            }
            Self::Namespaces => {
                "The namespaces of the inventory exist and aren't being deleted, or will be made by the installation."
            }
            Self::PodSecurity => {
                "The level of pod security that a namespace enforces. All pods of pgherd run at the level \
                 `restricted`, so any level is right; containers of your own in a cluster may need more."
            }
            Self::Quota => {
                "The quotas of the namespaces leave room for the operator, and for one database cluster of the \
                 inventory's defaults in each watched namespace."
            }
            Self::LimitRange => {
                "The limit ranges of the namespaces allow what the operator and the inventory's default resources ask \
                 for."
            }
            Self::Installations => {
                "No other installation of pgherd looks after a namespace of this one. Two operators at one database \
                 would undo each other's work."
            }
            Self::OtherOperator => {
                "No operator of another maker, such as that of 4.x or 5.x, runs for the same kinds of resources."
            }
            Self::Definitions => {
                "The definition of PostgresCluster is pgherd's, or there is none yet. One of another maker is changed \
                 by an installation, for everybody in the cluster."
            }
            Self::Names => "No object of somebody else has the name of one that the installation makes.",
        }
    }

    /// The code with this text form, in any case of letters.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::all().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// Every check, in the order in which findings are shown.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

/// The reference page `docs/reference/checks.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Checks\n\nWhat [`pgherd check`](../check.md) looks at. A code keeps its meaning in all later versions; \
         `pgherd explain CODE` says\nthe same.\n",
    );
    let mut group = "";
    for code in Code::all() {
        if code.group() != group {
            group = code.group();
            write!(page, "\n## {group}\n\n| code | what is looked at |\n| --- | --- |\n").ok();
        }
        writeln!(page, "| {} | {} |", code.id(), code.meaning()).ok();
    }
    page
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
