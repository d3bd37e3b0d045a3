//! pgherd installs, upgrades and runs PostgreSQL on Kubernetes from one inventory and one binary.
//!
//! The binary is thin; everything lives in these modules, so that tests reach it. Which module answers for which
//! behaviour is told in `docs/ARCHITECTURE.md`.

pub mod api;
pub mod certificates;
pub mod checks;
pub mod cli;
pub mod desired;
pub mod domain;
pub mod inventory;
pub mod k8s;
pub mod operator;
pub mod pki;
pub mod postgres;
pub mod roles;
mod temporary;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
