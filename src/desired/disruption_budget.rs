//! PodDisruptionBudgets: how many instances of a set an eviction leaves running.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    cluster::{Cluster, InstanceSet},
    meta,
};
use crate::api::labels;

/// The budget of a set; none where a set of one instance would make a node impossible to drain.
#[must_use]
pub fn instance_set(cluster: &Cluster, set: &InstanceSet) -> Option<PodDisruptionBudget> {
    let min_available = match &set.min_available {
        Some(chosen) => chosen.clone(),
        None if set.replicas > 1 => IntOrString::Int(1),
        None => return None,
    };
    if matches!(&min_available, IntOrString::Int(0))
        || matches!(&min_available, IntOrString::String(text) if text == "0%")
    {
        return None;
    }
    let own = meta::labels([(labels::INSTANCE_SET, set.name.as_str())]);
    let mut selector = own.clone();
    selector.insert(labels::CLUSTER.to_owned(), cluster.name.clone());
    Some(PodDisruptionBudget {
        metadata: meta::object_meta(
            cluster,
            cluster.names.disruption_budget(&set.name),
            own,
            &[&set.metadata],
        ),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(min_available),
            selector: Some(meta::selector(selector)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}
