//! `pgherd certs rotate-ca`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{databases, scene::Scene};
use crate::{
    certificates::{Decision, Source, Stored, decide, served::Shown, settle},
    cli::{Code, Context, Exit, Failure},
    pki::{Authorities, Authority, Facts, issued_by},
};

/// Which step to take.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Have the new authority issue certificates; clients have to trust it by now
    #[arg(long, conflicts_with = "finish")]
    reissue: bool,
    /// Trust the old authority no longer
    #[arg(long)]
    finish: bool,
    /// The authority that the clusters of namespace `-n` share, instead of the operator's
    #[arg(long)]
    databases: bool,
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new authority is trusted.
    Prepare,
    /// It issues.
    Reissue,
    /// The one before it is trusted no longer.
    Finish,
}

/// What a step came to.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    /// Whether anything was to be done.
    changed: bool,
    did: String,
    next: String,
    /// Names of the authorities that clients have to trust, the one that issues first.
    trusted: Vec<String>,
}

impl Args {
    /// Takes one step of a rotation. One that was taken already is no error, and one that was interrupted is completed.
    ///
    /// # Errors
    /// When it isn't this step's turn, the authority is the user's to rotate, or the operator doesn't take its certificate.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let step = match (self.reissue, self.finish) {
            (true, _) => Step::Reissue,
            (false, true) => Step::Finish,
            (false, false) => Step::Prepare,
        };
        let taken = if self.databases {
            databases::rotate(context, step).await?
        } else {
            of_operator(context, step).await?
        };
        context.printer.result(&taken, || format!("{}\nNext: {}\n", taken.did, taken.next))?;
        Ok(Exit::Success)
    }
}

async fn of_operator(context: &Context, step: Step) -> Result<Taken, Failure> {
    let scene = Scene::find(context).await?;
    if let Source::Secret(name) = &scene.policy.source {
        return Err(theirs(name));
    }
    match step {
        Step::Prepare => prepare(context, &scene).await,
        Step::Reissue => reissue(context, &scene).await,
        Step::Finish => finish(&scene).await,
    }
}

/// The first step: a new authority is trusted.
async fn prepare(context: &Context, scene: &Scene) -> Result<Taken, Failure> {
    let given = context.authority(&scene.inventory)?;
    let (decision, changed) = scene.change(|stored| prepared(scene, stored, given.as_ref())).await?;
    let set = &decision.authorities;
    let new = set.next.as_ref().map(|next| name(next.certificate_pem())).transpose()?.unwrap_or_default();
    let did = if changed {
        format!("{new:?} is trusted beside {:?}, which still issues.", name(set.current.certificate_pem())?)
    } else {
        format!("{new:?} is trusted already and doesn't issue yet.")
    };
    let next = "give all clients what `pgherd certs export` writes, then `pgherd certs rotate-ca --reissue`.";
    Taken::of(set, changed, did, next)
}

fn prepared(scene: &Scene, stored: &Stored, given: Option<&Arc<Authority>>) -> Result<Decision, Failure> {
    let Scene { home, policy, .. } = scene;
    let now = Timestamp::now();
    let decision = decide(home, policy, stored, given, now)?;
    let mut set = decision.authorities.clone();
    if set.next.is_some() {
        return Ok(decision);
    }
    if set.previous.is_some() {
        return Err(refused("the rotation before this one is not finished")
            .next("`pgherd certs rotate-ca --finish` finishes it."));
    }
    if policy.source == Source::Given {
        return Err(refused("the authority is yours, and no other one was named").next(
            "Name the new one in the inventory (tls.authority_certificate and tls.authority_key), and that with `-i FILE`.",
        ));
    }
    set.prepare(&policy.rules(home), now).map_err(crate::certificates::Error::from)?;
    Ok(settle(home, policy, set, stored.leaf(), now)?)
}

