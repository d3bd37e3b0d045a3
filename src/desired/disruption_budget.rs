//! PodDisruptionBudgets: how many instances of a set an eviction leaves running.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    cluster::{Cluster, InstanceSet, PgBouncer},
    meta, pgbouncer,
};
use crate::api::labels;

/// The budget of a set; none where a set of one instance would make a node impossible to drain.
#[must_use]
pub fn instance_set(cluster: &Cluster, set: &InstanceSet) -> Option<PodDisruptionBudget> {
    let min_available = min_available(set.min_available.as_ref(), set.replicas > 1)?;
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

/// The budget of the pooler, where it has several pods.
#[must_use]
pub fn pgbouncer(cluster: &Cluster, wanted: &PgBouncer) -> Option<PodDisruptionBudget> {
    let min_available = min_available(wanted.min_available.as_ref(), wanted.replicas > 1)?;
    Some(PodDisruptionBudget {
        metadata: meta::object_meta(
            cluster,
            cluster.names.pgbouncer(),
            pgbouncer::own_labels(),
            &[&wanted.metadata],
        ),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(min_available),
            selector: Some(meta::selector(pgbouncer::selector(cluster))),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    })
}

/// What must stay: the user's choice, else one of several. Nothing where everything may go.
fn min_available(chosen: Option<&IntOrString>, several: bool) -> Option<IntOrString> {
    let least = chosen.cloned().or_else(|| several.then_some(IntOrString::Int(1)))?;
    let nothing = match &least {
        IntOrString::Int(count) => *count == 0,
        IntOrString::String(share) => share == "0%",
    };
    (!nothing).then_some(least)
}
