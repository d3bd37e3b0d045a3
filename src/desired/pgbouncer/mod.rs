//! The connection pooler PgBouncer in front of a cluster: a Deployment, a Service, and what its pods read.

mod config;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            ConfigMap, ConfigMapProjection, Container, ContainerPort, KeyToPath, PodSpec, PodTemplateSpec,
            Probe, Secret, SecretProjection, Service, TCPSocketAction, Volume, VolumeMount, VolumeProjection,
        },
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use rand::rngs::ThreadRng;
use secrecy::{ExposeSecret as _, SecretString};

use self::config::OwnFile;
pub use self::config::in_force;
use super::{
    cluster::{Cluster, PgBouncer},
    disruption_budget, meta, pod,
    secrets::{self, data, text},
    services,
    volumes::{self, PRIVATE, item, projected},
};
use crate::{
    api::labels,
    domain::{
        hba::POOLER_USER,
        password::{self, PasswordKind},
    },
    pki::{self, Authorities},
};

/// Name of the container.
pub const CONTAINER: &str = "pgbouncer";
/// Name of PgBouncer's port in Service and pods.
const PORT_NAME: &str = "pgbouncer";

const CONFIGURATION: &str = "/etc/pgbouncer/~postgres-operator.ini";
const CERTIFICATES: &str = "/pgconf/tls";
const PASSWORD_FILE: &str = "/pgconf/users.txt";
const TEMPORARY: &str = "/tmp";

/// Keys of the Secret.
const PASSWORD: &str = "pgbouncer-password";
const VERIFIER: &str = "pgbouncer-verifier";
const USERS_FILE: &str = "pgbouncer-users.txt";
/// What its clients have to trust.
pub const FRONTEND_ROOTS: &str = "pgbouncer-frontend.ca-roots";
/// What it shows to them.
pub const FRONTEND_CERTIFICATE: &str = "pgbouncer-frontend.crt";
const FRONTEND_KEY: &str = "pgbouncer-frontend.key";
/// Keys of the ConfigMap.
const MAIN_FILE: &str = "pgbouncer.ini";
const EMPTY_FILE: &str = "pgbouncer-empty";

/// Everything of PgBouncer.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Its configuration.
    pub config_map: ConfigMap,
    /// Its password and its certificate.
    pub secret: Secret,
    /// Where clients connect.
    pub service: Service,
    /// Its pods.
    pub deployment: Deployment,
    /// How many an eviction leaves running.
    pub disruption_budget: Option<PodDisruptionBudget>,
}

/// Builds everything; what `existing` holds of passwords and certificates is kept as long as it serves.
///
/// # Errors
/// When a certificate can't be made.
pub fn build(
    cluster: &Cluster,
    pgbouncer: &PgBouncer,
    authorities: &Authorities,
    existing: Option<&Secret>,
    now: Timestamp,
    rng: &mut ThreadRng,
) -> Result<Objects, pki::Error> {
    Ok(Objects {
        config_map: config_map(cluster, pgbouncer),
        secret: secret(cluster, pgbouncer, authorities, existing, now, rng)?,
        service: services::pgbouncer(cluster, pgbouncer, PORT_NAME),
        deployment: deployment(cluster, pgbouncer),
        disruption_budget: disruption_budget::pgbouncer(cluster, pgbouncer),
    })
}

/// The verifier of PgBouncer's password in a Secret made by [`build`].
#[must_use]
pub fn stored_verifier(secret: &Secret) -> Option<SecretString> {
    text(secret, VERIFIER).map(SecretString::from)
}

/// Labels of everything that is PgBouncer's.
#[must_use]
pub(super) fn own_labels() -> meta::Labels {
    meta::labels([(labels::ROLE, labels::ROLE_PGBOUNCER)])
}

/// What its pods are found by.
#[must_use]
pub(super) fn selector(cluster: &Cluster) -> meta::Labels {
    let mut selector = own_labels();
    selector.insert(labels::CLUSTER.to_owned(), cluster.name.clone());
    selector
}

fn config_map(cluster: &Cluster, pgbouncer: &PgBouncer) -> ConfigMap {
    let files = BTreeMap::from([
        (EMPTY_FILE.to_owned(), String::new()),
        (MAIN_FILE.to_owned(), config::main_file(cluster, pgbouncer)),
    ]);
    ConfigMap {
        metadata: meta::object_meta(cluster, cluster.names.pgbouncer(), own_labels(), &[&pgbouncer.metadata]),
        data: Some(files),
        ..ConfigMap::default()
    }
}

fn secret(
    cluster: &Cluster,
    pgbouncer: &PgBouncer,
    authorities: &Authorities,
    existing: Option<&Secret>,
    now: Timestamp,
    rng: &mut ThreadRng,
) -> Result<Secret, pki::Error> {
    let stored = |key| existing.and_then(|secret| text(secret, key)).filter(|value| !value.is_empty());
    let password = stored(PASSWORD)
        .map_or_else(|| password::generate(PasswordKind::AlphaNumeric, rng), SecretString::from);
    let verifier = stored(VERIFIER)
        .map(SecretString::from)
        .filter(|verifier| password::verifies(verifier, &password))
        .unwrap_or_else(|| password::verifier(&password));
    // Two double quotes stand for one, as in the server's own files.
    let users = format!("\"{POOLER_USER}\" \"{}\"\n", password.expose_secret().replace('"', "\"\""));
    let mut values = data([
        (PASSWORD, password.expose_secret()),
        (VERIFIER, verifier.expose_secret()),
        (USERS_FILE, users.as_str()),
    ]);
    if pgbouncer.custom_certificate.is_none() {
        let stored = stored(FRONTEND_CERTIFICATE).zip(stored(FRONTEND_KEY));
        let leaf =
            secrets::service_certificate(cluster, &cluster.names.pgbouncer(), authorities, stored, now)?;
        values.extend(data([
            (FRONTEND_ROOTS, authorities.bundle().as_str()),
            (FRONTEND_CERTIFICATE, leaf.certificate_pem.as_str()),
            (FRONTEND_KEY, leaf.key_pem.expose_secret()),
        ]));
    }
    Ok(Secret {
        metadata: meta::object_meta(cluster, cluster.names.pgbouncer(), own_labels(), &[&pgbouncer.metadata]),
        data: Some(values),
        ..Secret::default()
    })
}

