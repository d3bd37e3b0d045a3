//! Talking to a PostgreSQL that runs, and to the Patroni beside it.

pub mod in_force;
pub mod login;
pub mod member;
pub mod session;
