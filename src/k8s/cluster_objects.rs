//! What exists of one database cluster, read in one go. Nothing is kept between two looks: memory does not grow with the
//! number of clusters, and no decision is made on old knowledge.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::{ConfigMap, Endpoints, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    rbac::v1::{Role, RoleBinding},
};
use kube::{Api, Client, Resource, ResourceExt, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use crate::{api::labels, domain::cluster_names::ROOT_AUTHORITY_SECRET};

/// Objects of one kind by name.
pub type ByName<K> = BTreeMap<String, K>;

/// Everything that belongs to one cluster, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct ClusterObjects {
    /// The instances' StatefulSets.
    pub stateful_sets: ByName<StatefulSet>,
    /// The pooler's Deployment.
    pub deployments: ByName<Deployment>,
    /// The pods of instances and of the pooler.
    pub pods: ByName<Pod>,
    /// Volumes.
    pub volume_claims: ByName<PersistentVolumeClaim>,
    /// Services.
    pub services: ByName<Service>,
    /// Endpoints: Patroni's, and the one that pgherd writes.
    pub endpoints: ByName<Endpoints>,
    /// Configuration.
    pub config_maps: ByName<ConfigMap>,
    /// Certificates and users.
    pub secrets: ByName<Secret>,
    /// Accounts of the pods.
    pub service_accounts: ByName<ServiceAccount>,
    /// What the accounts may do.
    pub roles: ByName<Role>,
    /// Who may do it.
    pub role_bindings: ByName<RoleBinding>,
    /// Limits to evictions.
    pub disruption_budgets: ByName<PodDisruptionBudget>,
    /// What may talk to the instances.
    pub network_policies: ByName<NetworkPolicy>,
    /// The authority that all clusters of the namespace share.
    pub root_authority: Option<Secret>,
    /// Secrets of the user's that instances show certificates from. They have no label, so they are read by their names, by
    /// whoever needs them.
    pub users_certificates: ByName<Secret>,
}

impl ClusterObjects {
    /// Reads everything that carries the cluster's label.
    ///
    /// # Errors
    /// When the API server refuses or can't be reached.
    pub async fn fetch(client: &Client, namespace: &str, cluster: &str) -> kube::Result<Self> {
        let list = Lister { client, namespace, params: ListParams::default().labels(&selector(cluster)) };
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let (
            stateful_sets,
            deployments,
            pods,
            volume_claims,
            services,
            endpoints,
            config_maps,
            cluster_secrets,
            service_accounts,
            roles,
            role_bindings,
            disruption_budgets,
            network_policies,
            root_authority,
        ) = tokio::try_join!(
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            list.by_name(),
            secrets.get_opt(ROOT_AUTHORITY_SECRET),
        )?;
        Ok(Self {
            stateful_sets,
            deployments,
            pods,
            volume_claims,
            services,
            endpoints,
            config_maps,
            secrets: cluster_secrets,
            service_accounts,
            roles,
            role_bindings,
            disruption_budgets,
            network_policies,
            root_authority,
            users_certificates: ByName::new(),
        })
    }
}

/// Selects what belongs to `cluster`.
#[must_use]
pub fn selector(cluster: &str) -> String {
    format!("{}={cluster}", labels::CLUSTER)
}

struct Lister<'a> {
    client: &'a Client,
    namespace: &'a str,
    params: ListParams,
}

impl Lister<'_> {
    async fn by_name<K>(&self) -> kube::Result<ByName<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), self.namespace);
        let list = api.list(&self.params).await?;
        Ok(list.items.into_iter().map(|object| (object.name_any(), object)).collect())
    }
}
