//! The only home of calls to the Kubernetes API.

pub mod apply;
pub mod client;
mod error;
pub mod kinds;
pub mod lease;
pub mod plan;
pub mod reasons;
pub mod rollout;
pub mod wait;

pub use error::{Doing, Error, Kind};
