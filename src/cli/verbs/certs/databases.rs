//! `pgherd certs rotate-ca --databases`: the authority that the clusters of a namespace share. The operator gives it to all of
//! them; each step waits until their instances have taken up what it has changed.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, Client, Resource as _, ResourceExt as _, api::ListParams};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::rotate::{Step, Taken, name, refused};
use crate::{
    api::{labels, postgres_cluster::PostgresCluster},
    certificates::store,
    cli::{Code, Context, Failure, verbs::target},
    desired::{
        pgbouncer::{FRONTEND_CERTIFICATE, FRONTEND_ROOTS},
        secrets::{self, CERTIFICATE, PATRONI_COMBINED, PATRONI_ROOTS, ROOTS, text},
    },
    domain::cluster_names::ROOT_AUTHORITY_SECRET,
    k8s::{Doing as _, Error, Kind},
    pki::{self, Authorities, certificates, issued_by},
    postgres::in_force,
};

/// How often a change is tried when the operator writes at the same time.
const ATTEMPTS: usize = 3;

/// How often files in pods are looked at; nothing tells of their change.
const LOOK: Duration = Duration::from_secs(2);

/// A namespace with clusters.
struct Place {
    client: Client,
    namespace: String,
}

/// Takes one step of a rotation. One that was taken already is no error, and one that was interrupted is completed.
///
/// # Errors
/// When it isn't this step's turn, or an instance doesn't take up the change in time.
pub(super) async fn rotate(context: &Context, step: Step) -> Result<Taken, Failure> {
    let connection = context.connection().await?;
    let namespace = target::namespace(context, connection);
    let place = Place { client: connection.client.clone(), namespace };
    match step {
        Step::Prepare => place.prepare(context).await,
        Step::Reissue => place.reissue(context).await,
        Step::Finish => place.finish().await,
    }
}

impl Place {
    async fn prepare(&self, context: &Context) -> Result<Taken, Failure> {
        let rules = secrets::rules(&self.namespace);
        let (set, changed) = self
            .change(|set| {
                if set.next.is_some() {
                    return Ok(());
                }
                if set.previous.is_some() {
                    return Err(refused("the rotation before this one is not finished")
                        .next(format!("`{}` finishes it.", self.command(" --finish"))));
                }
                set.prepare(&rules, Timestamp::now()).map_err(unusable)
            })
            .await?;
        let new = set.next.as_ref().map(|next| name(next.certificate_pem())).transpose()?.unwrap_or_default();
        let current = name(set.current.certificate_pem())?;
        self.settled(context, &set, Issued::ByAnyone).await?;
        let did = if changed {
            format!("{new:?} is trusted beside {current:?}, which still issues.")
        } else {
            format!("{new:?} is trusted already and doesn't issue yet.")
        };
        let next = format!(
            "give all clients outside what `pgherd certs export --cluster NAME -n {}` writes, then `{}`.",
            self.namespace,
            self.command(" --reissue")
        );
        Taken::of(&set, changed, did, &next)
    }

    async fn reissue(&self, context: &Context) -> Result<Taken, Failure> {
        let (_, before) = self.read().await?;
        match (&before.next, &before.previous) {
            (Some(next), _) => {
                let new = name(next.certificate_pem())?;
                context
                    .confirm(&format!("Clients that don't trust {new:?} by now will be cut off. Continue?"))
                    .await?;
                // Instances among themselves are clients too.
                self.settled(context, &before, Issued::ByAnyone).await?;
            }
            (None, Some(_)) => {}
            (None, None) => {
                return Err(refused("there is no new authority yet")
                    .next(format!("`{}` makes one that is trusted beside the old one.", self.command(""))));
            }
        }
        let (set, changed) = self
            .change(|set| {
                // What was asked about is what happens: one that another run has switched to meanwhile stays.
                let asked = before.next.as_ref().zip(set.next.as_ref());
                if asked.is_some_and(|(asked, next)| next.same(asked)) {
                    set.switch();
                }
                Ok(())
            })
            .await?;
        self.settled(context, &set, Issued::ByCurrent).await?;
        let issuer = name(set.current.certificate_pem())?;
        let did = if changed {
            format!(
                "{issuer:?} issued the certificates of all clusters here; the authority before it is still trusted."
            )
        } else {
            format!("{issuer:?} issues already; the authority before it is still trusted.")
        };
        let next = format!("when all clients get on with it, `{}`.", self.command(" --finish"));
        Taken::of(&set, changed, did, &next)
    }

