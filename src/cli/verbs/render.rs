//! `pgherd render`.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    certificates::Source,
    cli::{
        Code, Context, Exit, Failure,
        args::RolesArgs,
        output::{Format, counted},
    },
    inventory::Inventory,
    roles::{self, Catalogue, Files, Live, certificates, record::Record},
    temporary,
};

/// The first line of every file, by which the next run knows it again.
const HEAD: &str = "# Rendered by pgherd; the next `pgherd render` overwrites it, or removes it.\n";

/// The part of an installation that isn't a role: what pgherd remembers of it.
const RECORD: &str = "record";

/// What to render.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these parts: `definitions`, `namespaces`, `access`, `operator` or `record`
    #[arg(value_name = "PART")]
    parts: Vec<String>,
    #[command(flatten)]
    roles: RolesArgs,
}

/// One part of an installation.
struct Part {
    name: String,
    objects: Vec<DynamicObject>,
}

#[derive(Serialize)]
struct Written {
    folder: String,
    files: Vec<String>,
    removed: Vec<String>,
    #[serde(skip)]
    order: Vec<String>,
    left_out: Vec<&'static str>,
}

impl Args {
    /// Writes the objects of an installation into a folder, or to standard output. Needs no cluster, and gives the same for
    /// the same inventory.
    ///
    /// # Errors
    /// When the inventory or a role is wrong, there is no such part, or something can't be written.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { parts: wanted, roles } = self;
        let checked = context.inventory()?;
        context.printer.report(&checked.warnings);
        let catalogue = roles.catalogue()?;
        let files = Files::read(&checked.inventory, context.inventory_folder())?.without_secrets();
        let mut parts = render(&catalogue, &checked.inventory, &files)?;
        if let Some(unknown) = wanted.iter().find(|name| !parts.iter().any(|part| part.name == **name)) {
            let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
            return Err(Failure::new(Code::Usage, format!("an installation has no part {unknown:?}"))
                .next(format!("It has {}.", names.join(", "))));
        }
        // What somebody else makes is only there for who asks for it.
        let ours = |part: &Part| checked.inventory.rbac.create || part.name != roles::ACCESS;
        parts.retain(|part| if wanted.is_empty() { ours(part) } else { wanted.contains(&part.name) });
        let complete = wanted.is_empty();
        if let Some(folder) = &context.settings.out {
            let written = write(folder, &parts, complete)?;
            context.printer.result(&written, || told(&written))?;
        } else {
            print(context, &parts)?;
        }
        if complete {
            context.printer.line(&left_out(&checked.inventory));
        }
        Ok(Exit::Success)
    }
}

/// What somebody else has to bring: files are no place for keys.
fn left_out(inventory: &Inventory) -> String {
    let policy = certificates::policy(&inventory.tls);
    let secret = policy.authority_secret(&certificates::home(&inventory.installation));
    let certificates = match policy.source {
        Source::Made => "The operator makes its certificates itself".to_owned(),
        Source::Given | Source::Secret(_) => {
            format!("The operator waits for your authority, as ca.crt and ca.key of the Secret {secret}")
        }
    };
    format!("Left out: keys. {certificates}, and Secrets to pull images with are yours to bring.")
}

/// All objects by part, in the order in which they are to be applied.
fn render(catalogue: &Catalogue, inventory: &Inventory, files: &Files) -> Result<Vec<Part>, Failure> {
    let live = Live::unseen(inventory);
    let components = roles::components(catalogue, inventory, files, &live, Timestamp::now())?;
    let record = Record::of(inventory, &components);
    let mut parts: Vec<Part> = components
        .into_iter()
        .filter(|component| !component.objects.is_empty())
        .map(|component| Part { name: component.name, objects: component.objects })
        .collect();
    let record = Part { name: RECORD.to_owned(), objects: vec![record.object()?] };
    let running = parts.iter().position(|part| part.name == "operator").unwrap_or(parts.len());
    parts.insert(running, record);
    Ok(parts)
}

fn print(context: &Context, parts: &[Part]) -> Result<(), Failure> {
    let objects = || parts.iter().flat_map(|part| &part.objects);
    if context.printer.format() == Format::Json {
        let items: Vec<Value> = objects().map(value).collect::<Result<_, _>>()?;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        return context.printer.result(&list, String::new);
    }
    let documents: Vec<String> = objects().map(yaml).collect::<Result<_, _>>()?;
    context.printer.raw(&documents.join("---\n"))
}

/// Writes one file for each object. What a former run wrote and isn't rendered any more is removed, if everything was.
fn write(folder: &Path, parts: &[Part], complete: bool) -> Result<Written, Failure> {
    let mut files = BTreeMap::new();
    for part in parts {
        for object in &part.objects {
            files.insert(folder.join(&part.name).join(file_name(object)), format!("{HEAD}{}", yaml(object)?));
        }
    }
    let former = if complete { former(folder)? } else { Vec::new() };
    for (path, text) in &files {
        if fs_err::read_to_string(path).is_ok_and(|there| there == *text) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).map_err(unwritable)?;
        }
        replace(path, text).map_err(unwritable)?;
    }
    let mut removed = Vec::new();
    for path in former.into_iter().filter(|path| !files.contains_key(path)) {
        fs_err::remove_file(&path).map_err(unwritable)?;
        removed.push(path.display().to_string());
    }
    Ok(Written {
        folder: folder.display().to_string(),
        files: files.keys().map(|path| path.display().to_string()).collect(),
        removed,
        order: parts.iter().map(|part| part.name.clone()).collect(),
        left_out: vec!["certificates", "pull secrets"],
    })
}

/// Puts a file in the place of another, whole or not at all.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = temporary::beside(path, 0o644)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Files that a former run wrote.
fn former(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let Ok(parts) = fs_err::read_dir(folder) else { return Ok(found) };
    for part in parts {
        let part = part.map_err(unwritable)?.path();
        if !part.is_dir() {
            continue;
        }
        for file in fs_err::read_dir(&part).map_err(unwritable)? {
            let file = file.map_err(unwritable)?.path();
            if file.is_file() && fs_err::read_to_string(&file).is_ok_and(|text| text.starts_with(HEAD)) {
                found.push(file);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `role-orders-pgherd.yaml`. Colons, which names of cluster roles may have, are no good in names of files.
fn file_name(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map(|types| types.kind.to_lowercase()).unwrap_or_default();
    let parts = [Some(kind), object.namespace(), Some(object.name_any())];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join("-").replace(':', "-");
    format!("{name}.yaml")
}

fn value(object: &DynamicObject) -> Result<Value, Failure> {
    serde_json::to_value(object).map_err(Failure::internal)
}

fn yaml(object: &DynamicObject) -> Result<String, Failure> {
    serde_saphyr::to_string(&value(object)?).map_err(Failure::internal)
}

fn told(written: &Written) -> String {
    let mut text = format!("Wrote {} to {}", counted(written.files.len(), "file"), written.folder);
    if !written.removed.is_empty() {
        text = format!("{text}, removed {}", counted(written.removed.len(), "file"));
    }
    match written.order.as_slice() {
        [_] => format!("{text}.\n"),
        order => format!("{text}. Apply them in this order: {}.\n", order.join(", ")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
fn unwritable(error: std::io::Error) -> Failure {
    Failure::new(Code::Output, "the files can't be written").because(error.to_string())
}
