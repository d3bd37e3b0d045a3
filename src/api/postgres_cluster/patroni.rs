//! High availability: what Patroni is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::common::{or_default, server_default};
use crate::{api::schema::FreeObject, domain::quantity::Quantity};

server_default! {
    /// Seconds the primary may be out of touch.
    leader_lease: i32 = 30;
    /// The port Patroni itself prefers.
    patroni_port: i32 = 8008;
    /// Seconds between two looks at the cluster.
    sync_period: i32 = 10;
}

/// Settings of Patroni, which keeps one instance primary and the others following it.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patroni {
    /// Patroni's dynamic configuration; settings that the operator relies on stay as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FreeObject>")]
    pub dynamic_configuration: Option<Map<String, Value>>,
    /// Seconds after which a primary that stopped reporting is replaced.
    #[serde(default = "leader_lease::value", deserialize_with = "leader_lease::read")]
    #[schemars(range(min = 3))]
    pub leader_lease_duration_seconds: i32,
    /// Port of Patroni's REST interface; changing it restarts PostgreSQL.
    #[serde(default = "patroni_port::value", deserialize_with = "patroni_port::read")]
    #[schemars(range(min = 1024))]
    pub port: i32,
    /// Seconds between two checks of the cluster's state.
    #[serde(default = "sync_period::value", deserialize_with = "sync_period::read")]
    #[schemars(range(min = 1))]
    pub sync_period_seconds: i32,
    /// Where and how much Patroni logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<PatroniLogging>,
    /// Whether and how the annotation trigger-switchover moves the primary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switchover: Option<Switchover>,
}

impl Default for Patroni {
    fn default() -> Self {
        Self {
            dynamic_configuration: None,
            leader_lease_duration_seconds: leader_lease::value(),
            port: patroni_port::value(),
            sync_period_seconds: sync_period::value(),
            logging: None,
            switchover: None,
        }
    }
}

/// Patroni's log files on the data volume.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatroniLogging {
    /// The least important messages to keep.
    #[serde(default, deserialize_with = "or_default")]
    pub level: LogLevel,
    /// Space that the log files may take.
    pub storage_limit: Quantity,
}

/// How important a message is.
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
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum LogLevel {
    /// Patroni can't go on.
    Critical,
    /// Something failed.
    Error,
    /// Something may fail soon.
    Warning,
    /// What Patroni does.
    #[default]
    Info,
    /// How it does it.
    Debug,
    /// Everything.
    NotSet,
}

/// How the primary is moved on request.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Switchover {
    /// Whether requests are acted on.
    pub enabled: bool,
    /// Instance that becomes the primary; required for the type Failover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_instance: Option<String>,
    /// Switchover asks the primary to step down, Failover doesn't ask.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub type_: SwitchoverType,
}

/// Whether the old primary is asked.
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
pub enum SwitchoverType {
    /// An orderly change between healthy instances.
    #[default]
    Switchover,
    /// A forced change, possible without a healthy primary.
    Failover,
}
