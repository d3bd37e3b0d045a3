//! The StatefulSet of an instance. Each instance has one of its own, so that instances can differ, be replaced and be
//! resized one at a time.

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    cluster::{Cluster, InstanceSet},
    inputs::Inputs,
    meta::{self, Labels},
    pod,
};
use crate::{api::labels, domain::cluster_names::InstanceName};

/// Labels of an instance's pod. The selector of its StatefulSet is the same, and Patroni finds its members by them.
fn pod_labels(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> Labels {
    let mut own = meta::instance_labels(&set.name, instance);
    own.extend(meta::labels([
        (labels::DATA, labels::DATA_POSTGRES),
        (labels::PATRONI, cluster.names.leader().as_str()),
    ]));
    own
}

/// Labels and annotations of an instance's pod, with what it was made from.
fn pod_meta(cluster: &Cluster, set: &InstanceSet, own: Labels) -> ObjectMeta {
    let mut meta = meta::pod_meta(cluster, own, &[&set.metadata]);
    meta.annotations.get_or_insert_default().extend(Inputs::of(cluster, set).annotations());
    meta
}

/// The StatefulSet of `instance`.
#[must_use]
pub fn build(cluster: &Cluster, set: &InstanceSet, instance: &InstanceName) -> StatefulSet {
    let own = pod_labels(cluster, set, instance);
    let mut selector = meta::instance_labels(&set.name, instance);
    selector.insert(labels::CLUSTER.to_owned(), cluster.name.clone());
    StatefulSet {
        metadata: meta::object_meta(cluster, instance.as_str().to_owned(), own.clone(), &[&set.metadata]),
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(!cluster.shutdown)),
            service_name: Some(cluster.names.pod_service()),
            selector: meta::selector(selector),
            // Pods are replaced by the operator alone, which knows which of them leads.
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            revision_history_limit: Some(0),
            template: PodTemplateSpec {
                metadata: Some(pod_meta(cluster, set, own)),
                spec: Some(pod::spec(cluster, set, instance)),
            },
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    }
}
