//! Labels that everything of an installation carries, by which `plan` and `uninstall` find it again.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kube::api::DynamicObject;
use sha2::{Digest as _, Sha256};

use crate::inventory::Installation;

/// What an object belongs to.
pub const NAME: &str = "app.kubernetes.io/name";
/// The installation's name.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The version that applied it.
pub const VERSION: &str = "app.kubernetes.io/version";
/// Who manages it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// What part of the installation it is.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// The set of objects that it is a member of.
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// The set of objects that it is the parent of.
pub const SET_ID: &str = "applyset.kubernetes.io/id";
/// The value of [`NAME`] and [`MANAGED_BY`].
pub const PGHERD: &str = "pgherd";
/// The value of [`COMPONENT`] on the record of an installation.
pub const RECORD: &str = "installation-record";
/// Where the operator of an installation runs; on namespaces that the installation made.
pub const HOME: &str = "pgherd.io/operator-namespace";

/// The installation that looks after the databases of a namespace; on namespaces, in the modes that go by it.
pub const NAMESPACE: &str = "pgherd.io/installation";

/// The value of [`NAMESPACE`], and what clusters carry that the installation follows: installations of one name may be in
/// different namespaces, and dots are in neither.
#[must_use]
pub fn namespace_label(installation: &Installation) -> String {
    format!("{}.{}", installation.namespace, installation.name)
}

/// The Lease, in the operator's namespace, that the newest operator of an installation holds.
#[must_use]
pub fn operator_lease(installation: &Installation) -> String {
    format!("{}-operator", installation.name)
}

/// The name of an installation's objects that are in no namespace. No other installation has it: neither part has colons.
#[must_use]
pub fn cluster_wide_name(installation: &Installation) -> String {
    format!("pgherd:{}:{}", installation.namespace, installation.name)
}

/// The identity of an installation's set of objects. Its parent is the Secret with the installation's record, and this is
/// the form that Kubernetes' specification of apply sets gives to identities.
#[must_use]
pub fn set_id(installation: &Installation) -> String {
    let parent = format!("{}.{}.Secret.", super::record::secret_name(installation), installation.namespace);
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(parent)))
}

/// Labels of an object that belongs to one installation.
#[must_use]
pub fn own(installation: &Installation) -> BTreeMap<String, String> {
    let mut labels = shared();
    labels.insert(INSTANCE.to_owned(), installation.name.to_string());
    labels.insert(VERSION.to_owned(), crate::VERSION.to_owned());
    labels.insert(PART_OF.to_owned(), set_id(installation));
    labels
}

/// Labels and annotations of a watched namespace that the operator makes: the same that it would have from the installer, so
/// that an uninstall finds it.
#[must_use]
pub fn of_watched_namespace(
    installation: &Installation,
) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut labels = own(installation);
    labels.insert(NAMESPACE.to_owned(), namespace_label(installation));
    labels.insert("pod-security.kubernetes.io/warn".to_owned(), "restricted".to_owned());
    (labels, [(HOME.to_owned(), installation.namespace.to_string())].into())
}

/// Labels of an object that all installations share.
#[must_use]
pub fn shared() -> BTreeMap<String, String> {
    [(NAME, PGHERD), (MANAGED_BY, PGHERD)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// Labels that find the operator's pods.
#[must_use]
pub fn operator_selector(installation: &Installation) -> BTreeMap<String, String> {
    [(NAME, PGHERD), (INSTANCE, installation.name.as_str()), (COMPONENT, "operator")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Labels as a selector.
#[must_use]
pub fn selector(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Adds labels to an object.
pub(super) fn stamp(object: &mut DynamicObject, labels: &BTreeMap<String, String>) {
    let existing = object.metadata.labels.get_or_insert_default();
    existing.extend(labels.iter().map(|(key, value)| (key.clone(), value.clone())));
}

/// Whether an object carries the labels of this installation's set.
#[must_use]
pub fn belongs(object: &DynamicObject, set: &str) -> bool {
    let labels = object.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(PART_OF)).is_some_and(|found| found == set)
}
