//! The custom resources: types, schema and defaults, without any client.

pub mod conditions;
pub mod coverage;
pub mod labels;
pub mod postgres_cluster;
pub mod schema;

#[cfg(test)]
mod generated;
