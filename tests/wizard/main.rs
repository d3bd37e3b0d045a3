//! `pgherd init` as somebody sees it who sits at a terminal, and as a script sees it that has none.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails by panicking")]

#[path = "../support/api_server.rs"]
mod api_server;
mod defaults;
mod questions;
#[path = "../support/sandbox.rs"]
mod sandbox;
mod terminal;
