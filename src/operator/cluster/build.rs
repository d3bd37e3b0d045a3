//! All objects of a cluster, put together from the builders in [`crate::desired`].

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    rbac::v1::{Role, RoleBinding},
};
use rand::rngs::ThreadRng;

use super::{instances::Plan, trust, volumes};
use crate::{
    desired::{
        Cluster, access, config_maps, disruption_budget,
        network_policy::{self, Network},
        pgbouncer, secrets, services, stateful_set, user_secret, volume_claims,
    },
    k8s::cluster_objects::ClusterObjects,
    pki,
};

/// What a cluster consists of. The Endpoints of the primary's Service are not among it: they take the address that another
/// Service is given when it is created.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The authority of the namespace.
    pub root_authority: Secret,
    /// Certificates and users.
    pub secrets: Vec<Secret>,
    /// The users' Secrets, in the order of the cluster's users.
    pub user_secrets: Vec<Secret>,
    /// Configuration.
    pub config_maps: Vec<ConfigMap>,
    /// Services.
    pub services: Vec<Service>,
    /// Account of the pods.
    pub service_account: ServiceAccount,
    /// What it may do.
    pub role: Role,
    /// That it may.
    pub role_binding: RoleBinding,
    /// Volumes.
    pub volume_claims: Vec<PersistentVolumeClaim>,
    /// Instances.
    pub stateful_sets: Vec<StatefulSet>,
    /// Limits to evictions.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// The pooler, where one is wanted.
    pub pgbouncer: Option<pgbouncer::Objects>,
    /// What may talk to the instances and to the pooler, if the installation has policies.
    pub network_policies: Vec<NetworkPolicy>,
}

/// Builds everything. What `objects` holds of certificates and passwords is kept as long as it serves.
///
/// # Errors
/// When a certificate can't be made.
pub fn build(
    cluster: &Cluster,
    objects: &ClusterObjects,
    plan: &Plan,
    network: Option<&Network>,
    now: Timestamp,
    rng: &mut ThreadRng,
) -> Result<Desired, pki::Error> {
    let stored = |name: String| objects.secrets.get(&name);
    let server = stored(cluster.names.server_certificate());
    let trusted = server.and_then(|secret| secrets::text(secret, secrets::ROOTS));
    let root = objects.root_authority.as_ref();
    let authorities = secrets::authorities(&cluster.namespace, root, trusted.as_deref(), now)?;
    let others = trust::roots(cluster, objects);
    let replication = stored(cluster.names.replication_certificate());
    let mut desired = Desired {
        root_authority: secrets::root_authority(cluster, root, &authorities),
        secrets: vec![
            secrets::server_certificate(cluster, &authorities, &others, server, now)?,
            secrets::replication_certificate(cluster, &authorities, &others, replication, now)?,
        ],
        user_secrets: cluster
            .users
            .iter()
            .map(|user| user_secret::build(cluster, user, stored(cluster.names.user_secret(&user.name)), rng))
            .collect(),
        config_maps: vec![config_maps::cluster(cluster)],
        services: vec![
            services::leader(cluster),
            services::primary(cluster),
            services::replicas(cluster),
            services::pods(cluster),
            services::patroni_config(cluster),
        ],
        service_account: access::service_account(cluster),
        role: access::role(cluster),
        role_binding: access::role_binding(cluster),
        volume_claims: Vec::new(),
        stateful_sets: Vec::new(),
        disruption_budgets: cluster
            .sets
            .iter()
            .filter_map(|set| disruption_budget::instance_set(cluster, set))
            .collect(),
        pgbouncer: match &cluster.pgbouncer {
            Some(wanted) => {
                let existing = stored(cluster.names.pgbouncer());
                Some(pgbouncer::build(cluster, wanted, &authorities, existing, now, rng)?)
            }
            None => None,
        },
        network_policies: network.map(|network| policies(cluster, network)).unwrap_or_default(),
    };
    for (instance, set) in &plan.keep {
        let set = &*volumes::set_of(cluster, objects, instance, *set);
        let certificates = stored(instance.certificates());
        desired.config_maps.push(config_maps::instance(cluster, set, instance));
        desired.secrets.push(secrets::instance_certificates(
            cluster,
            set,
            instance,
            &authorities,
            certificates,
            now,
        )?);
        desired.volume_claims.push(volume_claims::data(cluster, set, instance));
        desired.volume_claims.extend(volume_claims::wal(cluster, set, instance));
        desired.volume_claims.extend(volume_claims::tablespaces(cluster, set, instance));
        desired.stateful_sets.push(stateful_set::build(cluster, set, instance));
    }
    Ok(desired)
}

fn policies(cluster: &Cluster, network: &Network) -> Vec<NetworkPolicy> {
    let pooler = cluster.pgbouncer.as_ref();
    let of_pooler = pooler.map(|pgbouncer| network_policy::pgbouncer(cluster, pgbouncer, network));
    std::iter::once(network_policy::instances(cluster, network)).chain(of_pooler).collect()
}

#[cfg(test)]
mod tests;
