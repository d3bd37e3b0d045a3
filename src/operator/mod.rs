//! The reconciler: dereference, validate, build, apply, status; one file per step.

mod authorities;
mod certificates;
pub mod cluster;
mod fence;
mod metrics;
mod namespaces;
mod positions;
mod pull_secrets;
mod queue;
mod requests;
mod run;
mod serve;
#[cfg(test)]
pub(crate) mod test_support;
mod triggers;

pub use certificates::Certificates;
pub use fence::{Fence, FenceError, Identity};
pub use namespaces::{Followed, Marks};
pub use pull_secrets::PullSecrets;
pub use run::{Options, RunError, Scope, run};
