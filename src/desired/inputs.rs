//! What a user has asked for of a pod, apart from what this version of pgherd makes of it. A pod is replaced when its user
//! asks for another one, and left alone when only the operator has learned to build it differently.
//!
//! Both are recorded on the pod: a digest of the inputs, and the image where the cluster names one.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::{
    cluster::{Cluster, InstanceSet},
    meta::Labels,
    pod::DATABASE_CONTAINER,
};
use crate::{api::labels, domain::digest};

/// Raised when pods of earlier versions must not stay as they are, say because of a hole in them. It replaces every pod of
/// every cluster, which is why nothing else does.
const NEEDED: u32 = 1;

/// What a pod of one instance set has to be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs<'a> {
    digest: String,
    image: &'a str,
    /// Whether the cluster names the image; else it is the installation's, which a new version may change.
    named: bool,
}

impl<'a> Inputs<'a> {
    /// The inputs of the pods of `set`.
    #[must_use]
    pub fn of(cluster: &'a Cluster, set: &InstanceSet) -> Self {
        Self { digest: digest(asked(cluster, set)), image: &cluster.image, named: cluster.image_is_named }
    }

    /// The annotations that record the inputs on a pod.
    #[must_use]
    pub fn annotations(&self) -> Labels {
        let mut annotations = Labels::from([(labels::INPUTS.to_owned(), self.digest.clone())]);
        if self.named {
            annotations.insert(labels::NAMED_IMAGE.to_owned(), self.image.to_owned());
        }
        annotations
    }

    /// Whether `pod` was made from these inputs, as far as they make a difference to a pod that runs.
    #[must_use]
    pub fn made(&self, pod: &Pod) -> bool {
        let recorded = pod.annotations().get(labels::NAMED_IMAGE).map(String::as_str);
        // An image that nobody has named, before or now, is not worth a restart.
        let image = !self.named && recorded.is_none() || recorded.or(running(pod)) == Some(self.image);
        image && pod.annotations().get(labels::INPUTS) == Some(&self.digest)
    }
}

/// The image of a pod's database container.
fn running(pod: &Pod) -> Option<&str> {
    let containers = &pod.spec.as_ref()?.containers;
    containers.iter().find(|container| container.name == DATABASE_CONTAINER)?.image.as_deref()
}

/// What of a cluster's description goes into its pods and matters to one that runs.
fn asked(cluster: &Cluster, set: &InstanceSet) -> Value {
    // No `..`: whoever adds a field decides here whether a change of it replaces pods.
    let Cluster {
        name: _,
        namespace: _,
        uid: _,
        names: _,
        owner: _,
        metadata,
        // Compared by itself.
        image: _,
        image_is_named: _,
        // How an image gets to a node is of no interest to a container that runs from it.
        image_pull_policy: _,
        image_pull_secrets: _,
        postgres_version,
        port,
        patroni,
        sets: _,
        files,
        // What follows reaches PostgreSQL through Patroni or SQL.
        users: _,
        user_schemas: _,
        parameters: _,
        hba_rules: _,
        service: _,
        replica_service: _,
        pgbouncer: _,
        custom_certificate,
        custom_replication_certificate,
        openshift,
        supplemental_groups,
        // Of interest to the first start only.
        adoption: _,
        // Patroni turns one into the other.
        standby: _,
        shutdown: _,
        disable_default_pod_scheduling,
    } = cluster;
    let InstanceSet {
        name: _,
        replicas: _,
        // The size of a volume changes under a running pod.
        data_volume: _,
        wal_volume,
        // Names of what a pod has anyway.
        adopted: _,
        retiring_wal,
        tablespaces,
        resources,
        metadata: of_set,
        affinity,
        tolerations,
        topology_spread_constraints,
        priority_class_name,
        min_available: _,
        containers,
    } = set;
    json!({
        "needed": NEEDED,
        "labels": metadata.labels,
        "annotations": metadata.annotations,
        "postgresVersion": postgres_version,
        "port": port,
        "patroni": [patroni.port, patroni.leader_lease_seconds, patroni.sync_period_seconds],
        "certificate": custom_certificate,
        "replicationCertificate": custom_replication_certificate,
        "openshift": openshift,
        "groups": supplemental_groups,
        "anywhere": disable_default_pod_scheduling,
        "setLabels": of_set.labels,
        "setAnnotations": of_set.annotations,
        "walVolume": wal_volume.is_some(),
        "retiringWal": retiring_wal,
        "files": files,
        "tablespaces": tablespaces.iter().map(|tablespace| &tablespace.name).collect::<Vec<_>>(),
        "resources": resources,
        "affinity": affinity,
        "tolerations": tolerations,
        "spread": topology_spread_constraints,
        "priority": priority_class_name,
        "containers": containers,
    })
}

