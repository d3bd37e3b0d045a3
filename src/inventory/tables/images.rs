//! Images and how they are pulled.

use std::collections::BTreeMap;

use super::{
    choices::PullPolicy,
    texts::{Digest, FilePath, ImageName, ImagePrefix, ImageTag, Registry},
};
use crate::{
    domain::names::ObjectName,
    inventory::{table::settings, value::Major},
};

settings! {
    /// What runs, and how it is pulled.
    Images / RawImages {
        /// The registry of images that name none.
        registry: [optional "images name their registry themselves"] Registry, old ["pgo_image_prefix", "ccp_image_prefix"];
        /// The path in that registry.
        prefix: [optional "images are at the top of the registry"] ImagePrefix, old ["pgo_image_prefix", "ccp_image_prefix"];
        /// The tag of images that have none.
        tag: [optional "images have their tags themselves; that of pgherd is its version"] ImageTag, old ["pgo_image_tag", "ccp_image_tag"];
        /// The image of pgherd itself.
        operator: [optional "pgherd in the registry above"] ImageName, old ["pgo_image"];
        /// The image of PostgreSQL for each of its major versions.
        postgres: [required] BTreeMap<Major, ImageName>, old ["ccp_image_tag"];
        /// The image of the exporter that databases are measured with.
        exporter: [optional "that of the database"] ImageName, old [], inert;
        /// The image of Prometheus.
        prometheus: [optional "prometheus in the registry above"] ImageName, old ["prometheus_image_prefix", "prometheus_image_name", "prometheus_image_tag"], inert;
        /// The image of Grafana.
        grafana: [optional "grafana in the registry above"] ImageName, old ["grafana_image_prefix", "grafana_image_name", "grafana_image_tag"], inert;
        /// The image of Alertmanager.
        alertmanager: [optional "alertmanager in the registry above"] ImageName, old ["alertmanager_image_prefix", "alertmanager_image_name", "alertmanager_image_tag"], inert;
        /// When images are pulled.
        pull_policy: [default "\"IfNotPresent\""] PullPolicy, old [];
        /// Secrets with credentials for registries.
        pull_secrets: [default "[]"] Vec<ObjectName>, old ["pgo_image_pull_secret", "ccp_image_pull_secret", "metrics_image_pull_secret"];
        /// Manifests of such Secrets, which are applied to every namespace that pulls.
        pull_secret_manifests: [default "[]"] Vec<FilePath>, old ["pgo_image_pull_secret_manifest", "ccp_image_pull_secret_manifest", "metrics_image_pull_secret_manifest"];
        /// Digests that images are pinned to, each for an image as it is pulled without the digest.
        digests: [default "{}"] BTreeMap<String, Digest>, old [];
        /// Beginnings of images, and what stands there instead, such as a mirror's address for a registry's. The longest wins.
        mirrors: [default "{}"] BTreeMap<String, String>, old [];
    }
}

impl crate::inventory::value::Value for String {
    const KIND: crate::inventory::setting::Kind =
        crate::inventory::setting::Kind::Text { what: "a text", example: "registry.example.com/" };

    fn read(
        found: &crate::inventory::value::Found<'_>,
        notes: &crate::inventory::notes::Notes,
    ) -> Option<Self> {
        found.text(notes).map(str::to_owned)
    }
}
