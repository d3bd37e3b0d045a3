//! Who may connect and how: users, authentication, server parameters.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::VolumeProjection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{IntOrText, or_default};
use crate::api::schema::{Bare, Rule, rules};

/// What `ALTER ROLE` options must not contain.
const OPTION_RULES: [Rule; 2] = [
    Rule {
        rule: r#"!self.matches("(?i:PASSWORD)")"#,
        message: "leave the password out; set it in the user's Secret",
    },
    Rule { rule: r#"!self.matches("(?:--|/[*]|[*]/)")"#, message: "leave comments out" },
];

/// What a structured rule and a verbatim one need.
const AUTHENTICATION_RULES: [Rule; 2] = [
    Rule {
        rule: "!has(self.hba) || !(has(self.connection) || has(self.databases) || has(self.method) || \
               has(self.options) || has(self.users))",
        message: "use either hba or the other fields, not both",
    },
    Rule {
        rule: "has(self.hba) || (has(self.connection) && has(self.method))",
        message: "set connection and method, or hba",
    },
];

/// Parameters that would cut the operator off from the server.
const PARAMETER_RULES: [Rule; 4] = [
    Rule {
        rule: "!has(self.config_file) && !has(self.data_directory)",
        message: "remove config_file and data_directory, their places are fixed",
    },
    Rule { rule: "!has(self.external_pid_file)", message: "remove external_pid_file, its place is fixed" },
    Rule {
        rule: "!has(self.hba_file) && !has(self.ident_file)",
        message: "remove hba_file and ident_file, use spec.authentication",
    },
    Rule {
        rule: "!has(self.listen_addresses)",
        message: "remove listen_addresses, the server always listens on every address of its pod",
    },
];

/// A PostgreSQL user with a password in a Secret of its own.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct User {
    /// Name of the user; small letters, digits and hyphens, since it is part of its Secret's name.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Databases to create and to let the user work in; removing one takes no right away.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub databases: Vec<String>,
    /// Options for ALTER ROLE, such as CREATEDB or CONNECTION LIMIT 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), regex(pattern = "^[^;]*$"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&OPTION_RULES)))]
    pub options: Option<String>,
    /// How the generated password looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordSpec>,
}

/// How a generated password looks.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PasswordSpec {
    /// Characters to choose from.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub type_: PasswordType,
}

/// Characters of a generated password.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    JsonSchema,
    PartialEq,
    Serialize,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum PasswordType {
    /// Letters, digits and punctuation.
    #[default]
    #[serde(rename = "ASCII")]
    #[strum(serialize = "ASCII")]
    Ascii,
    /// Letters and digits only.
    AlphaNumeric,
}

/// Who may connect from where.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Authentication {
    /// Rules in the order PostgreSQL tries them; without any, every user with a password may connect over TLS.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub rules: Vec<AuthenticationRule>,
}

/// One line of `pg_hba.conf`, either in parts or verbatim.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(extend("x-kubernetes-validations" = rules(&AUTHENTICATION_RULES)))]
pub struct AuthenticationRule {
    /// Kind of connection: host, hostssl, hostgssenc, …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 20), regex(pattern = "^[-a-z0-9]+$"))]
    pub connection: Option<String>,
    /// Databases the rule is for; all when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "atomic"))]
    pub databases: Vec<String>,
    /// The whole line as it stands in `pg_hba.conf`.
    #[schemars(length(min = 1, max = 1000), regex(pattern = r"^[^\r\n]+$"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: "!self.trim().startsWith('include')",
        message: "write the line itself, other files can't be included",
    }])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hba: Option<String>,
    /// How the user proves who it is: scram-sha-256, cert, ldap, reject, …
    #[schemars(length(min = 1, max = 20), regex(pattern = "^[-a-z0-9]+$"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: "self != \"trust\"",
        message: "choose a method that checks who connects, such as scram-sha-256",
    }])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Options of the method.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub options: BTreeMap<String, IntOrText>,
    /// Users the rule is for; all when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "atomic"))]
    pub users: Vec<String>,
}

/// Configuration of the PostgreSQL server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PostgresConfig {
    /// Files to mount below /etc/postgres.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub files: Vec<VolumeProjection>,
    /// Server parameters; some take effect at once, some restart PostgreSQL, a few are fixed.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = rules(&PARAMETER_RULES)))]
    pub parameters: BTreeMap<String, IntOrText>,
}
