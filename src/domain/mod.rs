//! Facts and rules without Kubernetes and without input or output: names, quantities, parameters, HBA, SQL quoting.

pub mod cluster_names;
pub mod digest;
pub mod duration;
pub mod hba;
pub mod image;
pub mod names;
pub mod parameters;
pub mod password;
pub mod quantity;
pub mod role_options;
pub mod schedule;
pub mod sql;
