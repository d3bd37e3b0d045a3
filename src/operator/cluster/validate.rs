//! From the resource as the API server stores it to a cluster that can be built: defaults filled in, every text parsed.
//! What is wrong is told all at once, by field; a cluster with a mistake keeps running as it was.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::LocalObjectReference;
use kube::{Resource, ResourceExt};

use crate::{
    api::{
        labels,
        postgres_cluster::{
            AuthenticationRule, DataSource, InstanceSet as InstanceSetSpec, PasswordType,
            Patroni as PatroniSpec, PgBouncer as PgBouncerSpec, PostgresCluster, Standby as StandbySpec,
            TablespaceVolume, User as UserSpec, VolumeSource,
        },
    },
    desired::cluster::{
        AdoptedClaims, AdoptedVolume, Adoption, Cluster, ExtraMetadata, InstanceSet, Patroni, PgBouncer,
        Standby, Tablespace, User,
    },
    domain::{cluster_names::ClusterNames, hba::Rule, password::PasswordKind, role_options::RoleOptions},
};

/// What clusters get that don't say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefaultImages {
    /// Images of PostgreSQL by major version.
    pub postgres: BTreeMap<i32, String>,
    /// Secrets that images are pulled with, besides those that a cluster names.
    pub pull_secrets: Vec<String>,
}

/// Role of the superuser. A user of this name gets no database of its own.
const SUPERUSER: &str = "postgres";

/// The longest name that leaves room for what is appended: a StatefulSet's pods carry a hash in a label of at most 63
/// characters.
const LONGEST_INSTANCE_NAME: usize = 50;

/// A field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field in the resource.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { field: field.into(), message: message.into() });
    }
}

/// A cluster's own Secrets first, then those of the installation that it doesn't name itself.
fn pull_secrets(own: &[LocalObjectReference], installed: &[String]) -> Vec<LocalObjectReference> {
    let named = |name: &String| own.iter().any(|secret| secret.name == *name);
    let further = installed.iter().filter(|name| !named(name));
    own.iter().cloned().chain(further.map(|name| LocalObjectReference { name: name.clone() })).collect()
}

/// Checks a cluster.
///
/// # Errors
/// All mistakes at once.
pub fn validate(resource: &PostgresCluster, images: &DefaultImages) -> Result<Cluster, Vec<Problem>> {
    let spec = &resource.spec;
    let mut problems = Problems(Vec::new());

    let image =
        spec.image.clone().or_else(|| images.postgres.get(&spec.postgres_version).cloned()).unwrap_or_else(
            || {
                problems.add(
                    "spec.image",
                    format!(
                        "name an image with PostgreSQL {}; the installation has images for {}",
                        spec.postgres_version,
                        if images.postgres.is_empty() {
                            "no version".to_owned()
                        } else {
                            images.postgres.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                        }
                    ),
                );
                String::new()
            },
        );
    let Some(owner) = resource.controller_owner_ref(&()) else {
        problems.add("metadata", "the API server has not given this resource a name and a UID yet");
        return Err(problems.0);
    };
    if spec.custom_tls_secret.is_some() != spec.custom_replication_tls_secret.is_some() {
        problems.add(
            "spec.customTLSSecret",
            "set customReplicationTLSSecret too, with a certificate of the same authority (and the other way \
             round): replicas are checked against the server's ca.crt",
        );
    }

    let name = resource.name_any();
    let adoption = adoption(spec.data_source.as_ref(), &spec.instances, &mut problems);
    let standby = standby(spec.standby.as_ref(), spec.port, &mut problems);
    let pgbouncer = spec.proxy.as_ref().map(|proxy| pgbouncer(&proxy.pgbouncer, &image));
    let cluster = Cluster {
        namespace: resource.namespace().unwrap_or_default(),
        uid: owner.uid.clone(),
        names: ClusterNames::new(&name),
        owner,
        metadata: ExtraMetadata::from(spec.metadata.as_ref()),
        image,
        image_is_named: spec.image.is_some(),
        image_pull_policy: spec.image_pull_policy.map(|policy| policy.to_string()),
        image_pull_secrets: pull_secrets(&spec.image_pull_secrets, &images.pull_secrets),
        postgres_version: spec.postgres_version,
        port: spec.port,
        patroni: patroni(&spec.patroni_settings(), &mut problems),
        sets: spec
            .instances
            .iter()
            .enumerate()
            .map(|(index, set)| instance_set(&name, index, set, &mut problems))
            .collect(),
        users: users(&name, spec.users.as_deref(), &mut problems),
        user_schemas: resource
            .annotations()
            .get(labels::AUTO_CREATE_USER_SCHEMA)
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        parameters: spec
            .config
            .iter()
            .flat_map(|config| &config.parameters)
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect(),
        files: spec.config.as_ref().map(|config| config.files.clone()).unwrap_or_default(),
        hba_rules: spec.authentication.iter().flat_map(|rules| &rules.rules).map(hba_rule).collect(),
        service: spec.service.clone().unwrap_or_default(),
        replica_service: spec.replica_service.clone().unwrap_or_default(),
        pgbouncer,
        custom_certificate: spec.custom_tls_secret.clone(),
        custom_replication_certificate: spec.custom_replication_tls_secret.clone(),
        openshift: spec.openshift.unwrap_or_default(),
        supplemental_groups: spec.supplemental_groups.clone(),
        adoption,
        standby,
        shutdown: spec.is_shut_down(),
        disable_default_pod_scheduling: spec.disable_default_pod_scheduling.unwrap_or_default(),
        name,
    };
    duplicate_sets(&cluster, &mut problems);
    if problems.0.is_empty() { Ok(cluster) } else { Err(problems.0) }
}

