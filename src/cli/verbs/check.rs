//! `pgherd check`.

use std::fmt::Write as _;

use serde::Serialize;

use super::introduction::{self, Introduction};
use crate::{
    checks::{self, Finding, Outcome, Probe, Subject, rights},
    cli::{
        Code, Context, Exit, Failure, Printer,
        args::RolesArgs,
        output::{counted, wrap},
    },
};

/// Columns before the code.
const WIDTH: usize = 62;

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// From which outcome on the run ends with exit code 5
    #[arg(
        long,
        value_name = "failed|warning",
        default_value = "failed",
        value_enum,
        hide_possible_values = true
    )]
    fail_on: FailOn,
    /// Show only what is not as it should be, one line each
    #[arg(long)]
    short: bool,
    /// Also make pods and volumes for a moment, in the installation's namespaces, to see whether images can be pulled, and
    /// volumes made and enlarged
    #[arg(long)]
    probe: bool,
    /// Print roles that allow you everything that the installation needs, with `--probe` also what that does, and check nothing
    #[arg(long)]
    role: bool,
    /// The user that these roles are for, instead of you
    #[arg(long, requires = "role", value_name = "USER")]
    user: Option<String>,
    #[command(flatten)]
    roles: RolesArgs,
}

/// What fails a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Failed,
    Warning,
}

/// What was found, and the inventory that it is about.
#[derive(Serialize)]
struct Told<'a> {
    inventory: Introduction<'a>,
    #[serde(flatten)]
    checks: &'a Checked<'a>,
}

#[derive(Serialize)]
struct Checked<'a> {
    passed: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
    checks: &'a [Finding],
}

impl Args {
    /// Looks whether an inventory can be installed in a cluster, or still fits it. Writes nothing, unless `--probe` says so.
    ///
    /// # Errors
    /// When the inventory is wrong, the cluster can't be reached, or a check failed.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let named = context.inventory()?;
        let inventory = &named.inventory;
        super::install::agree(context, inventory)?;
        let catalogue = self.roles.catalogue()?;
        let files = context.files(inventory)?;
        let connection = context.connection().await?;
        let subject = Subject {
            connection,
            inventory,
            catalogue: &catalogue,
            files: &files,
            folder: context.inventory_folder(),
        };
        if self.role {
            return print_roles(context, subject, self.user, self.probe).await;
        }
        let introduction = Introduction::of(context, named);
        introduction.tell(&context.printer);
        introduction::tell_cluster(&context.printer, connection);
        let findings = if self.probe {
            let probe = Probe::new(&connection.client, inventory, context.settings.timeout);
            probed(context, subject, &probe).await?
        } else {
            checks::run(subject, None).await?
        };
        let checked = Checked::of(&findings);
        let printer = &context.printer;
        let told = Told { inventory: introduction, checks: &checked };
        printer.result(&told, || if self.short { short(&findings) } else { text(printer, &checked) })?;
        let bad = match self.fail_on {
            FailOn::Failed => checked.failed,
            FailOn::Warning => checked.failed + checked.warnings,
        };
        if bad == 0 {
            return Ok(Exit::Success);
        }
        Err(Failure::new(Code::CheckFailed, format!("{} not as it should be", counted(bad, "thing")))
            .next("What is wrong stands above; `pgherd explain CODE` says what a check is about."))
    }
}

/// Makes every check with pods and volumes, and removes these, however that ends.
async fn probed(context: &Context, subject: Subject<'_>, probe: &Probe) -> Result<Vec<Finding>, Failure> {
    let printer = &context.printer;
    printer.line(&format!(
        "… making pods and volumes for a moment in {}, and removing them",
        probe.namespaces().join(", ")
    ));
    let (last, printing) = (probe.clone(), printer.clone());
    context.when_interrupted(async move {
        printing.line("… removing the pods and volumes that were made");
        tell_left(&printing, &last.remove().await);
    });
    let findings = checks::run(subject, Some(probe)).await;
    tell_left(printer, &probe.remove().await);
    Ok(findings?)
}

fn tell_left(printer: &Printer, left: &[String]) {
    if !left.is_empty() {
        printer.warning(&format!(
            "not removed, which the next `check --probe` tries again: {}",
            left.join("; ")
        ));
    }
}

/// Prints the roles that allow `user`, or else the caller, everything that the installation, or also a probe, needs.
async fn print_roles(
    context: &Context,
    subject: Subject<'_>,
    user: Option<String>,
    probe: bool,
) -> Result<Exit, Failure> {
    let Subject { connection, inventory, .. } = subject;
    let situation = rights::situation(&connection.client, inventory).await?;
    let mut needs = rights::needs(inventory, &subject.objects()?, &situation);
    if probe {
        needs.extend(rights::needs_of_probe(inventory));
    }
    let user = user.unwrap_or_else(|| connection.user.clone());
    let roles = rights::roles(inventory, &needs, &user);
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": roles});
    let documents: Result<Vec<String>, _> = roles.iter().map(serde_saphyr::to_string).collect();
    let documents = documents.map_err(Failure::internal)?;
    context.printer.result(&list, || documents.join("---\n"))?;
    Ok(Exit::Success)
}

impl<'a> Checked<'a> {
    fn of(checks: &'a [Finding]) -> Self {
        let count = |outcome| checks.iter().filter(|finding| finding.outcome == outcome).count();
        Self {
            passed: count(Outcome::Ok),
            warnings: count(Outcome::Warning),
            failed: count(Outcome::Failed),
            skipped: count(Outcome::Skipped),
            checks,
        }
    }
}

fn text(printer: &Printer, checked: &Checked<'_>) -> String {
    let mut text = String::new();
    let mut group = "";
    for finding in checked.checks {
        if finding.code.group() != group {
            group = finding.code.group();
            writeln!(text, "{group}").ok();
        }
        let (sign, style) = match finding.outcome {
            Outcome::Ok => ("✓", printer.style().green()),
            Outcome::Skipped => ("–", printer.style().dim()),
            Outcome::Warning => ("‼", printer.style().yellow()),
            Outcome::Failed => ("✗", printer.style().red()),
        };
        let mut lines = wrap(&finding.message, WIDTH).into_iter();
        let first = lines.next().unwrap_or_default();
        writeln!(text, "  {} {first:<WIDTH$} {}", style.apply_to(sign), finding.code.id()).ok();
        for line in lines {
            writeln!(text, "    {line}").ok();
        }
        for detail in &finding.details {
            writeln!(text, "      {detail}").ok();
        }
        for line in finding.hint.iter().flat_map(|hint| wrap(hint, 72)) {
            writeln!(text, "      {line}").ok();
        }
    }
    let Checked { passed, warnings, failed, skipped, .. } = checked;
    let skipped = if *skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    writeln!(text, "\n{passed} passed, {}, {failed} failed{skipped}.", counted(*warnings, "warning")).ok();
    text
}

/// What is not as it should be, for the eyes of a person in a hurry, or grep.
fn short(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { code, outcome, message, details, .. } in findings {
        let word = match outcome {
            Outcome::Ok => continue,
            Outcome::Skipped => "skipped",
            Outcome::Warning => "warning",
            Outcome::Failed => "failed",
        };
        let details = if details.is_empty() { String::new() } else { format!(": {}", details.join("; ")) };
        writeln!(text, "{word} {} {message}{details}", code.id()).ok();
    }
    text
}
