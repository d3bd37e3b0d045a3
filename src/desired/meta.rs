//! Metadata of a cluster's objects: the one place where labels and owners are put together.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::cluster::{Cluster, ExtraMetadata};
use crate::{api::labels, domain::cluster_names::InstanceName};

/// Labels as Kubernetes objects hold them.
pub type Labels = BTreeMap<String, String>;

/// Labels from pairs of key and value.
#[must_use]
pub fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Metadata of an object called `name` that belongs to `cluster`: in its namespace, owned by it, with its labels. The
/// user's labels and annotations never win over those that pgherd selects by.
#[must_use]
pub fn object_meta(cluster: &Cluster, name: String, own: Labels, extra: &[&ExtraMetadata]) -> ObjectMeta {
    let mut meta = ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.namespace.clone()),
        owner_references: Some(vec![cluster.owner.clone()]),
        ..ObjectMeta::default()
    };
    let (labels, annotations) = combined(cluster, own, extra);
    meta.labels = Some(labels);
    meta.annotations = (!annotations.is_empty()).then_some(annotations);
    meta
}

/// Metadata of pods of `cluster`, which get their name and owner from their StatefulSet.
#[must_use]
pub fn pod_meta(cluster: &Cluster, own: Labels, extra: &[&ExtraMetadata]) -> ObjectMeta {
    let (labels, annotations) = combined(cluster, own, extra);
    ObjectMeta {
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    }
}

fn combined(cluster: &Cluster, own: Labels, extra: &[&ExtraMetadata]) -> (Labels, Labels) {
    let mut labels = Labels::new();
    let mut annotations = Labels::new();
    for source in std::iter::once(&&cluster.metadata).chain(extra) {
        labels.extend(source.labels.clone());
        annotations.extend(source.annotations.clone());
    }
    labels.extend(own);
    labels.insert(labels::CLUSTER.to_owned(), cluster.name.clone());
    (labels, annotations)
}

/// Labels of what belongs to one instance.
#[must_use]
pub fn instance_labels(set: &str, instance: &InstanceName) -> Labels {
    labels([(labels::INSTANCE_SET, set), (labels::INSTANCE, instance.as_str())])
}

/// The selector that matches exactly `labels`.
#[must_use]
pub fn selector(labels: Labels) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}
