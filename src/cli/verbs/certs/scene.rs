//! The installation whose certificates are meant, and how they are changed.

use kube::{Client, ResourceExt as _};

use crate::{
    certificates::{
        Decision, Home, Policy, Stored,
        served::{self, Shown},
        store,
    },
    cli::{Code, Context, Failure},
    inventory::Inventory,
    k8s::Kind,
    roles::{
        certificates, labels,
        record::{Which, load_record},
    },
};

/// How often a change is tried when somebody else writes at the same time. That can only be the operator, once.
const ATTEMPTS: usize = 3;

/// The installation that is meant.
pub(super) struct Scene {
    pub(super) client: Client,
    pub(super) inventory: Inventory,
    pub(super) home: Home,
    pub(super) policy: Policy,
}

impl Scene {
    /// Finds it by the inventory that was named, or else by its record.
    pub(super) async fn find(context: &Context) -> Result<Self, Failure> {
        let named = context.settings.inventory.as_ref().map(|_| context.inventory()).transpose()?;
        let client = context.client().await?;
        let inventory = if let Some(checked) = named {
            checked.inventory.clone()
        } else {
            let namespace = context.settings.namespace.as_ref().map(AsRef::as_ref);
            load_record(&client, Which { namespace, ..Which::default() }).await?.inventory
        };
        let home = certificates::home(&inventory.installation);
        let policy = certificates::policy(&inventory.tls);
        Ok(Self { client, inventory, home, policy })
    }

    /// What is in the cluster.
    pub(super) async fn stored(&self) -> Result<Stored, Failure> {
        let stored = store::read(&self.client, &self.home, &self.policy).await?;
        if stored.authority.is_none() && stored.leaf.is_none() {
            let (authority, namespace) = (self.policy.authority_secret(&self.home), &self.home.namespace);
            return Err(Failure::new(Code::NoInstallation, "there are no certificates yet")
                .because(format!(
                    "Looked for the secrets {authority} and {} in {namespace}.",
                    self.home.leaf_secret()
                ))
                .next("`pgherd install -i FILE` makes them, and so does the operator when it runs."));
        }
        Ok(stored)
    }

    /// Writes what `decide` makes of what is there, and tells whether that was anything. The operator completes what it sees
    /// half written, so that a second attempt may find nothing left to do.
    pub(super) async fn change(
        &self,
        decide: impl Fn(&Stored) -> Result<Decision, Failure>,
    ) -> Result<(Decision, bool), Failure> {
        let mut attempt = 1;
        let mut changed = false;
        loop {
            let stored = self.stored().await?;
            self.refuse_foreign(&stored)?;
            let decision = decide(&stored)?;
            let mut outcome = Ok(());
            for (secret, live) in decision.writes(&self.home, &stored) {
                outcome = store::write(&self.client, &self.home, secret, live).await.map(drop);
                if outcome.is_err() {
                    break;
                }
                changed = true;
            }
            match outcome {
                Ok(()) => return Ok((decision, changed)),
                Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Certificates that somebody else brings are theirs to renew.
    fn refuse_foreign(&self, stored: &Stored) -> Result<(), Failure> {
        let foreign = stored.leaf.as_ref().filter(|leaf| !self.home.owns(leaf));
        foreign.map_or(Ok(()), |leaf| {
            let name = format!("secret {}/{}", self.home.namespace, leaf.name_any());
            Err(Failure::new(Code::NotOurs, format!("{name} was not made by this installation"))
                .next("Whoever made it renews it. The operator shows what is in it."))
        })
    }

    /// What the operator's endpoint shows to a client that trusts `bundle`.
    pub(super) async fn shown(&self, bundle: &str) -> Result<Shown, Failure> {
        Ok(served::look(&self.client, &self.home, &self.selector(), bundle).await?)
    }

    /// Waits until the operator shows its new certificate; without an operator there is nothing to wait for.
    pub(super) async fn taken(&self, context: &Context, decision: &Decision) -> Result<bool, Failure> {
        let bundle = decision.authorities.bundle();
        let certificate = &decision.leaf.certificate_pem;
        let timeout = context.settings.timeout;
        let shown =
            served::until(&self.client, &self.home, &self.selector(), &bundle, certificate, timeout).await?;
        let why = match shown {
            _ if shown.is(certificate) => return Ok(true),
            Shown::Nobody => {
                context.printer.warning("no operator is running; it shows the certificate when it starts");
                return Ok(false);
            }
            Shown::Certificate(_) => "It still shows the one before.".to_owned(),
            Shown::Other(why) => why,
        };
        Err(Failure::new(Code::NotTaken, "the operator doesn't show its new certificate")
            .because(why)
            .next("The certificate is in its Secret. The operator's log says what keeps it from taking it."))
    }

    fn selector(&self) -> String {
        labels::selector(&labels::operator_selector(&self.inventory.installation))
    }
}