/// The second step: the new authority issues.
async fn reissue(context: &Context, scene: &Scene) -> Result<Taken, Failure> {
    let Scene { home, policy, .. } = scene;
    let now = Timestamp::now();
    let before = decide(home, policy, &scene.stored().await?, None, now)?.authorities;
    match (&before.next, &before.previous) {
        (Some(next), _) => {
            let question = format!(
                "Clients that don't trust {:?} by now will be cut off. Continue?",
                name(next.certificate_pem())?
            );
            context.confirm(&question).await?;
        }
        (None, Some(_)) => {}
        (None, None) => {
            return Err(refused("there is no new authority yet")
                .next("`pgherd certs rotate-ca` makes one that is trusted beside the old one."));
        }
    }
    let (decision, changed) = scene
        .change(|stored| {
            let decision = decide(home, policy, stored, None, now)?;
            let mut set = decision.authorities;
            // What was asked about is what happens: one that another run has switched to meanwhile stays.
            if before
                .next
                .as_ref()
                .is_some_and(|wanted| set.next.as_ref().is_some_and(|next| next.same(wanted)))
            {
                set.switch();
            }
            Ok(settle(home, policy, set, stored.leaf(), now)?)
        })
        .await?;
    scene.taken(context, &decision).await?;
    let set = &decision.authorities;
    let issuer = name(set.current.certificate_pem())?;
    let did = if changed {
        format!("{issuer:?} issued the operator's certificate; the authority before it is still trusted.")
    } else {
        format!("{issuer:?} issues already; the authority before it is still trusted.")
    };
    Taken::of(set, changed, did, "when all clients get on with it, `pgherd certs rotate-ca --finish`.")
}

/// The third step: the old authority is trusted no longer.
async fn finish(scene: &Scene) -> Result<Taken, Failure> {
    let Scene { home, policy, .. } = scene;
    let now = Timestamp::now();
    let stored = scene.stored().await?;
    let before = decide(home, policy, &stored, None, now)?.authorities;
    let current = before.current.certificate_pem();
    if before.next.is_some() {
        return Err(
            refused("the new authority doesn't issue yet").next("First: `pgherd certs rotate-ca --reissue`.")
        );
    }
    if before.previous.is_some() {
        let stored_by_current = stored.leaf().is_some_and(|leaf| issued_by(&leaf.certificate_pem, current));
        // Only who trusts nothing but the new authority sees whether anything of the old one is in use.
        if let Some(why) = in_use(stored_by_current, &scene.shown(current).await?) {
            return Err(refused("a certificate of the old authority is still in use").because(why).next(
                "`pgherd certs rotate-ca --reissue` once more makes the operator's certificate anew.",
            ));
        }
    }
    let (decision, changed) = scene
        .change(|stored| {
            let mut set = decide(home, policy, stored, None, now)?.authorities;
            set.previous = None;
            Ok(settle(home, policy, set, stored.leaf(), now)?)
        })
        .await?;
    let set = &decision.authorities;
    let issuer = name(set.current.certificate_pem())?;
    let did = if changed {
        format!("Only {issuer:?} is trusted now.")
    } else {
        format!("There is nothing to finish: only {issuer:?} is trusted.")
    };
    Taken::of(set, changed, did, "nothing. Clients may forget the old authority.")
}

/// What of the old authority is in use, in words.
fn in_use(stored_by_current: bool, shown: &Shown) -> Option<String> {
    match shown {
        _ if !stored_by_current => {
            Some("The certificate in the operator's Secret was issued by it.".to_owned())
        }
        Shown::Certificate(_) | Shown::Nobody => None,
        Shown::Other(why) => {
            Some(format!("The operator's endpoint doesn't verify against the new authority: {why}"))
        }
    }
}

pub(super) fn refused(what: &str) -> Failure {
    Failure::new(Code::RotationRefused, what)
}

fn theirs(secret: &str) -> Failure {
    refused(&format!("the authority is in your secret {secret}, which pgherd only reads"))
        .because("The first certificate in its ca.crt issues, and all of them are trusted.")
        .next(
            "Put the new certificate behind the old one in ca.crt; when all clients have it, put it in front, with its key \
             in ca.key; and at last remove the old one. The operator follows.",
        )
}

pub(super) fn name(certificate_pem: &str) -> Result<String, Failure> {
    Ok(Facts::read(certificate_pem).map_err(crate::certificates::Error::from)?.subject)
}

impl Taken {
    pub(super) fn of(set: &Authorities, changed: bool, did: String, next: &str) -> Result<Self, Failure> {
        let bundle = set.bundle();
        let trusted = crate::pki::certificates(&bundle).map(name).collect::<Result<_, _>>()?;
        Ok(Self { changed, did, next: next.to_owned(), trusted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_in_use_as_long_as_the_secret_or_the_endpoint_shows_it() {
        let shown = Shown::Certificate(vec![1]);
        assert_eq!(in_use(true, &shown), None);
        assert_eq!(in_use(true, &Shown::Nobody), None, "nobody shows anything");
        assert!(in_use(false, &shown).unwrap().contains("Secret"));
        let told = in_use(true, &Shown::Other("UnknownIssuer".into())).unwrap();
        assert!(told.contains("UnknownIssuer"), "{told}");
    }
}
