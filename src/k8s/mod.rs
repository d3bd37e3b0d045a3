//! The only home of calls to the Kubernetes API.

pub mod access;
mod adoption;
pub mod api_server;
pub mod applier;
pub mod apply;
pub mod attach;
pub mod client;
pub mod cluster_objects;
pub mod cluster_wait;
pub mod clusters;
mod error;
pub mod exec;
pub mod kinds;
pub mod lease;
mod patience;
pub mod plan;
pub mod port_forward;
pub mod reasons;
pub mod rollout;
mod server;
pub mod storage_class;
pub mod wait;
mod watching;

pub use apply::OPERATOR;
pub use error::{Doing, Error, Kind};
pub use patience::Notice;
pub use server::server_time;
