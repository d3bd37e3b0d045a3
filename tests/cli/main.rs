//! The program as a black box: what a user types, and what comes back with which exit code.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails by panicking")]

mod certs;
mod connection;
mod examples;
mod help;
mod import;
mod inventory;
mod reference;
mod render;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod verbs;