fn patroni(spec: &PatroniSpec, problems: &mut Problems) -> Patroni {
    if spec.leader_lease_duration_seconds <= spec.sync_period_seconds {
        problems.add(
            "spec.patroni.leaderLeaseDurationSeconds",
            format!(
                "{} is not more than syncPeriodSeconds ({}): the leader would lose its lease between two looks",
                spec.leader_lease_duration_seconds, spec.sync_period_seconds
            ),
        );
    }
    Patroni {
        port: spec.port,
        leader_lease_seconds: spec.leader_lease_duration_seconds,
        sync_period_seconds: spec.sync_period_seconds,
        dynamic_configuration: spec.dynamic_configuration.clone().unwrap_or_default(),
    }
}

fn instance_set(cluster: &str, index: usize, spec: &InstanceSetSpec, problems: &mut Problems) -> InstanceSet {
    let name = spec.name_at(index).into_owned();
    let longest = cluster.len() + name.len() + "--xxxx".len();
    if longest > LONGEST_INSTANCE_NAME {
        problems.add(
            format!("spec.instances[{index}].name"),
            format!(
                "instances would be called {cluster}-{name}-xxxx, which is {longest} characters long; at most \
                 {LONGEST_INSTANCE_NAME} are possible"
            ),
        );
    }
    InstanceSet {
        replicas: usize::try_from(spec.replicas).unwrap_or(0),
        data_volume: (&spec.data_volume_claim_spec).into(),
        wal_volume: spec.wal_volume_claim_spec.as_ref().map(Into::into),
        adopted: AdoptedClaims::default(),
        retiring_wal: false,
        tablespaces: spec.tablespace_volumes.iter().map(tablespace).collect(),
        resources: spec.resources.as_ref().map(Into::into).unwrap_or_default(),
        metadata: ExtraMetadata::from(spec.metadata.as_ref()),
        affinity: spec.affinity.clone(),
        tolerations: spec.tolerations.clone(),
        topology_spread_constraints: spec.topology_spread_constraints.clone(),
        priority_class_name: spec.priority_class_name.clone(),
        min_available: spec.min_available.clone(),
        containers: spec.containers.clone(),
        name,
    }
}

