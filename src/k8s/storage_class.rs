//! What is to be known of storage classes.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt as _;

/// Marks the class of claims that name none.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// Whether claims that name no class get this one.
#[must_use]
pub fn is_default(class: &StorageClass) -> bool {
    class.annotations().get(DEFAULT).is_some_and(|value| value == "true")
}
