//! Host-based authentication: the lines of `pg_hba.conf`, in the order in which PostgreSQL tries them.

use std::fmt::Write as _;

/// The role that replicas connect as. It has no password and authenticates with a certificate only.
pub const REPLICATION_USER: &str = "_crunchyrepl";

/// The role that PgBouncer looks up passwords as. It can do nothing else.
pub const POOLER_USER: &str = "_crunchypgbouncer";

/// One line of `pg_hba.conf`, built from its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `local`, `host`, `hostssl`, `hostnossl`, `hostgssenc` or `hostnogssenc`.
    pub connection: String,
    /// Databases; none means all.
    pub databases: Vec<String>,
    /// Roles; none means all.
    pub users: Vec<String>,
    /// Authentication method.
    pub method: String,
    /// Options of the method.
    pub options: Vec<(String, String)>,
}

impl Rule {
    fn new(connection: &str, databases: &[&str], users: &[&str], method: &str) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            connection: connection.to_owned(),
            databases: owned(databases),
            users: owned(users),
            method: method.to_owned(),
            options: Vec::new(),
        }
    }

    /// The rule as PostgreSQL reads it. Names are quoted, so that none of them is taken for a keyword such as `all`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = format!("{} {} {}", self.connection, names(&self.databases), names(&self.users));
        if self.connection != "local" {
            line.push_str(" all");
        }
        let _ = write!(line, " {}", self.method);
        for (name, value) in &self.options {
            let _ = write!(line, " {name}={}", quoted(value));
        }
        line
    }
}

fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "all".to_owned();
    }
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",")
}

/// A token in double quotes. PostgreSQL's reader (`next_token` in `hba.c`) has two double quotes stand for one.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// The lines of a cluster: access that pgherd needs (that of a `pooler` only if there is one), the user's own rules, and then the default: passwords over TLS.
#[must_use]
pub fn lines(user_rules: &[String], pooler: bool) -> Vec<String> {
    let mut lines = vec![
        // The superuser by the socket inside the pod: Patroni and the operator.
        Rule::new("local", &[], &["postgres"], "peer").line(),
        // "replication" without quotes is the keyword, not a database of that name.
        format!("hostssl replication {} all cert", quoted(REPLICATION_USER)),
        // pg_rewind reads files through an ordinary connection to this database.
        Rule::new("hostssl", &["postgres"], &[REPLICATION_USER], "cert").line(),
        Rule::new("host", &[], &[REPLICATION_USER], "reject").line(),
    ];
    if pooler {
        lines.push(Rule::new("hostssl", &[], &[POOLER_USER], "scram-sha-256").line());
        lines.push(Rule::new("host", &[], &[POOLER_USER], "reject").line());
    }
    lines.extend_from_slice(user_rules);
    if user_rules.is_empty() {
        lines.push(Rule::new("hostssl", &[], &[], "scram-sha-256").line());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_cross_the_network_over_tls_only() {
        assert_eq!(
            lines(&[], false),
            [
                r#"local all "postgres" peer"#,
                r#"hostssl replication "_crunchyrepl" all cert"#,
                r#"hostssl "postgres" "_crunchyrepl" all cert"#,
                r#"host all "_crunchyrepl" all reject"#,
                "hostssl all all all scram-sha-256",
            ]
        );
    }

    #[test]
    fn the_users_rules_come_after_those_that_keep_the_cluster_alive_and_replace_the_default() {
        let lines = lines(&["hostssl all all all md5".to_owned()], true);
        assert_eq!(lines.last().unwrap(), "hostssl all all all md5");
        assert!(lines[0].starts_with("local all"));
        let passwords: Vec<&String> = lines.iter().filter(|line| line.ends_with("scram-sha-256")).collect();
        assert_eq!(passwords, [r#"hostssl all "_crunchypgbouncer" all scram-sha-256"#]);
    }

    #[test]
    fn names_are_quoted() {
        let rule = Rule {
            options: vec![("ldapserver".into(), "a \"b\"".into())],
            ..Rule::new("hostssl", &["all"], &["o\"brien"], "ldap")
        };
        assert_eq!(rule.line(), r#"hostssl "all" "o""brien" all ldap ldapserver="a ""b""""#);
    }
}