/// Without an image of its own PgBouncer runs from the one of the database, which brings it as a rule.
fn pgbouncer(spec: &PgBouncerSpec, image: &str) -> PgBouncer {
    let config = spec.config.clone().unwrap_or_default();
    PgBouncer {
        replicas: spec.replicas,
        image: spec.image.clone().unwrap_or_else(|| image.to_owned()),
        port: spec.port,
        metadata: ExtraMetadata::from(spec.metadata.as_ref()),
        global: config.global,
        databases: config.databases,
        users: config.users,
        files: config.files,
        custom_certificate: spec.custom_tls_secret.clone(),
        service: spec.service.clone().unwrap_or_default(),
        resources: spec.resources.as_ref().map(Into::into).unwrap_or_default(),
        affinity: spec.affinity.clone(),
        tolerations: spec.tolerations.clone(),
        topology_spread_constraints: spec.topology_spread_constraints.clone(),
        priority_class_name: spec.priority_class_name.clone(),
        min_available: spec.min_available.clone(),
        containers: spec.containers.clone(),
    }
}

fn standby(spec: Option<&StandbySpec>, port: i32, problems: &mut Problems) -> Option<Standby> {
    let spec = spec.filter(|standby| standby.enabled)?;
    if spec.repo_name.is_some() {
        problems.add(
            "spec.standby.repoName",
            "there are no backups yet to replay the log from; name the host of the other cluster's primary instead",
        );
    }
    let Some(host) = spec.host.clone().filter(|host| !host.is_empty()) else {
        problems.add("spec.standby.host", "name the host of the primary that this cluster shall follow");
        return None;
    };
    Some(Standby { host, port: spec.port.unwrap_or(port) })
}

fn adoption(
    spec: Option<&DataSource>,
    sets: &[InstanceSetSpec],
    problems: &mut Problems,
) -> Option<Adoption> {
    let volumes = spec?.volumes.as_ref()?;
    let volume = |spec: &VolumeSource| AdoptedVolume {
        claim: spec.pvc_name.clone(),
        directory: spec.directory.clone().filter(|directory| !directory.is_empty()),
    };
    let sources = [("pgDataVolume", &volumes.pg_data_volume), ("pgWALVolume", &volumes.pg_wal_volume)];
    for (field, source) in sources {
        let directory = source.as_ref().and_then(|source| source.directory.as_deref()).unwrap_or_default();
        if directory.starts_with('/') || directory.split('/').any(|part| part == "..") {
            problems.add(
                format!("spec.dataSource.volumes.{field}.directory"),
                "name the directory from the root of the volume, without a slash before it",
            );
        }
    }
    let log_has_a_place = sets.first().is_some_and(|set| set.wal_volume_claim_spec.is_some());
    if volumes.pg_wal_volume.is_some() && !log_has_a_place {
        problems.add(
            "spec.instances[0].walVolumeClaimSpec",
            "describe the volume that spec.dataSource.volumes.pgWALVolume names",
        );
    }
    match (&volumes.pg_data_volume, &volumes.pg_wal_volume) {
        (Some(data), log) => Some(Adoption { data: volume(data), log: log.as_ref().map(volume) }),
        (None, Some(_)) => {
            problems.add(
                "spec.dataSource.volumes.pgDataVolume",
                "the volume with the log is of no use without the data",
            );
            None
        }
        (None, None) => None,
    }
}

fn tablespace(spec: &TablespaceVolume) -> Tablespace {
    Tablespace { name: spec.name.clone(), volume: (&spec.data_volume_claim_spec).into() }
}

fn duplicate_sets(cluster: &Cluster, problems: &mut Problems) {
    for (index, set) in cluster.sets.iter().enumerate() {
        if cluster.sets[..index].iter().any(|earlier| earlier.name == set.name) {
            problems.add(
                format!("spec.instances[{index}].name"),
                format!("{:?} is the name of another set", set.name),
            );
        }
    }
}

