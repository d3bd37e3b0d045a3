//! Names of the objects that make up one database cluster.
//!
//! Applications, dashboards and backup scripts select on these names, so they are the ones that users of the 5.x resource
//! already have; `docs/reference/objects.md` lists them. Each is derived from the cluster's name alone, or from it and an
//! instance's.

use rand::{RngExt, rngs::ThreadRng};

/// Letters and digits that can't spell a word and can't be taken for one another.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 4;

/// The Secret with the certificate authority that all clusters of one namespace share.
pub const ROOT_AUTHORITY_SECRET: &str = "pgo-root-cacert";

/// Names of a cluster's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNames {
    cluster: String,
}

impl ClusterNames {
    /// The names of the cluster called `cluster`.
    #[must_use]
    pub fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned() }
    }

    fn with(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.cluster)
    }

    /// Patroni's scope, which is also the Service and the Endpoints that follow the leader.
    #[must_use]
    pub fn leader(&self) -> String {
        self.with("ha")
    }

    /// Endpoints in which Patroni keeps the cluster's configuration, history and system identifier.
    #[must_use]
    pub fn patroni_config(&self) -> String {
        self.with("ha-config")
    }

    /// Endpoints in which Patroni keeps which replicas are synchronous.
    #[must_use]
    pub fn patroni_sync(&self) -> String {
        self.with("ha-sync")
    }

    /// Service that resolves to the address of [`Self::leader`]; what applications connect to.
    #[must_use]
    pub fn primary_service(&self) -> String {
        self.with("primary")
    }

    /// Service of all replicas that accept connections.
    #[must_use]
    pub fn replica_service(&self) -> String {
        self.with("replicas")
    }

    /// Headless Service that gives each pod a DNS name.
    #[must_use]
    pub fn pod_service(&self) -> String {
        self.with("pods")
    }

    /// Everything of the pooler: Deployment, Service, ConfigMap, Secret and PodDisruptionBudget.
    #[must_use]
    pub fn pgbouncer(&self) -> String {
        self.with("pgbouncer")
    }

    /// ConfigMap with the configuration that all instances share.
    #[must_use]
    pub fn config(&self) -> String {
        self.with("config")
    }

    /// Secret with the certificate that PostgreSQL shows to clients.
    #[must_use]
    pub fn server_certificate(&self) -> String {
        self.with("cluster-cert")
    }

    /// Secret with the certificate that replicas authenticate with.
    #[must_use]
    pub fn replication_certificate(&self) -> String {
        self.with("replication-cert")
    }

    /// ServiceAccount, Role and RoleBinding that instances run with.
    #[must_use]
    pub fn instance_access(&self) -> String {
        self.with("instance")
    }

    /// Secret that tells an application how to connect as `user`.
    #[must_use]
    pub fn user_secret(&self, user: &str) -> String {
        self.with(&format!("pguser-{user}"))
    }

    /// NetworkPolicy of the instances.
    #[must_use]
    pub fn network_policy(&self) -> String {
        self.with("instances")
    }

    /// PodDisruptionBudget of an instance set.
    #[must_use]
    pub fn disruption_budget(&self, set: &str) -> String {
        self.with(&format!("set-{set}"))
    }

    /// The instance of `set` that a cluster is created with. Always the same one, so that an operator that was killed
    /// half-way goes on with the instance that it had begun.
    #[must_use]
    pub fn startup_instance(&self, set: &str) -> InstanceName {
        InstanceName(format!("{}-{set}-{}", self.cluster, stable_suffix(&format!("{}{set}", self.cluster))))
    }

    /// A name for a further instance of `set`.
    #[must_use]
    pub fn another_instance(&self, set: &str, rng: &mut ThreadRng) -> InstanceName {
        let suffix: String = (0..SUFFIX_LENGTH)
            .map(|_| char::from(SUFFIX_ALPHABET[rng.random_range(0..SUFFIX_ALPHABET.len())]))
            .collect();
        InstanceName(format!("{}-{set}-{suffix}", self.cluster))
    }
}

/// Four characters that depend on `text` alone (FNV-1a, whose low bits are spread well enough for this).
fn stable_suffix(text: &str) -> String {
    let mut hash =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut suffix = String::with_capacity(SUFFIX_LENGTH);
    for _ in 0..SUFFIX_LENGTH {
        suffix.push(char::from(SUFFIX_ALPHABET[hash as usize % SUFFIX_ALPHABET.len()]));
        hash /= u32::try_from(SUFFIX_ALPHABET.len()).unwrap_or(u32::MAX);
    }
    suffix
}

/// Name of one instance: of its StatefulSet, and the prefix of what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

impl InstanceName {
    /// Takes a name that was read from an existing object.
    #[must_use]
    pub fn existing(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name itself, which is the StatefulSet's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its cluster's, for sentences about that cluster.
    #[must_use]
    pub fn within(&self, cluster: &str) -> &str {
        self.0.strip_prefix(cluster).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&self.0)
    }

    /// The one pod of the StatefulSet, and the name that Patroni knows the instance by.
    #[must_use]
    pub fn pod(&self) -> String {
        format!("{}-0", self.0)
    }

    /// ConfigMap with what differs between instances.
    #[must_use]
    pub fn config(&self) -> String {
        format!("{}-config", self.0)
    }

    /// Secret with the certificate of the instance's Patroni API.
    #[must_use]
    pub fn certificates(&self) -> String {
        format!("{}-certs", self.0)
    }

    /// PersistentVolumeClaim of the data directory.
    #[must_use]
    pub fn data_volume(&self) -> String {
        format!("{}-pgdata", self.0)
    }

    /// PersistentVolumeClaim of the write-ahead log, where it has a volume of its own.
    #[must_use]
    pub fn wal_volume(&self) -> String {
        format!("{}-pgwal", self.0)
    }

    /// PersistentVolumeClaim for tablespaces.
    #[must_use]
    pub fn tablespace_volume(&self, name: &str) -> String {
        format!("{}-{name}-tablespace", self.0)
    }
}

impl std::fmt::Display for InstanceName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_startup_instance_is_stable_and_differs_between_sets() {
        let names = ClusterNames::new("rhino");
        assert_eq!(names.startup_instance("one"), ClusterNames::new("rhino").startup_instance("one"));
        assert_ne!(
            names.startup_instance("one").as_str().rsplit('-').next(),
            names.startup_instance("two").as_str().rsplit('-').next()
        );
        assert_eq!(names.startup_instance("one").as_str(), "rhino-one-jj6x", "stable across releases");
    }

    #[test]
    fn suffixes_are_four_unambiguous_characters() {
        let names = ClusterNames::new("rhino");
        for _ in 0..100 {
            let name = names.another_instance("one", &mut rand::rng());
            let suffix = name.as_str().strip_prefix("rhino-one-").unwrap();
            assert_eq!(suffix.len(), 4);
            assert!(suffix.bytes().all(|byte| SUFFIX_ALPHABET.contains(&byte)), "{suffix}");
        }
    }

    #[test]
    fn what_belongs_to_an_instance_carries_its_name() {
        let instance = InstanceName::existing("rhino-one-x7k2");
        assert_eq!(instance.pod(), "rhino-one-x7k2-0");
        assert_eq!(instance.data_volume(), "rhino-one-x7k2-pgdata");
        assert_eq!(instance.wal_volume(), "rhino-one-x7k2-pgwal");
        assert_eq!(instance.certificates(), "rhino-one-x7k2-certs");
        assert_eq!(instance.config(), "rhino-one-x7k2-config");
    }
}
