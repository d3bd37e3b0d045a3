//! `pgherd certs renew`.

use jiff::Timestamp;
use serde::Serialize;

use super::scene::Scene;
use crate::{
    certificates::{decide, settle},
    cli::{Code, Context, Exit, Failure},
    pki::not_after,
};

/// Which certificates to renew.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Secrets of the operator's namespace with certificates; without one, all that the operator has, which is one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All that the operator has
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    namespace: String,
    secret: String,
    not_after: String,
    /// Whether the operator shows it already.
    served: bool,
}

impl Args {
    /// Makes the operator's certificate anew, and waits until the operator shows it.
    ///
    /// # Errors
    /// When there is no such certificate, it can't be made, or the operator doesn't take it.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        // `--all` says what is the case without it too.
        let Self { names, all: _ } = self;
        let scene = Scene::find(context).await?;
        let (home, policy) = (&scene.home, &scene.policy);
        let secret = home.leaf_secret();
        if let Some(other) = names.iter().find(|name| **name != secret) {
            return Err(Failure::new(Code::ObjectMissing, format!("the operator has no certificate {other:?}"))
                .because(format!("It has {secret}."))
                .next(
                    "Certificates of databases are renewed by the operator by itself. `pgherd certs rotate-ca` replaces \
                     an authority.",
                ));
        }
        let (decision, _) = scene
            .change(|stored| {
                let now = Timestamp::now();
                let decision = decide(home, policy, stored, None, now)?;
                Ok(settle(home, policy, decision.authorities, None, now)?)
            })
            .await?;
        let served = scene.taken(context, &decision).await?;
        let end = not_after(&decision.leaf.certificate_pem).map_err(Failure::internal)?;
        let end = end.strftime("%Y-%m-%d").to_string();
        let renewed = Renewed { namespace: home.namespace.clone(), secret, not_after: end, served };
        context.printer.result(&renewed, || {
            let Renewed { namespace, secret, not_after, .. } = &renewed;
            let shown = if served { "; the operator shows it" } else { "" };
            format!("Renewed {namespace}/{secret}, valid until {not_after}{shown}.\n")
        })?;
        Ok(Exit::Success)
    }
}
