//! The pod of an instance: one container that prepares, one that runs Patroni and PostgreSQL, and the user's own.

use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, ObjectFieldSelector,
        PodSecurityContext, PodSpec, Probe, SeccompProfile, SecurityContext, TopologySpreadConstraint,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};

use super::{
    cluster::{AdoptedVolume, Cluster, InstanceSet},
    meta,
    services::PORT_NAME,
    text::scripts,
    volumes,
};
use crate::{
    api::labels,
    domain::{cluster_names::InstanceName, parameters::SOCKET_DIRECTORY},
};

/// Name of the container that runs PostgreSQL.
pub const DATABASE_CONTAINER: &str = "database";

/// Name of the container that prepares the data directory.
pub const STARTUP_CONTAINER: &str = "postgres-startup";

/// Group that volumes are handed to. Any number would do; this is the one that volumes of existing clusters have.
const FILE_SYSTEM_GROUP: i64 = 26;

/// Seconds that PostgreSQL has for its last checkpoint before the kubelet kills it. A longer stop is still safe: the next
/// start replays the log.
const TERMINATION_SECONDS: i64 = 120;

/// The pod of `instance`.
#[must_use]
pub fn spec(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> PodSpec {
    let mut containers = vec![database(cluster, set)];
    containers.extend(set.containers.iter().cloned());
    PodSpec {
        init_containers: Some(vec![startup(cluster, set, instance)]),
        containers,
        volumes: Some(volumes::build(cluster, set, instance)),
        service_account_name: Some(cluster.names.instance_access()),
        security_context: Some(pod_security(cluster)),
        // Patroni that is process 1 starts itself a second time in order to reap children; here the pause process does.
        share_process_namespace: Some(true),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(TERMINATION_SECONDS),
        image_pull_secrets: (!cluster.image_pull_secrets.is_empty())
            .then(|| cluster.image_pull_secrets.clone()),
        affinity: set.affinity.clone(),
        tolerations: (!set.tolerations.is_empty()).then(|| set.tolerations.clone()),
        priority_class_name: set.priority_class_name.clone(),
        topology_spread_constraints: spread(cluster, &set.topology_spread_constraints, &instances(cluster)),
        ..PodSpec::default()
    }
}

/// What every pod of pgherd runs with: the `restricted` level of Kubernetes' pod security standards, and no writable root.
#[must_use]
pub fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        ..SecurityContext::default()
    }
}

pub(super) fn pod_security(cluster: &Cluster) -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        fs_group: (!cluster.openshift).then_some(FILE_SYSTEM_GROUP),
        // Changing the owner of every file of a large volume at each start would take minutes.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        supplemental_groups: (!cluster.supplemental_groups.is_empty())
            .then(|| cluster.supplemental_groups.clone()),
        ..PodSecurityContext::default()
    }
}

