//! SQL text: quoting, and the statements that give a cluster its roles and databases.

use std::{collections::BTreeSet, fmt::Write as _};

use postgres_protocol::escape;
use secrecy::{ExposeSecret, SecretString};

use super::{
    hba::{POOLER_USER, REPLICATION_USER},
    role_options::RoleOptions,
};

/// A string as an SQL literal, quotes included.
#[must_use]
pub fn literal(text: &str) -> String {
    escape::escape_literal(text)
}

/// A name as an SQL identifier, quotes included.
#[must_use]
pub fn identifier(name: &str) -> String {
    escape::escape_identifier(name)
}

/// Schemas that never become a user's own, whatever the user is called.
const SHARED_SCHEMAS: [&str; 3] = ["public", "pgbouncer", "monitor"];

/// A role that has to exist, and the databases that it may use.
#[derive(Clone, Debug)]
pub struct RoleStatement {
    /// Name of the role.
    pub name: String,
    /// SCRAM verifier of its password; the password itself never reaches the server.
    pub verifier: SecretString,
    /// Further options.
    pub options: RoleOptions,
    /// Databases that are created when they are missing.
    pub databases: Vec<String>,
    /// Whether it gets a schema of its own name in each of them, which is the first place where its tables are looked for.
    pub own_schema: bool,
}

/// What [`roles_and_databases`] prints last when the image lacks the audit library.
pub const NO_AUDIT_MARKER: &str = "pgherd: pgaudit is not loaded";

/// How a script with verifiers begins: they must not reach the server's log, whatever the user has configured.
const QUIET: &str = "SET search_path TO '';\n\
                     SET log_statement TO 'none';\n\
                     SET log_min_duration_statement TO -1;\n\
                     SET log_min_error_statement TO 'panic';\n\
                     SET pgaudit.log TO 'none';\n";

/// A script for `psql` that creates what is missing of `roles` and their databases and leaves alone what it isn't told.
/// It runs against any database as the superuser, as often as one likes.
#[must_use]
pub fn roles_and_databases(roles: &[RoleStatement]) -> SecretString {
    let mut script = String::from(QUIET);
    let databases: BTreeSet<&str> =
        roles.iter().flat_map(|role| role.databases.iter().map(String::as_str)).collect();
    script.push_str(&replication());
    for database in &databases {
        let _ = writeln!(
            script,
            "SELECT pg_catalog.format('CREATE DATABASE %I', {name}) WHERE NOT EXISTS \
             (SELECT 1 FROM pg_catalog.pg_database WHERE datname = {name}) \\gexec",
            name = literal(database)
        );
    }
    for role in roles {
        let _ = writeln!(
            script,
            "SELECT pg_catalog.format('CREATE ROLE %I', {name}) WHERE NOT EXISTS \
             (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {name}) \\gexec",
            name = literal(&role.name)
        );
        // Options come last: a user's NOLOGIN wins over ours.
        let _ = writeln!(
            script,
            "ALTER ROLE {} WITH PASSWORD {}{};",
            identifier(&role.name),
            literal(role.verifier.expose_secret()),
            login_and(&role.options)
        );
        for database in &role.databases {
            let _ = writeln!(
                script,
                "GRANT ALL PRIVILEGES ON DATABASE {} TO {};",
                identifier(database),
                identifier(&role.name)
            );
        }
    }
    // New databases are made from template1, so an extension there is in all that follow.
    for database in ["template1", "postgres"].into_iter().chain(databases.iter().copied()) {
        let _ = writeln!(script, "\\connect {}", connect_argument(database));
        script.push_str(
            "SELECT 'CREATE EXTENSION IF NOT EXISTS pgaudit' WHERE \
             pg_catalog.current_setting('shared_preload_libraries') ~ '(^|,)pgaudit($|,)' \\gexec\n",
        );
        for role in roles.iter().filter(|role| role.databases.iter().any(|own| own == database)) {
            // From PostgreSQL 15 on only a database's owner may create tables in "public" without this.
            let _ = writeln!(script, "GRANT USAGE, CREATE ON SCHEMA public TO {};", identifier(&role.name));
            if role.own_schema && !SHARED_SCHEMAS.contains(&role.name.as_str()) {
                let name = identifier(&role.name);
                let _ = writeln!(script, "CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {name};");
            }
        }
    }
    let _ = writeln!(
        script,
        "SELECT {} WHERE pg_catalog.current_setting('shared_preload_libraries') !~ '(^|,)pgaudit($|,)';",
        literal(NO_AUDIT_MARKER)
    );
    SecretString::from(script)
}

/// The role that replicas copy, stream and rewind as. Patroni makes it as the last thing of a new database, and never again:
/// one that was killed right before, or a hand that dropped it, would leave a cluster that can't have replicas.
fn replication() -> String {
    let (name, role) = (literal(REPLICATION_USER), identifier(REPLICATION_USER));
    let mut script = format!(
        "SELECT pg_catalog.format('CREATE ROLE %I WITH LOGIN REPLICATION', {name}) WHERE NOT EXISTS \
         (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {name}) \\gexec\n"
    );
    for function in [
        "pg_ls_dir(text, boolean, boolean)",
        "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)",
        "pg_read_binary_file(text, bigint, bigint, boolean)",
    ] {
        let _ = writeln!(script, "GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {role};");
    }
    script
}

