//! The only home of calls to the Kubernetes API.

pub mod client;
mod error;

pub use error::{Doing, Error, Kind};