    async fn finish(&self) -> Result<Taken, Failure> {
        let (_, before) = self.read().await?;
        if before.next.is_some() {
            return Err(refused("the new authority doesn't issue yet")
                .next(format!("First: `{}`.", self.command(" --reissue"))));
        }
        if before.previous.is_some()
            && let Some(why) = self.unsettled(&before, Issued::ByCurrent).await?
        {
            return Err(refused("a certificate of the old authority may still be in use")
                .because(why)
                .next(format!("`{}` once more waits for that.", self.command(" --reissue"))));
        }
        let (set, changed) = self
            .change(|set| {
                set.previous = None;
                Ok(())
            })
            .await?;
        let issuer = name(set.current.certificate_pem())?;
        let did = if changed {
            format!("Only {issuer:?} is trusted now.")
        } else {
            format!("There is nothing to finish: only {issuer:?} is trusted.")
        };
        Taken::of(&set, changed, did, "nothing. Clients may forget the old authority.")
    }

    /// The verb with this step's flag.
    fn command(&self, flag: &str) -> String {
        format!("pgherd certs rotate-ca --databases -n {}{flag}", self.namespace)
    }

    async fn read(&self) -> Result<(Secret, Authorities), Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let shown = format!("secret {}/{ROOT_AUTHORITY_SECRET}", self.namespace);
        let found = api.get_opt(ROOT_AUTHORITY_SECRET).await.doing(|| format!("read {shown}"))?;
        let secret = found.ok_or_else(|| {
            Failure::new(Code::ObjectMissing, format!("there is no {shown}"))
                .because("The operator makes it with the first cluster of a namespace.")
                .next("Name the namespace with `-n`; `pgherd show cluster -A` lists all clusters.")
        })?;
        let authorities = secrets::stored_authorities(&secret).ok_or_else(|| {
            Failure::new(Code::ObjectMissing, format!("{shown} holds no authority that works"))
                .next("The operator makes a new one as soon as it looks at a cluster of the namespace.")
        })?;
        Ok((secret, authorities))
    }

    /// Writes what `change` makes of the authorities, and tells whether that was anything.
    async fn change(
        &self,
        change: impl Fn(&mut Authorities) -> Result<(), Failure>,
    ) -> Result<(Authorities, bool), Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut attempt = 1;
        loop {
            let (stored, mut set) = self.read().await?;
            change(&mut set)?;
            let wanted = secrets::with_authorities(&stored, &set);
            if wanted.data == stored.data {
                return Ok((set, false));
            }
            match store::APPLY.run(&api, ROOT_AUTHORITY_SECRET, &wanted).await {
                Ok(_) => return Ok((set, true)),
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until every instance works with what the authorities are now.
    async fn settled(&self, context: &Context, set: &Authorities, issued: Issued) -> Result<(), Failure> {
        let line = context.printer.start(&self.namespace);
        let until = Instant::now() + context.settings.timeout;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match self.unsettled(set, issued).await? {
                None => {
                    line.done("every instance has taken it up");
                    return Ok(());
                }
                Some(why) if Instant::now() >= until => {
                    line.failed("not taken up", std::slice::from_ref(&why));
                    return Err(Failure::new(
                        Code::NotTaken,
                        format!("an instance in {} doesn't take up the authorities", self.namespace),
                    )
                    .because(why)
                    .next("What was written stays. Run the same once more to wait on; `--timeout` says how long."));
                }
                Some(why) => line.update(&why),
            }
        }
    }

    /// Why not every instance works with what the authorities are now.
    async fn unsettled(&self, set: &Authorities, issued: Issued) -> Result<Option<String>, Failure> {
        let of_clusters = ListParams::default().labels(labels::CLUSTER);
        let secrets = self.list::<Secret>(&ListParams::default()).await?;
        let bundle = set.bundle();
        let made = secrets.values().filter(|secret| secret.labels().contains_key(labels::CLUSTER));
        for secret in made.filter(|secret| of_operator(secret)) {
            if let Some(why) = behind(secret, &bundle, issued, set.current.certificate_pem()) {
                return Ok(Some(why));
            }
        }
        for pod in self.list::<Pod>(&of_clusters).await?.into_values() {
            let why = in_force::outdated(&self.client, &pod, &secrets).await.map_err(|error| {
                Failure::new(Code::NotTaken, "an instance can't be asked for its certificates")
                    .because(error.to_string())
            })?;
            if let Some(why) = why {
                return Ok(Some(format!("{}: {why}", pod.name_any())));
            }
        }
        Ok(None)
    }

    async fn list<K>(&self, params: &ListParams) -> Result<BTreeMap<String, K>, Error>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.namespace);
        let found =
            api.list(params).await.doing(|| format!("list {} of {}", K::plural(&()), self.namespace))?;
        Ok(found.items.into_iter().map(|object| (object.name_any(), object)).collect())
    }
}