/// A digest of the fields that say something: one that a later version adds makes no difference to clusters that don't set
/// it.
fn digest(mut asked: Value) -> String {
    if let Some(fields) = asked.as_object_mut() {
        fields.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Object(object) => !object.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
        });
    }
    // The order in which a version's types write their fields makes no difference either.
    asked.sort_all_objects();
    digest::short(&[&asked.to_string()])
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::SecretProjection;

    use super::*;
    use crate::{desired::stateful_set, operator::test_support};

    /// The pod of the cluster's only set.
    fn pod(cluster: &Cluster) -> Pod {
        let set = &cluster.sets[0];
        let instance = cluster.names.startup_instance(&set.name);
        let template = stateful_set::build(cluster, set, &instance).spec.unwrap().template;
        Pod { metadata: template.metadata.unwrap(), spec: template.spec, status: None }
    }

    fn current(pod: &Pod, cluster: &Cluster) -> bool {
        Inputs::of(cluster, &cluster.sets[0]).made(pod)
    }

    fn with(path: &str, value: Value) -> Cluster {
        let mut spec = test_support::spec();
        *spec.pointer_mut(path.rsplit_once('/').unwrap().0).unwrap() = {
            let (parent, field) = path.rsplit_once('/').unwrap();
            let mut object = spec.pointer(parent).unwrap().clone();
            object[field] = value;
            object
        };
        test_support::cluster_from(&spec)
    }

    /// A pod of version 0.1.0 must stay when a later version looks at it: this value may change only together with
    /// [`NEEDED`].
    #[test]
    fn the_digest_of_a_plain_cluster_is_the_same_in_every_version() {
        let cluster = test_support::cluster();
        insta::assert_snapshot!(Inputs::of(&cluster, &cluster.sets[0]).digest);
    }

    #[test]
    fn every_change_of_a_pod_that_its_user_asks_for_is_seen() {
        let old = pod(&test_support::cluster());
        assert!(current(&old, &test_support::cluster()));
        let changes = [
            ("/metadata", json!({"labels": {"team": "keepers"}})),
            ("/port", json!(5433)),
            ("/patroni", json!({"port": 8009})),
            ("/patroni", json!({"syncPeriodSeconds": 5})),
            ("/openshift", json!(true)),
            ("/supplementalGroups", json!([2000])),
            ("/disableDefaultPodScheduling", json!(true)),
            ("/image", json!("localhost/postgres:other")),
            ("/instances/0/metadata", json!({"annotations": {"note": "this"}})),
            ("/instances/0/resources", json!({"limits": {"memory": "1Gi"}})),
            (
                "/instances/0/affinity",
                json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}),
            ),
            ("/instances/0/tolerations", json!([{"operator": "Exists"}])),
            ("/instances/0/priorityClassName", json!("high")),
            ("/instances/0/containers", json!([{"name": "beside", "image": "localhost/other"}])),
            ("/instances/0/walVolumeClaimSpec", test_support::set("x")["dataVolumeClaimSpec"].clone()),
        ];
        for (path, value) in changes {
            let cluster = with(path, value);
            let new = pod(&cluster);
            assert_ne!(
                old.spec.as_ref().zip(Some(&old.metadata)),
                new.spec.as_ref().zip(Some(&new.metadata))
            );
            assert!(!current(&old, &cluster), "{path} replaces the pod");
            assert!(current(&new, &cluster), "{path} is in the new one");
        }
    }

    #[test]
    fn another_certificate_is_mounted_in_a_new_pod() {
        let mut cluster = test_support::cluster();
        let old = pod(&cluster);
        cluster.custom_certificate = Some(SecretProjection { name: "own".into(), ..Default::default() });
        assert!(!current(&old, &cluster));
        let next = pod(&cluster);
        cluster.custom_replication_certificate = cluster.custom_certificate.clone();
        assert!(!current(&next, &cluster));
    }

    #[test]
    fn what_makes_no_difference_to_a_running_pod_is_no_reason_to_replace_it() {
        let old = pod(&test_support::cluster());
        for (path, value) in [
            ("/imagePullPolicy", json!("Always")),
            ("/imagePullSecrets", json!([{"name": "registry"}])),
            ("/users", json!([{"name": "rhino"}])),
            ("/config", json!({"parameters": {"work_mem": "8MB"}})),
            ("/instances/0/replicas", json!(3)),
            ("/instances/0/minAvailable", json!(1)),
            ("/image", json!("localhost/postgres:17")),
        ] {
            assert!(current(&old, &with(path, value)), "{path}");
        }
    }

    #[test]
    fn an_image_counts_when_the_cluster_names_it_or_has_named_it() {
        let mut plain = test_support::cluster();
        let old = pod(&plain);
        plain.image = "localhost/postgres:newer".to_owned();
        assert!(current(&old, &plain), "the installation's image is taken up when there is another reason");

        let named = with("/image", json!("localhost/postgres:named"));
        assert!(!current(&old, &named));
        assert!(!current(&pod(&named), &plain), "its user has gone back to the installation's");
    }
}
