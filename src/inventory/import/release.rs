//! Which release of the old installer a file was written for.

use std::fmt;

use serde::{Serialize, Serializer};

/// A release: 4.0 to 4.7, and the last number when a tag tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// The second number.
    pub minor: u8,
    /// The third number, when it is known.
    pub patch: Option<u8>,
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "4.{}", self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(formatter, ".{patch}"))
    }
}

impl Serialize for Release {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Settings that say at least which release they come from, the newest first.
const FIRST_SEEN: &[(u8, &[&str])] = &[
    (
        7,
        &[
            "pgadmin_storage",
            "backrest_gcs_bucket",
            "backrest_gcs_endpoint",
            "backrest_gcs_key_type",
            "backrest_gcs_key",
        ],
    ),
    (6, &["default_exporter_memory"]),
    (
        5,
        &[
            "alertmanager_install",
            "grafana_port",
            "prometheus_port",
            "metrics_image_pull_secret",
            "grafana_service_name",
        ],
    ),
    (4, &["reconcile_rbac", "backrest_aws_s3_uri_style", "backrest_aws_s3_verify_tls"]),
    (3, &["namespace_mode", "dynamic_rbac", "default_instance_memory", "wal_storage", "disable_fsgroup"]),
    (2, &["disable_auto_failover", "pod_anti_affinity", "sync_replication", "ccp_image_pull_secret"]),
    (
        1,
        &[
            "pgo_installation_name",
            "create_rbac",
            "exporterport",
            "pgo_admin_role_name",
            "storage1_name",
            "resource1_name",
        ],
    ),
    (0, &["pgo_operator_namespace", "auto_failover", "primary_storage"]),
];

/// The release, from tags of images or, without one, from which settings there are.
pub(super) fn detect<'v>(value: &dyn Fn(&str) -> Option<&'v str>) -> Option<Release> {
    ["pgo_image_tag", "pgo_client_version", "ccp_image_tag"]
        .into_iter()
        .filter_map(value)
        .find_map(from_tag)
        .or_else(|| {
            let seen = |keys: &[&str]| keys.iter().any(|key| value(key).is_some());
            let (minor, _) = FIRST_SEEN.iter().find(|(_, keys)| seen(keys))?;
            Some(Release { minor: *minor, patch: None })
        })
}

/// The release at the end of `centos7-12.4-4.2.4` or `v4.2.4`.
fn from_tag(tag: &str) -> Option<Release> {
    let version = tag.rsplit('-').find(|part| part.trim_start_matches('v').starts_with("4."))?;
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u8>);
    let (Some(Ok(4)), Some(Ok(minor @ 0..=7))) = (numbers.next(), numbers.next()) else { return None };
    Some(Release { minor, patch: numbers.next().and_then(Result::ok) })
}

/// The version of PostgreSQL in the tag of an image of PGO's: `centos7-12.4-4.2.4` has 12.4.
pub(super) fn postgres_version(tag: &str) -> Option<&str> {
    let version = tag.split('-').nth(1)?;
    let major: u8 = version.split('.').next()?.parse().ok()?;
    (9..=14).contains(&major).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &[(&str, &'static str)]) -> Option<String> {
        let value = |key: &str| settings.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        detect(&value).map(|release| release.to_string())
    }

    #[test]
    fn tags_tell_the_release_and_settings_do_without_them() {
        assert_eq!(of(&[("pgo_image_tag", "centos7-4.2.4")]).as_deref(), Some("4.2.4"));
        assert_eq!(of(&[("pgo_client_version", "v4.3.4")]).as_deref(), Some("4.3.4"));
        assert_eq!(of(&[("ccp_image_tag", "ubi8-13.10-4.6.10")]).as_deref(), Some("4.6.10"));
        assert_eq!(
            of(&[("ccp_image_tag", "centos7-11.4-2.4.1"), ("auto_failover", "")]).as_deref(),
            Some("4.0")
        );
        assert_eq!(of(&[("pgo_image_tag", "mine"), ("reconcile_rbac", "true")]).as_deref(), Some("4.4"));
        assert_eq!(of(&[("pgadmin_storage", "")]).as_deref(), Some("4.7"));
        assert_eq!(of(&[("x", "4.2.4")]), None);
        assert_eq!(postgres_version("centos7-12.4-4.2.4"), Some("12.4"));
        assert_eq!(postgres_version("latest"), None);
    }
}
