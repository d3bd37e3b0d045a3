//! `pgherd init`: asks for what an inventory needs, with proposals from what is in the cluster, and writes it.

mod changes;
mod draft;
mod file;
mod interview;
mod list;
mod look;
mod question;
mod questions;
mod run;
mod seen;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::{
    changes::{Change, changes},
    draft::Draft,
    file::File,
    interview::{Facts, Interview},
    run::Run,
};
use crate::{
    cli::{Code, Context, Exit, Failure, output::Format},
    inventory::{Checked, Code as Mistaken, Given, Level, Origin, Report, catalogue},
    k8s::client::{Contexts, Target, contexts},
};

/// Where proposals of images come from.
const EXAMPLE: &str = include_str!("../../../../inventory/minimal.toml");

/// How to write an inventory.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write, or to change; `-o FILE` is the same [default: the one that `-i` names, or pgherd.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Ask nothing: take what the file has, what `--set` says, what is in the cluster, and defaults
    #[arg(long)]
    defaults: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    /// Whether there is something in the file now that wasn't before.
    changed: bool,
    /// What differs from the file as it was; everything when there was none.
    changes: Vec<Change>,
    settings: Vec<Setting>,
    warnings: &'a Report,
}

#[derive(Serialize)]
struct Setting {
    key: String,
    value: String,
}

impl Args {
    /// Asks, and writes the file.
    ///
    /// # Errors
    /// When nobody is there to ask, something can't be guessed, the user leaves, or the file can't be read or written.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { file, defaults } = self;
        let path = named(file, context)?;
        if !defaults && !context.has_prompter() {
            return Err(Failure::new(
                Code::NoTerminal,
                "the wizard asks questions, and there is no terminal to ask on",
            )
            .next("`pgherd init --defaults` asks nothing; `--set KEY=VALUE` says what it can't guess."));
        }
        let file = File::open(path)?;
        let start = start(context, &file)?;
        let target = target(context, &file, &start);
        let (contexts, fixed) = choosable(context, &target);
        let facts = Facts {
            file: file.path.clone(),
            contexts,
            namespace: context.settings.namespace.as_ref().map(ToString::to_string),
        };
        let interview = Interview::new(facts, start, example()?);
        let mut run = Run::new(context, Target { context: fixed, ..target }, interview);
        if defaults {
            run.guess().await?;
        } else {
            run.converse(&file).await?;
        }
        let draft = run.draft();
        let checked = draft.check(&file.path, &[]).map_err(Failure::inventory)?;
        let differences = changes(&file.draft()?, &draft);
        if defaults {
            agree(context, &file, &differences).await?;
        }
        let changed = file.write(&draft.text())?;
        if defaults && context.printer.format() == Format::Table {
            for warning in checked.warnings.mistakes() {
                context.printer.warning(&draft::told(warning));
            }
        }
        tell(context, &file, &checked, changed, differences)?;
        Ok(Exit::Success)
    }
}

/// The file to write.
fn named(file: Option<PathBuf>, context: &Context) -> Result<PathBuf, Failure> {
    let settings = &context.settings;
    match (file, settings.out.clone()) {
        (Some(file), Some(out)) if file != out => Err(Failure::new(
            Code::Usage,
            format!("two files are named: {} and, with `-o`, {}", file.display(), out.display()),
        )
        .next("Name the one to write. Nothing was done.")),
        (file, out) => Ok(file
            .or(out)
            .or_else(|| settings.inventory.clone())
            .unwrap_or_else(|| PathBuf::from("pgherd.toml"))),
    }
}

/// Asks before somebody's file is changed by what nobody was asked about.
async fn agree(context: &Context, file: &File, changes: &[Change]) -> Result<(), Failure> {
    if file.text.is_none() || changes.is_empty() {
        return Ok(());
    }
    for change in changes {
        context.printer.line(&format!("  {change}"));
    }
    context.confirm(&format!("Change {}?", file.path.display())).await
}

fn example() -> Result<Draft, Failure> {
    Draft::of(EXAMPLE).map_err(Failure::internal)
}

/// The inventory before the first question: the file, if there is one, and what flags say.
fn start(context: &Context, file: &File) -> Result<Draft, Failure> {
    if let Some(text) = &file.text {
        readable(&file.path, text)?;
    }
    let mut draft = file.draft()?;
    for given in &context.settings.given {
        // A variable is there for every run; only what was typed for this one is meant to be written.
        let Given::Flag(text) = given else { continue };
        let (key, value) = text.split_once('=').ok_or_else(|| {
            Failure::new(Code::Usage, "`--set` takes a setting and its value")
                .next("Write it like `--set defaults.replicas=2`.")
        })?;
        if catalogue::at(key.trim()).is_none_or(|named| named.setting.is_table()) {
            return Err(Failure::new(Code::SettingMissing, format!("there is no setting {}", key.trim()))
                .next("`pgherd inventory show` lists all settings."));
        }
        draft.set_text(key.trim(), value);
    }
    if let Some(name) = &context.settings.target.context {
        draft.set_text("kubernetes.context", name);
    }
    Ok(draft)
}

/// A file may lack something. With other mistakes it is better not touched: its author means something by them.
fn readable(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    match Checked::parse(&path.display().to_string(), text, &[], Some(folder)) {
        Err(report) if report.mistakes().iter().any(|mistake| !tolerable(mistake.code)) => {
            Err(Failure::inventory(report))
        }
        _ => Ok(()),
    }
}

fn tolerable(code: Mistaken) -> bool {
    code.level() == Level::Warning || draft::premature(code)
}

/// How to find the API server: as flags say, or else as the file does.
fn target(context: &Context, file: &File, start: &Draft) -> Target {
    let mut target = context.settings.target.clone();
    if target.context.is_none() && target.kubeconfig.is_none() {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        target.kubeconfig = start.get("kubernetes.kubeconfig").map(|path| folder.join(path));
        target.in_cluster = start.get("kubernetes.in_cluster").as_deref() == Some("true");
    }
    target
}

/// The contexts to choose from, or the one that it is anyway.
fn choosable(context: &Context, target: &Target) -> (Contexts, Option<String>) {
    if target.context.is_some() {
        return (Contexts::default(), target.context.clone());
    }
    match contexts(target) {
        Ok(Contexts { known, .. }) if known.len() == 1 => (Contexts::default(), known.into_iter().next()),
        Ok(contexts) => (contexts, None),
        Err(error) => {
            context.printer.warning(&error.to_string());
            (Contexts::default(), None)
        }
    }
}

fn tell(
    context: &Context,
    file: &File,
    checked: &Checked,
    changed: bool,
    differences: Vec<Change>,
) -> Result<(), Failure> {
    let rows = checked.rows.iter().filter(|row| matches!(row.origin, Origin::Line(_)));
    let settings =
        rows.filter_map(|row| Some(Setting { key: row.key.clone(), value: row.value.clone()? })).collect();
    let name = file.path.display();
    let written =
        Written { file: &file.path, changed, changes: differences, settings, warnings: &checked.warnings };
    context.printer.result(&written, || {
        if changed {
            format!("Wrote {name}, which passes `pgherd inventory check`.\n")
        } else {
            format!("{name} stays as it is.\n")
        }
    })?;
    // Which kube config somebody has is not a setting of the installation, so it isn't in the file.
    let kubeconfig = context.settings.target.kubeconfig.as_ref();
    let kubeconfig = kubeconfig.map_or_else(String::new, |path| format!(" --kubeconfig {}", path.display()));
    context.printer.line(&format!("Next: pgherd install -i {name}{kubeconfig}"));
    Ok(())
}