/// The users that were asked for; without any word of them one that is called as the cluster, with a database of that name.
fn users(cluster: &str, specs: Option<&[UserSpec]>, problems: &mut Problems) -> Vec<User> {
    let Some(specs) = specs else {
        return vec![User {
            name: cluster.to_owned(),
            databases: vec![cluster.to_owned()],
            options: RoleOptions::default(),
            password: PasswordKind::default(),
        }];
    };
    specs.iter().enumerate().map(|(index, spec)| user(index, spec, problems)).collect()
}

fn user(index: usize, spec: &UserSpec, problems: &mut Problems) -> User {
    let options = RoleOptions::parse(spec.options.as_deref().unwrap_or_default()).unwrap_or_else(|error| {
        problems.add(format!("spec.users[{index}].options"), error.to_string());
        RoleOptions::default()
    });
    if spec.name == SUPERUSER && options.to_string().split_whitespace().any(|word| word == "NOSUPERUSER") {
        problems.add(format!("spec.users[{index}].options"), "postgres has to stay a superuser");
    }
    User {
        name: spec.name.clone(),
        databases: spec.databases.clone(),
        options,
        password: match spec.password.as_ref().map(|password| password.type_).unwrap_or_default() {
            PasswordType::Ascii => PasswordKind::Ascii,
            PasswordType::AlphaNumeric => PasswordKind::AlphaNumeric,
        },
    }
}

fn hba_rule(spec: &AuthenticationRule) -> String {
    spec.hba.clone().unwrap_or_else(|| {
        Rule {
            connection: spec.connection.clone().unwrap_or_default(),
            databases: spec.databases.clone(),
            users: spec.users.clone(),
            method: spec.method.clone().unwrap_or_default(),
            options: spec.options.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        }
        .line()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::operator::test_support;

    fn problems(spec: &Value) -> Vec<String> {
        let images = DefaultImages {
            postgres: [(17, "localhost/postgres:17".to_owned())].into(),
            pull_secrets: Vec::new(),
        };
        let resource = test_support::resource(spec);
        validate(&resource, &images).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_told_by_its_field() {
        let problems = problems(&json!({
            "postgresVersion": 16,
            "patroni": {"leaderLeaseDurationSeconds": 5, "syncPeriodSeconds": 10},
            "customTLSSecret": {"name": "x"},
            "users": [{"name": "a", "options": "FLY"}, {"name": "postgres", "options": "NOSUPERUSER"}],
            "instances": [test_support::set("one"), test_support::set("one"),
                          test_support::set("a-very-long-name-of-an-instance-set-indeed-it-is")],
        }));
        let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(
            fields,
            [
                "spec.image",
                "spec.customTLSSecret",
                "spec.patroni.leaderLeaseDurationSeconds",
                "spec.instances[2].name",
                "spec.users[0].options",
                "spec.users[1].options",
                "spec.instances[1].name",
            ]
        );
        assert_eq!(
            problems[0],
            "spec.image: name an image with PostgreSQL 16; the installation has images for 17"
        );
    }

    #[test]
    fn a_cluster_without_users_gets_one_of_its_own_name() {
        let cluster = test_support::cluster();
        assert_eq!(cluster.users.len(), 1);
        assert_eq!(cluster.users[0].name, "rhino");
        assert_eq!(cluster.users[0].databases, ["rhino"]);
    }

    #[test]
    fn secrets_to_pull_with_are_the_clusters_own_and_the_installations() {
        let own = [LocalObjectReference { name: "mine".to_owned() }];
        let all = pull_secrets(&own, &["ours".to_owned(), "mine".to_owned()]);
        let names: Vec<&str> = all.iter().map(|secret| secret.name.as_str()).collect();
        assert_eq!(names, ["mine", "ours"]);
    }

    #[test]
    fn an_empty_list_of_users_means_none() {
        let mut spec = test_support::spec();
        spec["users"] = json!([]);
        let images = DefaultImages {
            postgres: [(17, "localhost/postgres:17".to_owned())].into(),
            pull_secrets: Vec::new(),
        };
        let cluster = validate(&test_support::resource(&spec), &images).unwrap();
        assert!(cluster.users.is_empty());
    }
}
