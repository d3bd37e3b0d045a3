//! Facts and rules without Kubernetes and without input or output: names, quantities, parameters, HBA, SQL quoting.

pub mod image;
pub mod names;
pub mod quantity;
