//! Bringing the objects of a cluster into the state that was built.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::{
    core::v1::{Secret, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, PropagationPolicy},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Environment, Story,
    build::Desired,
    error::{Error, ignore_missing},
    instances::Plan,
    shared_secret,
    volumes::{self, Volumes},
};
use crate::{
    api::labels,
    desired::{Cluster, pgbouncer, services},
    domain::cluster_names::InstanceName,
    k8s::{
        applier::{Applied, Applier},
        cluster_objects::{ByName, ClusterObjects},
    },
};

/// Requests that are under way at once.
const CONCURRENCY: usize = 8;

/// Applies all objects: what pods refer to before the pods, so that none has to wait for its configuration. Returns what is
/// to be told of volumes.
///
/// # Errors
/// When the API server refuses an object or can't be reached.
pub(super) async fn apply(
    environment: &Environment,
    cluster: &Cluster,
    desired: &Desired,
    live: &ClusterObjects,
    story: &mut Story,
) -> Result<Volumes, Error> {
    // No `..`: a kind that is added to what is built has to be applied before this compiles.
    let Desired {
        root_authority,
        secrets,
        user_secrets,
        config_maps,
        services,
        service_account,
        role,
        role_binding,
        volume_claims,
        stateful_sets,
        disruption_budgets,
        pgbouncer,
        network_policies,
    } = desired;

    let applier = &environment.applier;
    let renewed = renewed(secrets.iter().chain([root_authority]), live);
    // The authority first and alone: two certificates of different authorities would lock instances out.
    shared_secret::keep(environment, cluster, root_authority, live.root_authority.as_ref()).await?;
    // The API server looks up what a binding would give away, and refuses one to a Role that it can't find.
    let access = async {
        all(applier, std::slice::from_ref(role), &live.roles, story_less).await?;
        all(applier, std::slice::from_ref(role_binding), &live.role_bindings, story_less).await
    };
    let ((), (), (), (), (), volumes, (), ()) = tokio::try_join!(
        all(applier, secrets, &live.secrets, story_less),
        all(applier, user_secrets, &live.secrets, story_less),
        all(applier, config_maps, &live.config_maps, story_less),
        all(applier, std::slice::from_ref(service_account), &live.service_accounts, story_less),
        access,
        volumes::apply(applier, volume_claims, &live.volume_claims),
        services_and_endpoints(applier, cluster, services, live),
        all(applier, network_policies, &live.network_policies, story_less),
    )?;
    if !renewed.is_empty() {
        let note = format!("new certificates or authorities in {}", renewed.join(", "));
        story.tell("CertificatesRenewed", "RenewCertificates", note);
    }
    if !volumes.added.is_empty() {
        story.tell("VolumeAdded", "AddVolume", format!("added {}", volumes.added.join(", ")));
    }
    let mut created = Vec::new();
    all(applier, stateful_sets, &live.stateful_sets, |name, applied| {
        if matches!(applied, Applied::Created(_)) {
            created.push(name.to_owned());
        }
    })
    .await?;
    created.sort();
    if !created.is_empty() {
        story.tell("InstanceCreated", "CreateInstance", format!("created {}", created.join(", ")));
    }
    all(applier, disruption_budgets, &live.disruption_budgets, story_less).await?;
    if let Some(objects) = pgbouncer {
        apply_pgbouncer(applier, objects, live).await?;
    }
    Ok(volumes)
}

/// The names of those Secrets with certificates that hold others than are wanted now.
fn renewed<'a>(wanted: impl Iterator<Item = &'a Secret>, live: &ClusterObjects) -> Vec<String> {
    let differs = |secret: &&Secret| {
        let name = secret.name_any();
        let present = live
            .secrets
            .get(&name)
            .or_else(|| live.root_authority.as_ref().filter(|authority| authority.name_any() == name));
        let Some(present) = present.and_then(|present| present.data.as_ref()) else { return false };
        secret.data.iter().flatten().any(|(key, value)| present.get(key) != Some(value))
    };
    wanted.filter(differs).map(ResourceExt::name_any).collect()
}

/// Removes what nobody wants any more: Secrets of users that the description doesn't name, limits to evictions, and network
/// policies.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn remove_leftovers(
    client: &kube::Client,
    cluster: &Cluster,
    desired: &Desired,
    live: &ClusterObjects,
) -> Result<(), Error> {
    let of_user = |secret: &&Secret| {
        secret.labels().get(labels::ROLE).is_some_and(|role| role == labels::ROLE_PGUSER)
            && owned(cluster, *secret)
    };
    let wanted: BTreeSet<String> = desired.user_secrets.iter().map(ResourceExt::name_any).collect();
    for secret in live.secrets.values().filter(of_user).filter(|secret| !wanted.contains(&secret.name_any()))
    {
        delete::<Secret>(client, &cluster.namespace, &secret.name_any()).await?;
    }
    let pooler = desired.pgbouncer.iter().filter_map(|objects| objects.disruption_budget.as_ref());
    let wanted: BTreeSet<String> =
        desired.disruption_budgets.iter().chain(pooler).map(ResourceExt::name_any).collect();
    let budgets = live.disruption_budgets.values().filter(|budget| owned(cluster, *budget));
    for budget in budgets.filter(|budget| !wanted.contains(&budget.name_any())) {
        delete::<PodDisruptionBudget>(client, &cluster.namespace, &budget.name_any()).await?;
    }
    let wanted: BTreeSet<String> = desired.network_policies.iter().map(ResourceExt::name_any).collect();
    let policies = live.network_policies.values().filter(|policy| owned(cluster, *policy));
    for policy in policies.filter(|policy| !wanted.contains(&policy.name_any())) {
        delete::<NetworkPolicy>(client, &cluster.namespace, &policy.name_any()).await?;
    }
    Ok(())
}

