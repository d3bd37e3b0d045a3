//! `pgherd install`.

use std::time::Instant;

use futures::future::join_all;
use serde::Serialize;

use super::introduction::{self, Introduction};
use crate::{
    cli::{
        Code, Context, Exit, Failure, Printer,
        args::RolesArgs,
        output::{counted, elapsed},
    },
    inventory::Inventory,
    k8s::{
        apply::Apply,
        client::Connection,
        lease::{self, Held},
        plan::Change,
        wait::WaitError,
    },
    roles::{
        engine::{self, ObjectError, Plan, PlannedComponent, Purpose, Wanted},
        removal,
        rollback::{self, Before},
    },
};

/// How to install.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    roles: RolesArgs,
    /// Take over fields that somebody else set in the meantime
    #[arg(long)]
    force_conflicts: bool,
    /// Go on although what is installed is of a newer version
    #[arg(long)]
    allow_downgrade: bool,
}

/// Whether there is to be an installation already.
pub(super) enum Manner {
    /// There may be one.
    Install,
    /// There has to be one.
    Update {
        /// Whether to go back when it fails.
        rollback_on_failure: bool,
    },
}

#[derive(Serialize)]
struct Installed<'a> {
    inventory: Introduction<'a>,
    installation: String,
    namespace: String,
    version: &'static str,
    watched: Vec<String>,
    created: usize,
    changed: usize,
    removed: usize,
    unchanged: usize,
    components: Vec<Done>,
}

#[derive(Serialize)]
struct Done {
    name: String,
    summary: String,
    seconds: f64,
}

impl Args {
    /// Installs, or brings an installation to what its inventory says.
    ///
    /// # Errors
    /// When the inventory is wrong, the cluster can't be reached, something is refused, or doesn't become ready.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.carry_out(context, &Manner::Install).await
    }

    /// Plans, asks, applies and waits.
    pub(super) async fn carry_out(self, context: &Context, manner: &Manner) -> Result<Exit, Failure> {
        let Self { roles, force_conflicts, allow_downgrade } = self;
        let started = Instant::now();
        let checked = context.inventory()?;
        let inventory = &checked.inventory;
        agree(context, inventory)?;
        let introduction = Introduction::of(context, checked);
        introduction.tell(&context.printer);
        let catalogue = roles.catalogue()?;
        let files = context.files(inventory)?;
        let connection = context.connection().await?;
        let printer = &context.printer;
        introduction::tell_cluster(printer, connection);

        let how = engine::installer(force_conflicts);
        let tell = |reason: &str| printer.line(&format!("… {reason}"));
        let wanted = Wanted {
            catalogue: &catalogue,
            inventory,
            files: &files,
            apply: how,
            purpose: Purpose::Apply,
            downgrade: allow_downgrade,
            timeout: context.settings.timeout,
        };
        let plan = engine::plan(&connection.client, &wanted, tell).await?;
        match plan.installed.as_deref() {
            None if matches!(manner, Manner::Update { .. }) => {
                return Err(Failure::new(Code::NoInstallation, "there is nothing to update")
                    .next("`pgherd install` installs it."));
            }
            Some(installed) if installed != crate::VERSION => {
                printer.line(&format!("Version    {installed} → {}", crate::VERSION));
            }
            _ => {}
        }
        for blind in &plan.blind {
            printer.warning(blind);
        }
        let result = Installed::new(introduction, inventory, &plan);
        if plan.settled() {
            still_ready(context, connection, &plan).await?;
            let text =
                format!("Nothing to do: {} are as they should be.", counted(result.unchanged, "object"));
            let time = elapsed(started.elapsed());
            printer.line(&format!("{text:<74}{time:>6}"));
            printer.result(&result, String::new)?;
            return Ok(Exit::Success);
        }
        let Installed { created, changed, removed, .. } = &result;
        printer.line(&format!("\n  create {created}   change {changed}   remove {removed}"));
        context.confirm("  Continue?").await?;
        printer.line("");

        let rollback = matches!(manner, Manner::Update { rollback_on_failure: true });
        let before = if rollback { Before::of(&connection.client, &plan).await? } else { Before::default() };
        let run = Run { context, connection, plan: &plan, inventory, how };
        let components = match run.all().await {
            Err(failure) if rollback => return Err(run.back(&before, failure).await),
            outcome => outcome?,
        };
        let installation = &inventory.installation;
        printer.line(&format!(
            "\npgherd {} runs in namespace {} and watches {}.",
            crate::VERSION,
            installation.namespace,
            result.watched.join(", ")
        ));
        if let Some(namespace) = inventory.watched().first() {
            printer.line(&format!("Next: pgherd create cluster hippo -n {namespace}"));
        }
        printer.result(&Installed { components, ..result }, String::new)?;
        Ok(Exit::Success)
    }
}

