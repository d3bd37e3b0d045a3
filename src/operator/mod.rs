//! The reconciler: dereference, validate, build, apply, status; one file per step.

mod certificates;
pub mod cluster;
mod fence;
mod metrics;
mod namespaces;
mod pull_secrets;
mod run;
mod serve;
#[cfg(test)]
pub(crate) mod test_support;

pub use certificates::Certificates;
pub use fence::{Fence, FenceError, Identity};
pub use namespaces::{Followed, Marks};
pub use pull_secrets::PullSecrets;
pub use run::{Options, RunError, Scope, run};
