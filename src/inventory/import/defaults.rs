//! What no file says: defaults of the old installer that pgherd doesn't share, and what pgherd has to be told.

use super::work::Work;
use crate::domain::names::InstallationName;

/// Adds all of it.
pub(super) fn all(work: &mut Work<'_>) {
    installation(work);
    namespaces(work);
    metrics(work);
    let primary = "defaults.storage.primary";
    if !work.document.has(primary) && !failed(work, primary) {
        let why = "these files don't say which storage primaries get";
        work.missing(
            "primary_storage",
            primary,
            why,
            "Import the file with the storages together with this one.",
        );
    }
}

/// Whether a setting was there and can't be carried over, so that it isn't missing as well.
fn failed(work: &Work<'_>, path: &str) -> bool {
    work.problems.iter().any(|problem| problem.to.as_deref() == Some(path) && problem.place.line > 0)
}

fn installation(work: &mut Work<'_>) {
    let namespace = "installation.namespace";
    if !work.document.has(namespace) && !failed(work, namespace) {
        let why = "these files don't say where the operator is";
        let advice = "Import the operator's own inventory or values together with this file.";
        work.missing("pgo_operator_namespace", namespace, why, advice);
    }
    let name = "installation.name";
    if work.document.has(name) || failed(work, name) {
        return;
    }
    let given = work.document.text(namespace).filter(|text| text.parse::<InstallationName>().is_ok());
    let chosen = given.unwrap_or("pgo").to_owned();
    work.add(name, chosen.into(), "no setting named the installation; objects are named after it");
}

fn namespaces(work: &mut Work<'_>) {
    let minor = work.release.map_or(u8::MAX, |release| release.minor);
    let mode = "namespaces.mode";
    if !work.document.has(mode) && !failed(work, mode) {
        let why = if minor <= 2 {
            "up to 4.2 the operator could always create namespaces"
        } else {
            "what PGO did without namespace_mode"
        };
        work.add(mode, "dynamic".into(), why);
    }
    let reconcile = "namespaces.reconcile_rbac";
    if minor == 3 && !work.document.has(reconcile) && !failed(work, reconcile) {
        work.add(reconcile, false.into(), "what 4.3 did without dynamic_rbac");
    }
}

/// From 4.5 on the metrics had an installer of their own, which installed everything unless told otherwise.
fn metrics(work: &mut Work<'_>) {
    let own_installer = [
        "metrics_image_pull_secret",
        "prometheus_port",
        "grafana_port",
        "alertmanager_install",
        "alertmanager_port",
    ]
    .iter()
    .any(|key| work.chosen.has(key));
    for component in ["prometheus", "grafana", "alertmanager"] {
        let enabled = format!("metrics.{component}.enabled");
        if own_installer && !work.document.has(&enabled) && !failed(work, &enabled) {
            work.add(&enabled, true.into(), "what PGO did from 4.5 on when nothing was said");
        }
        let service = format!("metrics.{component}.service_name");
        let installed = work
            .chosen
            .written(&format!("{component}_install"))
            .map_or(own_installer, |text| super::forms::boolean(text).unwrap_or(false));
        if installed && !work.document.has(&service) && !failed(work, &service) {
            work.add(&service, format!("crunchy-{component}").into(), "what PGO called it");
        }
    }
    let namespace = "metrics.namespace";
    let operator = work.document.text("installation.namespace").map(ToOwned::to_owned);
    if own_installer
        && !work.document.has(namespace)
        && !failed(work, namespace)
        && operator.as_deref() != Some("pgo")
    {
        work.add(namespace, "pgo".into(), "where PGO put them when nothing was said");
    }
}