/// The namespace of an installation is part of what it is, so a flag may repeat it but not move it.
pub(super) fn agree(context: &Context, inventory: &Inventory) -> Result<(), Failure> {
    let ours = &inventory.installation.namespace;
    match &context.settings.namespace {
        Some(other) if other != ours => {
            Err(Failure::new(Code::Usage, format!("the inventory says namespace {ours}, and not {other}"))
                .next("Leave `-n` and PGHERD_NAMESPACE out, or change installation.namespace."))
        }
        _ => Ok(()),
    }
}

/// What is as it should be may still not work, for instance after an installation that ended with a timeout.
async fn still_ready(context: &Context, connection: &Connection, plan: &Plan) -> Result<(), Failure> {
    for component in &plan.components {
        let line = context.printer.start(&component.name);
        let waited = engine::ready(&connection.client, component, context.settings.timeout, |reason| {
            line.update(reason);
        });
        if let Err(error) = waited.await {
            line.failed("not ready", &seen(&error));
            return Err(not_ready(&context.printer, component, &error));
        }
    }
    Ok(())
}

/// One run of the installer.
struct Run<'a> {
    context: &'a Context,
    connection: &'a Connection,
    plan: &'a Plan,
    inventory: &'a Inventory,
    how: Apply,
}

impl Run<'_> {
    /// Goes back to what was there, and tells of the failure that led to it.
    async fn back(&self, before: &Before, failure: Failure) -> Failure {
        let client = &self.connection.client;
        let line = self.context.printer.start("rollback");
        let timeout = self.context.settings.timeout;
        match rollback::roll_back(client, self.plan, before).await {
            Err(errors) => {
                let seen: Vec<String> = errors.iter().map(ToString::to_string).collect();
                line.failed("not everything could be put back", &seen);
                let failure = failure.because("Not everything could be put back as it was.");
                return failure
                    .next("`pgherd plan` shows what is different; `pgherd update` goes on from here.");
            }
            Ok(count) => line.update(&format!("{} put back", counted(count, "object"))),
        }
        for component in &self.plan.components {
            if let Err(error) = engine::ready(client, component, timeout, |reason| line.update(reason)).await
            {
                line.failed("what was there before doesn't run either", &seen(&error));
                return failure.next("Everything is as it was before; it did not become ready.");
            }
        }
        line.done("everything is as it was before, and runs");
        failure.next("Everything is as it was before this update. What was seen of its failure stands above.")
    }

    async fn all(&self) -> Result<Vec<Done>, Failure> {
        let mut held = if self.plan.home_exists { Some(self.lock().await?) } else { None };
        let outcome = self.waves(&mut held).await;
        if let Some(held) = held {
            let released = held.release().await;
            // That the Lease wasn't given back is the smaller trouble if there is another: it expires.
            if outcome.is_ok() {
                released?;
            }
        }
        outcome
    }

    async fn waves(&self, held: &mut Option<Held>) -> Result<Vec<Done>, Failure> {
        let mut waves: Vec<u8> = self.plan.components.iter().map(|component| component.wave).collect();
        waves.sort_unstable();
        waves.dedup();
        let mut done = Vec::new();
        for wave in waves {
            let components = self.plan.components.iter().filter(|component| component.wave == wave);
            let work = join_all(components.map(|component| self.component(component)));
            let results = match held.as_ref() {
                Some(held) => tokio::select! {
                    results = work => results,
                    () = held.lost() => return Err(taken_over()),
                },
                None => work.await,
            };
            for result in results {
                done.push(result?);
            }
            if held.is_none() {
                *held = Some(self.lock().await?);
            }
        }
        Ok(done)
    }

    /// Takes the Lease, takes back what is no longer wanted, and writes the record before anything that it lists, so that
    /// an interrupted run can be undone.
    async fn lock(&self) -> Result<Held, Failure> {
        let installation = &self.inventory.installation;
        let name = format!("{}-installer", installation.name);
        let tell = |reason: &str| self.context.printer.line(&format!("… {reason}"));
        let client = &self.connection.client;
        let held =
            lease::acquire(client, installation.namespace.as_str(), &name, &self.connection.user, tell)
                .await?;
        if !self.plan.removed.is_empty() {
            let line = self.context.printer.start("removed");
            for id in &self.plan.removed {
                removal::delete(client, id, self.context.settings.timeout, |reason| line.update(reason))
                    .await?;
            }
            line.done(&counted(self.plan.removed.len(), "object"));
        }
        engine::apply(client, std::slice::from_ref(&self.plan.record), self.how).await.map_err(refused)?;
        Ok(held)
    }

    async fn component(&self, component: &PlannedComponent) -> Result<Done, Failure> {
        let started = Instant::now();
        let client = &self.connection.client;
        let line = self.context.printer.start(&component.name);
        if let Err(errors) = engine::apply(client, &component.items, self.how).await {
            let seen: Vec<String> = errors.iter().map(ToString::to_string).collect();
            line.failed(&format!("{} refused", counted(errors.len(), "object")), &seen);
            return Err(refused(errors));
        }
        let timeout = self.context.settings.timeout;
        match engine::ready(client, component, timeout, |reason| line.update(reason)).await {
            Ok(said) => {
                let summary = said.or_else(|| component.summary.clone()).unwrap_or_else(|| census(component));
                line.done(&summary);
                Ok(Done { name: component.name.clone(), summary, seconds: started.elapsed().as_secs_f64() })
            }
            Err(error) => {
                line.failed("not ready", &seen(&error));
                Err(not_ready(&self.context.printer, component, &error))
            }
        }
    }
}

