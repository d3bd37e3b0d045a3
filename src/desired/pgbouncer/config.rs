//! The configuration of PgBouncer as text. `pgbouncer.ini(5)` describes the format: sections, one setting on a line, and later
//! lines win.

use std::fmt::Write as _;

use super::{CERTIFICATES, CONFIGURATION, PASSWORD_FILE, TEMPORARY};
use crate::{
    desired::{
        cluster::{Cluster, PgBouncer},
        text::scripts,
    },
    domain::hba::POOLER_USER,
};

/// Where users may put files of their own.
const OWN_FILES: &str = "/etc/pgbouncer";
/// The one of them that is read before ours.
pub(super) const OWN_FILE: &str = "pgbouncer.ini";

/// The main file. It begins with what the user mounts as `pgbouncer.ini`, so that everything else wins over that.
#[must_use]
pub(super) fn main_file(cluster: &Cluster, pgbouncer: &PgBouncer) -> String {
    let mut text = String::from(
        "; Written by pgherd, and written again when somebody changes it. Settings belong into the PostgresCluster, under\n\
         ; spec.proxy.pgBouncer.config.\n\n",
    );
    if own_file(pgbouncer) != OwnFile::None {
        let _ = writeln!(text, "%include {OWN_FILES}/{OWN_FILE}\n");
    }
    text.push_str("[pgbouncer]\n");
    let mut settings = pgbouncer.global.clone();
    for (name, value) in DEFAULTS {
        settings.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
    }
    for (name, value) in mandatory(pgbouncer) {
        settings.insert(name.to_owned(), value);
    }
    lines(&mut text, &settings);
    text.push_str("\n[databases]\n");
    if pgbouncer.databases.is_empty() {
        let _ = writeln!(text, "* = host={} port={}", cluster.names.primary_service(), cluster.port);
    }
    lines(&mut text, &pgbouncer.databases);
    text.push_str("\n[users]\n");
    lines(&mut text, &pgbouncer.users);
    text
}

/// What a user may set otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("client_tls_sslmode", "require"),
    // The JDBC driver sends it with every connection.
    ("ignore_startup_parameters", "extra_float_digits"),
    ("server_tls_sslmode", "verify-full"),
];

/// What has to be like this for the rest to work, whatever a user sets.
fn mandatory(pgbouncer: &PgBouncer) -> Vec<(&'static str, String)> {
    vec![
        ("auth_file", PASSWORD_FILE.to_owned()),
        ("auth_query", "SELECT username, password FROM pgbouncer.get_auth($1)".to_owned()),
        ("auth_user", POOLER_USER.to_owned()),
        ("client_tls_ca_file", format!("{CERTIFICATES}/client-ca.crt")),
        ("client_tls_cert_file", format!("{CERTIFICATES}/tls.crt")),
        ("client_tls_key_file", format!("{CERTIFICATES}/tls.key")),
        ("listen_addr", "*".to_owned()),
        ("listen_port", pgbouncer.port.to_string()),
        // To standard error, where Kubernetes looks for it.
        ("logfile", String::new()),
        ("pidfile", String::new()),
        ("server_tls_ca_file", format!("{CERTIFICATES}/server-ca.crt")),
        ("unix_socket_dir", String::new()),
    ]
}

fn lines(text: &mut String, settings: &std::collections::BTreeMap<String, String>) {
    for (name, value) in settings {
        let _ = writeln!(text, "{name} = {value}");
    }
}

/// Whether the user mounts a file that is read before ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnFile {
    /// There is none.
    None,
    /// There is one.
    Named,
    /// There may be one: a source without a list puts every key there, and which keys it has is not known here.
    Possible,
}

pub(super) fn own_file(pgbouncer: &PgBouncer) -> OwnFile {
    let lists = pgbouncer.files.iter().filter_map(|file| {
        let config_map = file.config_map.as_ref().map(|source| source.items.as_ref());
        config_map.or_else(|| file.secret.as_ref().map(|source| source.items.as_ref()))
    });
    let mut own = OwnFile::None;
    for list in lists {
        match list {
            Some(items) if items.iter().any(|item| item.path == OWN_FILE) => return OwnFile::Named,
            Some(_) => {}
            None => own = OwnFile::Possible,
        }
    }
    own
}

/// What the files are, and where it is noted which of them PgBouncer has read.
fn definitions() -> String {
    format!(
        "in_force={TEMPORARY}/.files-in-force\n\
         state() {{ cat {CONFIGURATION} {CERTIFICATES}/* {PASSWORD_FILE} 2>/dev/null | cksum; }}\n"
    )
}

/// Commands that tell whether PgBouncer has read the files that are there now.
#[must_use]
pub fn in_force() -> String {
    scripts::compare(&definitions(), "state")
}

/// The command of the container: PgBouncer, and beside it a loop that makes it read its files again when they have changed.
/// Nothing tells a container of that; the kubelet itself looks once a minute.
#[must_use]
pub(super) fn command() -> Vec<String> {
    let script = format!(
        r#"command -v pgbouncer >/dev/null 2>&1 || {{
  echo 'the image has no pgbouncer; name one that has it in spec.proxy.pgBouncer.image' >&2
  exit 1
}}
{definitions}seen=$(state)
printf '%s\n' "$seen" >"$in_force"
(
  while sleep 5; do
    now=$(state)
    if [ "$now" != "$seen" ]; then
      seen=$now
      kill -HUP 1
      printf '%s\n' "$seen" >"$in_force"
    fi
  done
) &
exec pgbouncer {CONFIGURATION}
"#,
        definitions = definitions()
    );
    ["sh", "-ceu", "--", &script].map(str::to_owned).to_vec()
}
