//! PostgreSQL parameters: what pgherd insists on, what the user asked for, and defaults, merged in that order.

use std::collections::BTreeMap;

/// Parameters by name, as they are written into Patroni's dynamic configuration.
pub type Parameters = BTreeMap<String, String>;

/// Directory of the server's Unix sockets. `/tmp` is the only place that is writable in every container.
pub const SOCKET_DIRECTORY: &str = "/tmp/postgres";

/// Where the server's certificate, key and authority are mounted.
pub const CERTIFICATE_DIRECTORY: &str = "/pgconf/tls";

/// The audit library that comes first in `shared_preload_libraries` of every image that has it.
pub const AUDIT_LIBRARY: &str = "pgaudit";

const PRELOAD: &str = "shared_preload_libraries";

/// What the merge of [`merge`] starts from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// `spec.config.parameters`: wins over everything but what is mandatory.
    pub spec: Option<&'a Parameters>,
    /// `spec.patroni.dynamicConfiguration.postgresql.parameters`.
    pub dynamic: Option<&'a Parameters>,
}

/// The parameters of a cluster. Mandatory ones win over the user's, the user's over defaults; preloaded libraries are
/// joined instead of replaced, the audit library first.
#[must_use]
pub fn merge(sources: Sources<'_>) -> Parameters {
    let mut merged = defaults();
    for source in [sources.dynamic, sources.spec].into_iter().flatten() {
        merged.extend(source.iter().map(|(name, value)| (name.to_lowercase(), value.clone())));
    }
    let libraries = preload_libraries(merged.get(PRELOAD).map_or("", String::as_str), true);
    merged.extend(mandatory());
    merged.insert(PRELOAD.to_owned(), libraries);
    merged
}

/// The value of `shared_preload_libraries`: the user's libraries in their order, after the audit library where the image
/// has it (`audit`).
#[must_use]
pub fn preload_libraries(user: &str, audit: bool) -> String {
    let mut libraries: Vec<&str> = Vec::new();
    if audit {
        libraries.push(AUDIT_LIBRARY);
    }
    for library in user.split(',').map(str::trim).filter(|library| !library.is_empty()) {
        if library != AUDIT_LIBRARY && !libraries.contains(&library) {
            libraries.push(library);
        }
    }
    libraries.join(",")
}

/// The user's preloaded libraries out of merged parameters, for an image that lacks the audit library.
#[must_use]
pub fn preload_without_audit(merged: &Parameters) -> String {
    preload_libraries(merged.get(PRELOAD).map_or("", String::as_str), false)
}

fn parameters<const N: usize>(pairs: [(&str, &str); N]) -> Parameters {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What holds unless somebody says otherwise.
fn defaults() -> Parameters {
    parameters([
        // Compiling queries costs more than it saves in most applications, and memory that no setting bounds.
        ("jit", "off"),
        ("password_encryption", "scram-sha-256"),
        ("archive_timeout", "60s"),
        // Needs pages that the kubelet reserves for the pod; without them the server must not try.
        ("huge_pages", "off"),
    ])
}

/// What the rest of the system relies on.
fn mandatory() -> Parameters {
    let mut all = parameters([
        ("unix_socket_directories", SOCKET_DIRECTORY),
        ("wal_level", "logical"),
        ("ssl", "on"),
        ("archive_mode", "on"),
        // No repository is configured: WAL counts as archived at once, and nothing piles up.
        ("archive_command", "true"),
    ]);
    for (name, file) in [("ssl_cert_file", "tls.crt"), ("ssl_key_file", "tls.key"), ("ssl_ca_file", "ca.crt")]
    {
        all.insert(name.to_owned(), format!("{CERTIFICATE_DIRECTORY}/{file}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(name: &str, value: &str) -> Parameters {
        parameters([(name, value)])
    }

    #[test]
    fn the_spec_wins_over_the_dynamic_configuration_and_both_over_defaults() {
        let spec = one("jit", "on");
        let dynamic = parameters([("jit", "dynamic"), ("work_mem", "8MB")]);
        let merged = merge(Sources { spec: Some(&spec), dynamic: Some(&dynamic) });
        assert_eq!(merged["jit"], "on");
        assert_eq!(merged["work_mem"], "8MB");
        assert_eq!(merged["password_encryption"], "scram-sha-256");
    }

    #[test]
    fn preloaded_libraries_are_joined_once_each() {
        let spec = one(PRELOAD, "timescaledb, pgaudit,,pg_cron , timescaledb");
        let merged = merge(Sources { spec: Some(&spec), dynamic: None });
        assert_eq!(merged[PRELOAD], "pgaudit,timescaledb,pg_cron");
        assert_eq!(preload_without_audit(&merged), "timescaledb,pg_cron");
    }

    proptest! {
        #[test]
        fn no_source_overrides_what_is_mandatory(
            name in prop::sample::select(mandatory().into_keys().collect::<Vec<_>>()),
            value in ".*",
            upper in any::<bool>(),
        ) {
            let name = if upper { name.to_uppercase() } else { name };
            let source = one(&name, &value);
            let merged = merge(Sources { spec: Some(&source), dynamic: Some(&source) });
            for (name, value) in mandatory() {
                prop_assert_eq!(&merged[&name], &value);
            }
            prop_assert!(merged.keys().all(|key| key.to_lowercase() == *key));
        }
    }
}