/// Whose certificates are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Issued {
    /// Those of every authority that is trusted.
    ByAnyone,
    /// Those of the one that issues now.
    ByCurrent,
}

/// Whether a cluster's operator made it.
fn of_operator(secret: &Secret) -> bool {
    secret.owner_references().iter().any(|owner| owner.kind == PostgresCluster::kind(&()))
}

/// What of a cluster's Secret is not yet as the authorities are.
fn behind(secret: &Secret, bundle: &str, issued: Issued, current: &str) -> Option<String> {
    let told = |what: &str| {
        Some(format!(
            "the operator has not put {what} into secret {} yet (a cluster that is paused is left alone)",
            secret.name_any()
        ))
    };
    let roots = [ROOTS, PATRONI_ROOTS, FRONTEND_ROOTS].iter().filter_map(|key| text(secret, key));
    // Besides these there may be authorities of the user's.
    let lacks =
        |roots: &str| certificates(bundle).any(|wanted| !certificates(roots).any(|one| one == wanted));
    if roots.into_iter().any(|roots| lacks(&roots)) {
        return told("the authorities");
    }
    let mut leaves =
        [CERTIFICATE, PATRONI_COMBINED, FRONTEND_CERTIFICATE].iter().filter_map(|key| text(secret, key));
    if issued == Issued::ByCurrent && leaves.any(|leaf| !issued_by(&leaf, current)) {
        return told("a new certificate");
    }
    None
}

fn unusable(error: pki::Error) -> Failure {
    crate::certificates::Error::from(error).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        desired::secrets::data,
        pki::{Authority, LeafRequest, Terms, Usage},
    };

    #[test]
    fn a_secret_is_behind_until_it_has_all_authorities_and_a_certificate_of_the_right_one() {
        let now = Timestamp::now();
        let authority = |name| Arc::new(Authority::generate(name, now, Terms::AUTHORITY).unwrap());
        let (old, new) = (authority("old"), authority("new"));
        let request =
            LeafRequest { common_name: "a".into(), dns_names: vec!["a".into()], usage: Usage::Server };
        let leaf = |of: &Authority| of.issue(&request, now, Terms::LEAF).unwrap().certificate_pem;
        let secret = |roots: &str, leaf: &str| {
            let mut secret =
                Secret { data: Some(data([(ROOTS, roots), (CERTIFICATE, leaf)])), ..Secret::default() };
            secret.metadata.name = Some("hippo-cluster-cert".to_owned());
            secret
        };
        let set = Authorities {
            current: Arc::clone(&new),
            next: None,
            previous: Some(old.certificate_pem().to_owned()),
        };
        let why = |roots: &str, of: &Authority, issued| {
            behind(&secret(roots, &leaf(of)), &set.bundle(), issued, set.current.certificate_pem())
        };
        let late = why(old.certificate_pem(), &old, Issued::ByAnyone).unwrap();
        assert!(late.contains("the authorities into secret hippo-cluster-cert"), "{late}");
        assert_eq!(why(&set.bundle(), &old, Issued::ByAnyone), None);
        let late = why(&set.bundle(), &old, Issued::ByCurrent).unwrap();
        assert!(late.contains("a new certificate"), "{late}");
        assert_eq!(why(&set.bundle(), &new, Issued::ByCurrent), None);
    }
}