fn startup(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> Container {
    Container {
        name: STARTUP_CONTAINER.to_owned(),
        image: Some(cluster.image.clone()),
        image_pull_policy: cluster.image_pull_policy.clone(),
        command: Some(scripts::startup()),
        env: Some(location(cluster, set).into_iter().chain(adopted(cluster, set, instance)).collect()),
        resources: Some(set.resources.clone()),
        security_context: Some(container_security()),
        // What the script complains of is what `kubectl describe` and pgherd show.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(volumes::startup_mounts(set)),
        ..Container::default()
    }
}

fn database(cluster: &Cluster, set: &InstanceSet) -> Container {
    let mut env = location(cluster, set);
    env.extend([
        value("PGHOST", SOCKET_DIRECTORY),
        value("PGPORT", &cluster.port.to_string()),
        // Files that libraries look for in a home directory: the root file system can't be written to.
        value("HOME", "/tmp"),
        value("LANG", "C.UTF-8"),
        // Python would try to cache what it compiles next to the program.
        value("PYTHONDONTWRITEBYTECODE", "1"),
        value("PATRONICTL_CONFIG_FILE", "/etc/patroni"),
        field("PATRONI_NAME", "metadata.name"),
        field("PATRONI_KUBERNETES_POD_IP", "status.podIP"),
        value(
            "PATRONI_KUBERNETES_PORTS",
            &format!("[{{\"name\": \"{PORT_NAME}\", \"port\": {}, \"protocol\": \"TCP\"}}]", cluster.port),
        ),
        value("PATRONI_POSTGRESQL_LISTEN", &format!("*:{}", cluster.port)),
        value("PATRONI_POSTGRESQL_CONNECT_ADDRESS", &address(cluster, cluster.port)),
        value("PATRONI_RESTAPI_LISTEN", &format!("*:{}", cluster.patroni.port)),
        value("PATRONI_RESTAPI_CONNECT_ADDRESS", &address(cluster, cluster.patroni.port)),
    ]);
    let [startup_probe, readiness_probe, liveness_probe] = probes(cluster);
    Container {
        name: DATABASE_CONTAINER.to_owned(),
        image: Some(cluster.image.clone()),
        image_pull_policy: cluster.image_pull_policy.clone(),
        command: Some(scripts::database()),
        env: Some(env),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: cluster.port,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        startup_probe: Some(startup_probe),
        readiness_probe: Some(readiness_probe),
        liveness_probe: Some(liveness_probe),
        resources: Some(set.resources.clone()),
        security_context: Some(container_security()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(volumes::database_mounts(cluster, set)),
        ..Container::default()
    }
}

/// A name of this pod that other pods resolve, through the Service that publishes pods before they are ready.
fn address(cluster: &Cluster, port: i32) -> String {
    format!("$(PATRONI_NAME).{}:{port}", cluster.names.pod_service())
}

/// Startup, readiness and liveness probes. The startup probe looks every second, so that an instance serves as soon as it
/// can; it never gives up, since copying a large database takes as long as it takes.
fn probes(cluster: &Cluster) -> [Probe; 3] {
    let lease = cluster.patroni.leader_lease_seconds;
    let period = cluster.patroni.sync_period_seconds;
    let probe = |path: &str| Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(cluster.patroni.port),
            scheme: Some("HTTPS".to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some((period / 2).max(1)),
        period_seconds: Some(period),
        success_threshold: Some(1),
        failure_threshold: Some((lease / period).max(1)),
        ..Probe::default()
    };
    let startup = Probe { period_seconds: Some(1), failure_threshold: Some(i32::MAX), ..probe("/readiness") };
    [startup, probe("/readiness"), probe("/liveness")]
}

/// Where they were on volumes that were taken over.
fn adopted(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> Vec<EnvVar> {
    let adoption = cluster.adoption.as_ref();
    let Some(adoption) = adoption.filter(|adoption| adoption.data.claim == set.data_claim(instance)) else {
        return Vec::new();
    };
    let directory = |volume: &AdoptedVolume| volume.directory.clone();
    let data = directory(&adoption.data).map(|directory| value("ADOPTED_DATA", &directory));
    let log = adoption.log.as_ref().and_then(directory).map(|directory| value("ADOPTED_LOG", &directory));
    data.into_iter().chain(log).collect()
}

/// Where data and log are.
fn location(cluster: &Cluster, set: &InstanceSet) -> Vec<EnvVar> {
    vec![
        value("PG_MAJOR", &cluster.postgres_version.to_string()),
        value("PGDATA", &cluster.data_directory()),
        value("PGWAL", &cluster.wal_directory(set)),
    ]
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), ..EnvVar::default() }
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// All pods of the cluster that hold data.
fn instances(cluster: &Cluster) -> LabelSelector {
    let mut selector = meta::selector(meta::labels([(labels::CLUSTER, cluster.name.as_str())]));
    selector.match_expressions = Some(vec![LabelSelectorRequirement {
        key: labels::DATA.to_owned(),
        operator: "Exists".to_owned(),
        ..LabelSelectorRequirement::default()
    }]);
    selector
}

/// The user's constraints, and unless switched off ours: pods that `selector` finds rather not on one node or in one zone.
pub(super) fn spread(
    cluster: &Cluster,
    own: &[TopologySpreadConstraint],
    selector: &LabelSelector,
) -> Option<Vec<TopologySpreadConstraint>> {
    let mut constraints = own.to_vec();
    if !cluster.disable_default_pod_scheduling {
        constraints.extend(["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(|key| {
            TopologySpreadConstraint {
                max_skew: 1,
                topology_key: key.to_owned(),
                when_unsatisfiable: "ScheduleAnyway".to_owned(),
                label_selector: Some(selector.clone()),
                ..TopologySpreadConstraint::default()
            }
        }));
    }
    (!constraints.is_empty()).then_some(constraints)
}
