//! The program as a black box: what a user types, and what comes back with which exit code.

mod connection;
mod help;
mod inventory;
mod reference;
#[path = "../support/sandbox.rs"]
mod sandbox;
