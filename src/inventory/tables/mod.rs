//! The tables of an inventory: every setting is described once, here, with its type, its default and what it is for.

mod access;
mod choices;
mod defaults;
mod images;
mod installation;
mod metrics;
mod network;
mod objects;
mod secret;
mod storage;
mod texts;
mod tls;

pub use self::{
    access::Access,
    choices::{
        AccessMode, GcsKeyType, KeyAlgorithm, LogLevel, LogStatement, NamespaceMode, PodAntiAffinity,
        PullPolicy, ServiceType, StorageType, UriStyle,
    },
    defaults::{BackupSchedules, DefaultResources, DefaultStorage, Defaults, MinDuration},
    images::Images,
    installation::{DeletedNamespaces, Installation, Kubernetes, Namespaces, OpenShift, Rbac},
    metrics::{Alertmanager, Grafana, Metrics, Prometheus},
    network::Network,
    objects::{Gcs, S3},
    secret::SecretSource,
    storage::{Resources, Storage},
    texts::{DatabaseName, Digest, Endpoint, FilePath, ImageName, LabelKey, Line},
    tls::Tls,
};
pub(super) use self::{
    defaults::RawDefaults,
    images::RawImages,
    installation::{RawInstallation, RawKubernetes},
    network::RawNetwork,
    objects::{RawGcs, RawS3},
    storage::{RawResources, RawStorage},
    tls::RawTls,
};
use super::table::settings;

settings! {
    /// Every table that is there once.
    Tables / RawTables {
        /// Who we are.
        installation: [table] Installation, old [];
        /// How the cluster is reached.
        kubernetes: [table] Kubernetes, old [];
        /// Where databases may be.
        namespaces: [table] Namespaces, old [];
        /// Rights of the operator.
        rbac: [table] Rbac, old [];
        /// What may talk to what.
        network: [table] Network, old [];
        /// What runs.
        images: [table] Images, old [];
        /// Certificates.
        tls: [table] Tls, old [];
        /// People and programs that use the installation.
        access: [table] Access, old [];
        /// What a database cluster gets that asks for nothing else.
        defaults: [table] Defaults, old [];
        /// Backups in S3, or in a store that speaks its protocol.
        s3: [table] S3, old [];
        /// Backups in Google Cloud Storage.
        gcs: [table] Gcs, old [];
        /// What watches the databases.
        metrics: [table] Metrics, old [];
    }
}
