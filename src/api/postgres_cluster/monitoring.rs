//! Metrics and logs: the exporter next to PostgreSQL, and the OpenTelemetry collector.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, SecretProjection, VolumeProjection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::common::{ConfigMapKey, Resources, or_default, server_default};
use crate::api::schema::{Bare, FreeObject, Rule, rules};

/// Milliseconds, seconds and minutes in the spellings that are read.
const SHORT_DURATION: &str = "^((PT)?( *[0-9]+ *(?i:(ms|s|m)|(milli|sec|min)s?))+|0)$";
/// Hours, days and weeks in the spellings that are read.
const LONG_DURATION: &str = "^(PT)?( *[0-9]+ *(?i:(h|hr|d|w|wk)|(hour|day|week)s?))+$";

/// What the sizes of a batch must fulfil.
const BATCH_RULES: [Rule; 2] = [
    Rule {
        rule: "(has(self.minRecords) && self.minRecords == 0) == (has(self.maxDelay) && self.maxDelay == duration('0'))",
        message: "set both minRecords and maxDelay to 0 to send every record at once, or neither",
    },
    Rule {
        rule: "!has(self.maxRecords) || self.minRecords <= self.maxRecords",
        message: "raise maxRecords to at least minRecords",
    },
];

server_default! {
    /// A fifth of a second.
    batch_delay: String = "200ms";
    /// Records of one batch.
    batch_records: i32 = 8192;
    /// Time between two runs of a query.
    collection_interval: String = "5s";
}

/// Metrics for Prometheus.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Monitoring {
    /// The exporter next to PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgmonitor: Option<PgMonitor>,
}

/// The exporter next to PostgreSQL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PgMonitor {
    /// Adds an exporter to every instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exporter: Option<Exporter>,
}

/// A container that serves metrics of its instance.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exporter {
    /// `ConfigMaps` and Secrets with further queries.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub configuration: Vec<VolumeProjection>,
    /// Secret with the certificate that Prometheus sees, and its key.
    #[serde(rename = "customTLSSecret", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Bare<SecretProjection>>")]
    pub custom_tls_secret: Option<SecretProjection>,
    /// Image with the exporter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// CPU and memory of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Logs and metrics through an OpenTelemetry collector.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Instrumentation {
    /// Configuration of the collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<InstrumentationConfig>,
    /// Image with the collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Which logs are sent and kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<InstrumentationLogs>,
    /// Which metrics are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<InstrumentationMetrics>,
    /// CPU and memory of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Configuration of the collector.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationConfig {
    /// Detectors that add where a record comes from, in this order.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 10))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub detectors: Vec<ResourceDetector>,
    /// Environment variables for the collector.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "atomic"))]
    #[schemars(with = "Vec<Bare<EnvVar>>")]
    pub environment_variables: Vec<EnvVar>,
    /// Exporters in the collector's own format, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FreeObject>")]
    pub exporters: Option<Map<String, Value>>,
    /// Files to mount for the collector.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "atomic"))]
    #[schemars(with = "Vec<Bare<VolumeProjection>>")]
    pub files: Vec<VolumeProjection>,
}

/// A detector of where a record comes from.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ResourceDetector {
    /// Name of the detector.
    #[schemars(length(min = 1, max = 20))]
    pub name: String,
    /// Attributes to turn on or off; the others stay as the detector has them.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
    pub attributes: BTreeMap<String, bool>,
}

/// Which logs are sent and kept.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationLogs {
    /// How records are gathered before they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batches: Option<LogBatches>,
    /// Exporters that logs are sent to.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "set"))]
    pub exporters: Vec<String>,
    /// How long log files are kept on the data volume, such as 12h or 3 days.
    #[schemars(length(min = 1, max = 20), regex(pattern = LONG_DURATION), extend("format" = "duration"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: r#"duration("1h") <= self && self <= duration("8760h")"#,
        message: "keep logs for one hour to one year",
    }])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_period: Option<String>,
}

/// How records are gathered before they are sent.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&BATCH_RULES)))]
pub struct LogBatches {
    /// How long a record may wait, such as 200ms.
    #[serde(default = "batch_delay::value", deserialize_with = "batch_delay::read")]
    #[schemars(length(min = 1, max = 20), regex(pattern = SHORT_DURATION), extend("format" = "duration"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: r#"duration("0") <= self && self <= duration("5m")"#,
        message: "let records wait for five minutes at most",
    }])))]
    pub max_delay: String,
    /// The most records of a batch; no limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<i32>,
    /// Records that are sent without waiting any longer.
    #[serde(default = "batch_records::value", deserialize_with = "batch_records::read")]
    #[schemars(range(min = 0))]
    pub min_records: i32,
}

/// Which metrics are sent.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationMetrics {
    /// Changes to the queries behind the metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_queries: Option<CustomQueries>,
    /// Exporters that metrics are sent to.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), extend("x-kubernetes-list-type" = "set"))]
    pub exporters: Vec<String>,
    /// Databases whose own metrics are gathered.
    #[serde(
        rename = "perDBMetricTargets",
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub per_db_metric_targets: Vec<String>,
}

/// Changes to the queries behind the metrics.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct CustomQueries {
    /// Queries to add.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<CustomQuery>,
    /// Built-in queries to leave out.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A file of queries to add.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomQuery {
    /// Name of these queries.
    #[schemars(length(max = 20), regex(pattern = r"^[^\pZ\pC\pS]+$"))]
    pub name: String,
    /// The file with the queries.
    pub queries: ConfigMapKey,
    /// Time between two runs, such as 5s.
    #[serde(default = "collection_interval::value", deserialize_with = "collection_interval::read")]
    #[schemars(length(min = 1, max = 20), regex(pattern = SHORT_DURATION), extend("format" = "duration"))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[Rule {
        rule: r#"duration("0") <= self && self <= duration("60m")"#,
        message: "run the queries at least once an hour",
    }])))]
    pub collection_interval: String,
    /// Databases to run the queries in; the first one when empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
}