fn deployment(cluster: &Cluster, pgbouncer: &PgBouncer) -> Deployment {
    let replicas = if cluster.shutdown { 0 } else { pgbouncer.replicas };
    Deployment {
        metadata: meta::object_meta(cluster, cluster.names.pgbouncer(), own_labels(), &[&pgbouncer.metadata]),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            revision_history_limit: Some(0),
            selector: meta::selector(selector(cluster)),
            // A new pod serves before an old one goes.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(meta::pod_meta(cluster, own_labels(), &[&pgbouncer.metadata])),
                spec: Some(pod_spec(cluster, pgbouncer)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod_spec(cluster: &Cluster, pgbouncer: &PgBouncer) -> PodSpec {
    let mut containers = vec![container(cluster, pgbouncer)];
    containers.extend(pgbouncer.containers.iter().cloned());
    PodSpec {
        containers,
        volumes: Some(volumes(cluster, pgbouncer)),
        // It has no business with the API server.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(pod::pod_security(cluster)),
        image_pull_secrets: (!cluster.image_pull_secrets.is_empty())
            .then(|| cluster.image_pull_secrets.clone()),
        affinity: pgbouncer.affinity.clone(),
        tolerations: (!pgbouncer.tolerations.is_empty()).then(|| pgbouncer.tolerations.clone()),
        priority_class_name: pgbouncer.priority_class_name.clone(),
        topology_spread_constraints: pod::spread(
            cluster,
            &pgbouncer.topology_spread_constraints,
            &meta::selector(selector(cluster)),
        ),
        ..PodSpec::default()
    }
}

fn container(cluster: &Cluster, pgbouncer: &PgBouncer) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(pgbouncer.image.clone()),
        image_pull_policy: cluster.image_pull_policy.clone(),
        command: Some(config::command()),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: pgbouncer.port,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: IntOrString::String(PORT_NAME.to_owned()),
                ..TCPSocketAction::default()
            }),
            period_seconds: Some(5),
            ..Probe::default()
        }),
        resources: Some(pgbouncer.resources.clone()),
        security_context: Some(pod::container_security()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(
            [
                ("configuration", "/etc/pgbouncer", true),
                ("certificates", "/pgconf", true),
                ("tmp", TEMPORARY, false),
            ]
            .map(|(name, path, read_only)| VolumeMount {
                name: name.to_owned(),
                mount_path: path.to_owned(),
                read_only: read_only.then_some(true),
                ..VolumeMount::default()
            })
            .to_vec(),
        ),
        ..Container::default()
    }
}

fn volumes(cluster: &Cluster, pgbouncer: &PgBouncer) -> Vec<Volume> {
    let ours = |key, path| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: cluster.names.pgbouncer(),
            items: Some(vec![item(key, path)]),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    };
    let mut configuration = Vec::new();
    if config::own_file(pgbouncer) == OwnFile::Possible {
        // A file to be read before ours has to be there; one of the user's takes its place.
        configuration.push(ours(EMPTY_FILE, config::OWN_FILE));
    }
    configuration.extend(pgbouncer.files.iter().cloned());
    configuration.push(ours(MAIN_FILE, "~postgres-operator.ini"));
    let own = |items| SecretProjection {
        name: cluster.names.pgbouncer(),
        items: Some(items),
        ..SecretProjection::default()
    };
    let frontend = match &pgbouncer.custom_certificate {
        Some(custom) => SecretProjection { items: Some(custom_items(custom)), ..custom.clone() },
        None => own(vec![
            item(FRONTEND_ROOTS, "tls/client-ca.crt"),
            item(FRONTEND_CERTIFICATE, "tls/tls.crt"),
            item(FRONTEND_KEY, "tls/tls.key"),
        ]),
    };
    let server = cluster
        .custom_certificate
        .as_ref()
        .map_or_else(|| cluster.names.server_certificate(), |custom| custom.name.clone());
    let roots = cluster
        .custom_certificate
        .as_ref()
        .map_or_else(|| "ca.crt".to_owned(), |custom| key_of(custom, "ca.crt"));
    let certificates = vec![
        frontend,
        own(vec![item(USERS_FILE, "users.txt")]),
        SecretProjection {
            name: server,
            items: Some(vec![item(&roots, "tls/server-ca.crt")]),
            ..SecretProjection::default()
        },
    ];
    vec![
        projected("configuration", configuration, None),
        projected("certificates", certificates.into_iter().map(volumes::secret).collect(), Some(PRIVATE)),
        volumes::temporary("1Mi"),
    ]
}

/// The user's certificate: the keys that the Secret's items name, else the usual three.
fn custom_items(custom: &SecretProjection) -> Vec<KeyToPath> {
    [("ca.crt", "tls/client-ca.crt"), ("tls.crt", "tls/tls.crt"), ("tls.key", "tls/tls.key")]
        .map(|(path, place)| item(&key_of(custom, path), place))
        .to_vec()
}

/// The key of a user's Secret that its items put at `path`, else the one of that name.
fn key_of(custom: &SecretProjection, path: &str) -> String {
    let chosen = custom.items.iter().flatten().find(|item| item.path == path);
    chosen.map_or_else(|| path.to_owned(), |item| item.key.clone())
}