impl<'a> Installed<'a> {
    fn new(introduction: Introduction<'a>, inventory: &Inventory, plan: &Plan) -> Self {
        Self {
            inventory: introduction,
            installation: inventory.installation.name.to_string(),
            namespace: inventory.installation.namespace.to_string(),
            version: crate::VERSION,
            watched: inventory.watched().iter().map(ToString::to_string).collect(),
            created: plan.count(|change| *change == Change::Create),
            changed: plan.count(|change| matches!(change, Change::Change(_))),
            removed: plan.removed.len(),
            unchanged: plan.count(|change| *change == Change::Unchanged),
            components: Vec::new(),
        }
    }
}

/// The objects of a component, counted by kind: `2 roles, 2 role bindings`.
fn census(component: &PlannedComponent) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for item in &component.items {
        let kind = item.object.types.as_ref().map(|types| spaced(&types.kind)).unwrap_or_default();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds.iter().map(|(kind, count)| counted(*count, kind)).collect::<Vec<_>>().join(", ")
}

/// `RoleBinding` as people write it: `role binding`. What comes before the last words of a long kind adds nothing here.
fn spaced(kind: &str) -> String {
    let mut words = String::new();
    for letter in kind.strip_prefix("CustomResource").unwrap_or(kind).chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn seen(error: &WaitError) -> Vec<String> {
    match error {
        WaitError::Timeout { seen } => seen.clone(),
        WaitError::Watch(error) => vec![error.to_string()],
    }
}

fn not_ready(printer: &Printer, component: &PlannedComponent, error: &WaitError) -> Failure {
    let (code, what) = match component.name.as_str() {
        "definitions" => (Code::DefinitionsNotReady, "the definitions are not served".to_owned()),
        "operator" => (Code::NotReady, "the operator did not start".to_owned()),
        other => (Code::NotReady, format!("{other} did not become ready")),
    };
    let seen = seen(error);
    let mut failure = Failure::new(code, what);
    if let Some(advice) = advice(&seen) {
        failure = failure.because(advice);
    }
    // On a terminal this stands right above.
    if !printer.talks() {
        failure = seen.into_iter().fold(failure, Failure::because);
    }
    failure
        .next("What was applied stays; `pgherd install` goes on from here, `pgherd uninstall` takes it back.")
}

/// What usually helps against what was seen.
fn advice(seen: &[String]) -> Option<&'static str> {
    let says = |words: &[&str]| seen.iter().any(|text| words.iter().any(|word| text.contains(word)));
    if says(&["x509", "certificate signed by unknown authority"]) {
        Some(
            "The node does not trust the registry's certificate. Add its authority to the node's container runtime, or \
             name an image in a registry that it trusts (images.operator).",
        )
    } else if says(&["unauthorized", "authentication required", "403 Forbidden"]) {
        Some("The registry wants credentials: name a Secret with them in images.pull_secrets.")
    } else if says(&["ImagePull", "ErrImage", "InvalidImageName"]) {
        Some("The node can't get the image. Is images.operator right, and can the node reach that registry?")
    } else if says(&["Unschedulable", "FailedScheduling"]) {
        Some("No node takes the pod; what the scheduler says above tells which of its demands isn't met.")
    } else if says(&["CrashLoopBackOff", "ended with exit code"]) {
        Some(
            "The operator starts and ends again; its log says why (`kubectl logs -n NAMESPACE deployment/NAME`).",
        )
    } else {
        None
    }
}

fn refused(errors: Vec<ObjectError>) -> Failure {
    crate::roles::engine::PlanError::Objects(errors).into()
}

fn taken_over() -> Failure {
    Failure::new(Code::Busy, "another installer took over while this one was stopped")
        .next("When it is done, the same command goes on from there.")
}
