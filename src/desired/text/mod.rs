//! Files and scripts that end up in the pods of a database cluster.

pub mod patroni;
pub mod scripts;
