//! Against a real cluster: the one that `PGHERD_TEST_KUBECONFIG` names.
//!
//! Every test has an installation of its own, so tests run side by side and beside whatever else is in the cluster.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails by panicking")]

mod certs;
mod check;
#[path = "../support/cluster.rs"]
mod cluster;
mod database;
#[path = "../support/databases.rs"]
mod databases;
mod examples;
mod faults;
mod fences;
mod init;
mod install;
mod modes;
mod network;
mod pages;
mod plan;
#[path = "../support/presence.rs"]
mod presence;
mod probe;
#[path = "../support/proxy.rs"]
mod proxy;
mod rights;
#[path = "../support/sandbox.rs"]
mod sandbox;
#[path = "../support/shapes.rs"]
mod shapes;
#[path = "../support/tunnel.rs"]
mod tunnel;
mod uninstall;
mod update;
mod verbs;
mod versions;
#[path = "../support/visitor.rs"]
mod visitor;
#[path = "../support/whole.rs"]
mod whole;
#[path = "../support/writer.rs"]
mod writer;
