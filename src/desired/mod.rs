//! Pure builders: a validated cluster in, Kubernetes objects out. No client, no clock, no file.

pub mod access;
pub mod cluster;
pub mod config_maps;
pub mod disruption_budget;
pub mod inputs;
pub mod meta;
pub mod network_policy;
pub mod pgbouncer;
pub mod pod;
pub mod secrets;
pub mod services;
pub mod stateful_set;
pub mod text;
pub mod user_secret;
pub mod volume_claims;
pub mod volumes;

pub use cluster::Cluster;