/// Whether the cluster has made an object; somebody else's may carry its label.
pub(super) fn owned<K: Resource>(cluster: &Cluster, object: &K) -> bool {
    object.owner_references().iter().any(|owner| owner.uid == cluster.uid)
}

async fn apply_pgbouncer(
    applier: &Applier,
    objects: &pgbouncer::Objects,
    live: &ClusterObjects,
) -> Result<(), Error> {
    let pgbouncer::Objects { config_map, secret, service, deployment, disruption_budget } = objects;
    tokio::try_join!(
        apply_one(applier, config_map, &live.config_maps),
        apply_one(applier, secret, &live.secrets),
        apply_one(applier, service, &live.services),
    )?;
    apply_one(applier, deployment, &live.deployments).await?;
    if let Some(budget) = disruption_budget {
        apply_one(applier, budget, &live.disruption_budgets).await?;
    }
    Ok(())
}

fn story_less<K>(_: &str, _: &Applied<K>) {}

async fn all<K>(
    applier: &Applier,
    desired: &[K],
    live: &ByName<K>,
    mut done: impl FnMut(&str, &Applied<K>),
) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let requests: Vec<_> = desired.iter().map(|object| apply_one(applier, object, live)).collect();
    let mut results = stream::iter(requests).buffer_unordered(CONCURRENCY);
    while let Some((name, applied)) = results.try_next().await? {
        done(&name, &applied);
    }
    Ok(())
}

async fn apply_one<K>(applier: &Applier, object: &K, live: &ByName<K>) -> Result<(String, Applied<K>), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let name = object.name_any();
    let outcome = applier.apply(object, live.get(&name)).await?;
    Ok((name, outcome))
}

async fn services_and_endpoints(
    applier: &Applier,
    cluster: &Cluster,
    wanted: &[Service],
    live: &ClusterObjects,
) -> Result<(), Error> {
    let leader = cluster.names.leader();
    let mut address = live.services.get(&leader).and_then(cluster_address);
    all(applier, wanted, &live.services, |name, applied| {
        if let (true, Applied::Created(service) | Applied::Changed(service)) = (name == leader, applied) {
            address = cluster_address(service);
        }
    })
    .await?;
    let Some(address) = address else { return Ok(()) };
    let endpoints = services::primary_endpoints(cluster, &address);
    applier.apply(&endpoints, live.endpoints.get(&endpoints.name_any())).await?;
    Ok(())
}

fn cluster_address(service: &Service) -> Option<String> {
    let address = service.spec.as_ref()?.cluster_ip.clone()?;
    (address != "None" && !address.is_empty()).then_some(address)
}

/// Removes what an instance that is no longer wanted has left, one step at each look: pods before volumes, so that
/// PostgreSQL stops in order.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn remove_instances(
    client: &kube::Client,
    cluster: &Cluster,
    plan: &Plan,
    live: &ClusterObjects,
    story: &mut Story,
) -> Result<(), Error> {
    let mut removed = Vec::new();
    for instance in &plan.remove {
        if live
            .stateful_sets
            .get(instance.as_str())
            .is_some_and(|set| set.metadata.deletion_timestamp.is_none())
        {
            removed.push(instance.as_str());
            delete::<k8s_openapi::api::apps::v1::StatefulSet>(client, &cluster.namespace, instance.as_str())
                .await?;
        } else if !live.pods.contains_key(&instance.pod()) {
            remove_remains(client, &cluster.namespace, instance, live).await?;
        }
    }
    if !removed.is_empty() {
        story.tell("InstanceRemoved", "RemoveInstance", format!("removing {}", removed.join(", ")));
    }
    Ok(())
}

async fn remove_remains(
    client: &kube::Client,
    namespace: &str,
    instance: &InstanceName,
    live: &ClusterObjects,
) -> Result<(), Error> {
    use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
    if live.config_maps.contains_key(&instance.config()) {
        delete::<ConfigMap>(client, namespace, &instance.config()).await?;
    }
    if live.secrets.contains_key(&instance.certificates()) {
        delete::<Secret>(client, namespace, &instance.certificates()).await?;
    }
    for claim in live.volume_claims.values() {
        let owned = claim.labels().get(labels::INSTANCE).is_some_and(|owner| owner == instance.as_str());
        if owned && claim.metadata.deletion_timestamp.is_none() {
            delete::<PersistentVolumeClaim>(client, namespace, &claim.name_any()).await?;
        }
    }
    Ok(())
}

/// Deletes an object, which may be gone already, and what it owns after it.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn delete<K>(client: &kube::Client, namespace: &str, name: &str) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let params =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Background), ..DeleteParams::default() };
    ignore_missing(api.delete(name, &params).await)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::secrets::data;

    #[test]
    fn certificates_are_renewed_where_there_were_others() {
        let secret = |name: &str, certificate: &str| Secret {
            metadata: kube::core::ObjectMeta { name: Some(name.to_owned()), ..Default::default() },
            data: Some(data([("tls.crt", certificate)])),
            ..Secret::default()
        };
        let live = ClusterObjects {
            secrets: ["same", "other"].map(|name| (name.to_owned(), secret(name, "before"))).into(),
            root_authority: Some(secret("pgo-root-cacert", "before")),
            ..ClusterObjects::default()
        };
        let wanted = [secret("same", "before"), secret("other", "after"), secret("new", "after")];
        assert_eq!(renewed(wanted.iter(), &live), ["other"]);
        assert_eq!(renewed([&secret("pgo-root-cacert", "after")].into_iter(), &live), ["pgo-root-cacert"]);
    }
}
