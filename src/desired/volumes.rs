//! Volumes of an instance's pod, and where its containers see them.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{
        ConfigMapProjection, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource, PodSpec,
        ProjectedVolumeSource, SecretProjection, Volume, VolumeMount, VolumeProjection,
    },
    apimachinery::pkg::api::resource::Quantity,
};

use super::{
    cluster::{Cluster, InstanceSet, Tablespace},
    config_maps, secrets,
    text::patroni,
};
use crate::domain::{cluster_names::InstanceName, parameters::CERTIFICATE_DIRECTORY};

const DATA: &str = "postgres-data";
const WAL: &str = "postgres-wal";
const CERTIFICATES: &str = "cert-volume";
const PATRONI_FILES: &str = "patroni-config";
const PATRONI_DIRECTORY: &str = "patroni-directory";
const IDENTITY: &str = "identity";
const TEMPORARY: &str = "tmp";
const SHARED_MEMORY: &str = "dshm";
const FILES: &str = "postgres-config";

/// Mode of certificates and keys. The kubelet adds reading for the volume's group, which PostgreSQL and libpq accept of
/// files that root owns.
pub(super) const PRIVATE: i32 = 0o600;

/// All volumes of the pod of `instance`.
#[must_use]
pub(super) fn build(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> Vec<Volume> {
    let mut volumes = vec![claim(DATA, set.data_claim(instance))];
    if Cluster::mounts_wal(set) {
        volumes.push(claim(WAL, set.wal_claim(instance)));
    }
    for tablespace in &set.tablespaces {
        volumes.push(claim(&volume_of(tablespace), instance.tablespace_volume(&tablespace.name)));
    }
    if !cluster.files.is_empty() {
        volumes.push(projected(FILES, cluster.files.clone(), None));
    }
    volumes.extend(vec![
        projected(
            CERTIFICATES,
            vec![secret(server_certificate(cluster)), secret(replication_certificate(cluster))],
            Some(PRIVATE),
        ),
        projected(PATRONI_FILES, patroni_files(cluster, instance), Some(PRIVATE)),
        scratch(PATRONI_DIRECTORY, EmptyDirVolumeSource::default()),
        scratch(IDENTITY, EmptyDirVolumeSource::default()),
        temporary("16Mi"),
        // The container runtime's own is 64 MiB, less than a parallel query may need.
        scratch(
            SHARED_MEMORY,
            EmptyDirVolumeSource { medium: Some("Memory".to_owned()), ..Default::default() },
        ),
    ]);
    volumes
}

/// What the startup container sees.
#[must_use]
pub(super) fn startup_mounts(set: &InstanceSet) -> Vec<VolumeMount> {
    let mut mounts = data_mounts(set);
    mounts.extend([
        read_only(PATRONI_FILES, patroni::MOUNT),
        mount(PATRONI_DIRECTORY, "/etc/patroni"),
        mount(IDENTITY, "/identity"),
        mount(TEMPORARY, "/tmp"),
    ]);
    mounts
}

/// What the database container sees.
#[must_use]
pub(super) fn database_mounts(cluster: &Cluster, set: &InstanceSet) -> Vec<VolumeMount> {
    let account = |file: &str| VolumeMount {
        sub_path: Some(file.to_owned()),
        ..read_only(IDENTITY, &format!("/etc/{file}"))
    };
    let mut mounts = data_mounts(set);
    mounts.extend([
        read_only(CERTIFICATES, CERTIFICATE_DIRECTORY),
        read_only(PATRONI_FILES, patroni::MOUNT),
        read_only(PATRONI_DIRECTORY, "/etc/patroni"),
        account("passwd"),
        account("group"),
        mount(TEMPORARY, "/tmp"),
        mount(SHARED_MEMORY, "/dev/shm"),
    ]);
    if !cluster.files.is_empty() {
        mounts.push(read_only(FILES, "/etc/postgres"));
    }
    mounts
}

/// Which file of an instance with certificates is what in which Secret: its name below [`CERTIFICATE_DIRECTORY`], then the
/// Secret and the key.
pub type CertificateFiles = BTreeMap<String, (String, String)>;

/// The files with certificates of a pod; none when it has none.
#[must_use]
pub fn certificate_files(spec: &PodSpec) -> Option<CertificateFiles> {
    let volume = spec.volumes.iter().flatten().find(|volume| volume.name == CERTIFICATES)?;
    let sources = volume.projected.as_ref()?.sources.iter().flatten();
    let secrets = sources.filter_map(|source| source.secret.as_ref());
    let files = secrets.flat_map(|secret| {
        let items = secret.items.iter().flatten();
        items.map(|item| (item.path.clone(), (secret.name.clone(), item.key.clone())))
    });
    Some(files.collect())
}

fn data_mounts(set: &InstanceSet) -> Vec<VolumeMount> {
    let mut mounts = vec![mount(DATA, "/pgdata")];
    if Cluster::mounts_wal(set) {
        mounts.push(mount(WAL, "/pgwal"));
    }
    for tablespace in &set.tablespaces {
        mounts.push(mount(&volume_of(tablespace), &format!("/tablespaces/{}", tablespace.name)));
    }
    mounts
}

fn volume_of(tablespace: &Tablespace) -> String {
    format!("tablespace-{}", tablespace.name)
}

fn server_certificate(cluster: &Cluster) -> SecretProjection {
    cluster.custom_certificate.clone().map_or_else(
        || SecretProjection {
            name: cluster.names.server_certificate(),
            items: Some(certificate_items("")),
            ..SecretProjection::default()
        },
        |custom| with_default_items(custom, ""),
    )
}

fn replication_certificate(cluster: &Cluster) -> SecretProjection {
    cluster.custom_replication_certificate.clone().map_or_else(
        || SecretProjection {
            name: cluster.names.replication_certificate(),
            items: Some(certificate_items("replication/")),
            ..SecretProjection::default()
        },
        |custom| with_default_items(custom, "replication/"),
    )
}

/// The three keys of a Secret with a certificate, as files below `directory`.
fn certificate_items(directory: &str) -> Vec<KeyToPath> {
    ["tls.crt", "tls.key", "ca.crt"].map(|key| item(key, &format!("{directory}{key}"))).to_vec()
}

/// The user's Secret: the keys that it names, else the usual three, each below `directory`.
fn with_default_items(custom: SecretProjection, directory: &str) -> SecretProjection {
    let items = match custom.items {
        Some(items) if !items.is_empty() => items
            .into_iter()
            .map(|chosen| KeyToPath { path: format!("{directory}{}", chosen.path), ..chosen })
            .collect(),
        _ => certificate_items(directory),
    };
    SecretProjection { items: Some(items), ..custom }
}

fn patroni_files(cluster: &Cluster, instance: &InstanceName) -> Vec<VolumeProjection> {
    let config_map = |name: String, items: Vec<KeyToPath>| VolumeProjection {
        config_map: Some(ConfigMapProjection { name, items: Some(items), ..ConfigMapProjection::default() }),
        ..VolumeProjection::default()
    };
    vec![
        config_map(
            cluster.names.config(),
            vec![
                item(config_maps::PATRONI_KEY, "~postgres-operator_cluster.yaml"),
                item(config_maps::WITHOUT_AUDIT_KEY, "~postgres-operator_without-pgaudit.yaml"),
            ],
        ),
        config_map(
            instance.config(),
            vec![item(config_maps::PATRONI_KEY, "~postgres-operator_instance.yaml")],
        ),
        secret(SecretProjection {
            name: instance.certificates(),
            items: Some(vec![
                item(secrets::PATRONI_ROOTS, patroni::AUTHORITY_FILE),
                item(secrets::PATRONI_COMBINED, patroni::COMBINED_FILE),
            ]),
            ..SecretProjection::default()
        }),
    ]
}

pub(super) fn secret(projection: SecretProjection) -> VolumeProjection {
    VolumeProjection { secret: Some(projection), ..VolumeProjection::default() }
}

pub(super) fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }
}

pub(super) fn projected(name: &str, sources: Vec<VolumeProjection>, mode: Option<i32>) -> Volume {
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource { default_mode: mode, sources: Some(sources) }),
        ..Volume::default()
    }
}

/// The volume `tmp`, for so much at most.
pub(super) fn temporary(size: &str) -> Volume {
    let source = EmptyDirVolumeSource { size_limit: Some(Quantity(size.to_owned())), ..Default::default() };
    scratch(TEMPORARY, source)
}

fn claim(name: &str, claim_name: String) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    }
}

fn scratch(name: &str, source: EmptyDirVolumeSource) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn read_only(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount(volume, path) }
}