/// A script for `psql` that lets PgBouncer log in and look up the passwords of those who may use it, in each of `databases`:
/// it asks in the one that its client wants.
#[must_use]
pub fn pooler(databases: &[String], verifier: &SecretString) -> SecretString {
    let (name, role) = (literal(POOLER_USER), identifier(POOLER_USER));
    let mut script = String::from(QUIET);
    let _ = write!(
        script,
        "SELECT pg_catalog.format('CREATE ROLE %I', {name}) WHERE NOT EXISTS \
         (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {name}) \\gexec\n\
         ALTER ROLE {role} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {};\n",
        literal(verifier.expose_secret())
    );
    for database in databases {
        let _ = write!(
            script,
            "\\connect {}\n\
             CREATE SCHEMA IF NOT EXISTS pgbouncer;\n\
             REVOKE ALL ON SCHEMA pgbouncer FROM PUBLIC;\n\
             GRANT USAGE ON SCHEMA pgbouncer TO {role};\n\
             CREATE OR REPLACE FUNCTION pgbouncer.get_auth(name pg_catalog.text)\n\
             RETURNS TABLE (username pg_catalog.text, password pg_catalog.text)\n\
             LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$\n  \
             SELECT rolname::pg_catalog.text, rolpassword FROM pg_catalog.pg_authid\n  \
             WHERE rolname = $1 AND rolcanlogin AND NOT rolsuper AND NOT rolreplication AND rolname <> {name}\n  \
             AND (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now())\n\
             $$;\n\
             REVOKE ALL ON FUNCTION pgbouncer.get_auth(pg_catalog.text) FROM PUBLIC;\n\
             GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(pg_catalog.text) TO {role};\n",
            connect_argument(database)
        );
    }
    SecretString::from(script)
}

/// A script for `psql` that takes back what [`pooler`] has made. A schema of that name which holds anything else stays.
#[must_use]
pub fn without_pooler(databases: &[String]) -> SecretString {
    let (name, role) = (literal(POOLER_USER), identifier(POOLER_USER));
    let exists = format!("EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {name})");
    let mut script = String::from(QUIET);
    for database in databases {
        let _ = write!(
            script,
            "\\connect {}\n\
             DROP FUNCTION IF EXISTS pgbouncer.get_auth(pg_catalog.text);\n\
             SELECT 'DROP OWNED BY {role}' WHERE {exists} \\gexec\n\
             SELECT 'DROP SCHEMA pgbouncer' FROM pg_catalog.pg_namespace AS schema WHERE nspname = 'pgbouncer' AND NOT \
             EXISTS (SELECT 1 FROM pg_catalog.pg_depend WHERE refobjid = schema.oid AND \
             refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass) \\gexec\n",
            connect_argument(database)
        );
    }
    let _ = writeln!(script, "SELECT 'DROP ROLE {role}' WHERE {exists} \\gexec");
    SecretString::from(script)
}

fn login_and(options: &RoleOptions) -> String {
    let options = options.to_string();
    let login = if options.split_whitespace().any(|word| word == "NOLOGIN" || word == "LOGIN") {
        ""
    } else {
        " LOGIN"
    };
    let space = if options.is_empty() { "" } else { " " };
    format!("{login}{space}{options}")
}

/// A database as the argument of psql's `\connect`: as a connection string, since a plain name that contains `=` would
/// be read as one. psql strips one level of single quotes, libpq the other.
fn connect_argument(database: &str) -> String {
    let value = database.replace('\\', "\\\\").replace('\'', "\\'");
    let conninfo = format!("dbname='{value}'");
    format!("-reuse-previous=on '{}'", conninfo.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, options: &str, databases: &[&str]) -> RoleStatement {
        RoleStatement {
            name: name.into(),
            verifier: SecretString::from("SCRAM-SHA-256$4096:c2FsdA==$a:b"),
            options: RoleOptions::parse(options).unwrap(),
            databases: databases.iter().map(|name| (*name).to_owned()).collect(),
            own_schema: false,
        }
    }

    #[test]
    fn a_script_creates_what_is_missing() {
        let script = roles_and_databases(&[
            role("rhino", "", &["rhino", "zoo"]),
            role("keeper", "CREATEDB NOLOGIN", &[]),
        ]);
        insta::assert_snapshot!(script.expose_secret());
    }

    #[test]
    fn a_user_gets_a_schema_of_its_own_in_its_databases_if_asked_for() {
        let own = |name| RoleStatement { own_schema: true, ..role(name, "", &["zoo"]) };
        let script = roles_and_databases(&[own("keeper"), own("public"), role("visitor", "", &["zoo"])]);
        let made: Vec<&str> =
            script.expose_secret().lines().filter(|line| line.starts_with("CREATE SCHEMA")).collect();
        assert_eq!(made, [r#"CREATE SCHEMA IF NOT EXISTS "keeper" AUTHORIZATION "keeper";"#]);
    }

    #[test]
    fn a_pooler_may_look_up_passwords_and_nothing_else() {
        let databases = ["rhino".to_owned(), "d'b".to_owned()];
        let verifier = SecretString::from("SCRAM-SHA-256$4096:c2FsdA==$a:b");
        insta::assert_snapshot!("pooler", pooler(&databases, &verifier).expose_secret());
        insta::assert_snapshot!("without_pooler", without_pooler(&databases).expose_secret());
    }

    #[test]
    fn names_can_not_leave_their_place() {
        let script = roles_and_databases(&[role("o'b\"r\\", "", &["d'b\"x\\"])]);
        insta::assert_snapshot!(script.expose_secret());
    }
}
