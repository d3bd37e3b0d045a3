//! `pgherd plan`.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use super::{
    install::agree,
    introduction::{self, Introduction},
};
use crate::{
    cli::{Context, Exit, Failure, args::RolesArgs, output::wrap},
    k8s::{
        kinds::ObjectId,
        plan::{Change, FieldChange},
    },
    roles::engine::{self, Plan, Purpose, Wanted},
};

/// Columns for the names of objects; what the change means stands right of them.
const NAMES: usize = 42;

/// Columns for a line.
const WIDTH: usize = 80;

/// How to plan.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    roles: RolesArgs,
    /// End with exit code 10 when there is something to do, instead of 0
    #[arg(long)]
    detailed_exitcode: bool,
    /// Plan as `install --force-conflicts` would do
    #[arg(long)]
    force_conflicts: bool,
}

/// A plan, and the inventory that it is for.
#[derive(Serialize)]
struct Told<'a> {
    inventory: Introduction<'a>,
    #[serde(flatten)]
    plan: &'a Planned,
}

/// What would be done, for programs.
#[derive(Serialize)]
struct Planned {
    create: usize,
    change: usize,
    remove: usize,
    unchanged: usize,
    /// Where rights were not enough to look.
    blind: Vec<String>,
    objects: Vec<Row>,
}

/// What would become of one object. Those that stay as they are have no row.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    id: ObjectId,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Create,
    Change,
    Remove,
    Unknown,
}

impl Args {
    /// Tells what install or update would do, and writes nothing.
    ///
    /// # Errors
    /// When the inventory is wrong, the cluster can't be reached, or an object would be refused.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { roles, detailed_exitcode, force_conflicts } = self;
        let checked = context.inventory()?;
        agree(context, &checked.inventory)?;
        let introduction = Introduction::of(context, checked);
        introduction.tell(&context.printer);
        let catalogue = roles.catalogue()?;
        let files = context.files(&checked.inventory)?;
        let connection = context.connection().await?;
        introduction::tell_cluster(&context.printer, connection);
        let wanted = Wanted {
            catalogue: &catalogue,
            inventory: &checked.inventory,
            files: &files,
            apply: engine::installer(force_conflicts),
            purpose: Purpose::Show,
            downgrade: true,
            timeout: context.settings.timeout,
        };
        let planned = Planned::of(engine::plan(&connection.client, &wanted, |_| {}).await?);
        for blind in &planned.blind {
            context.printer.warning(blind);
        }
        let told = Told { inventory: introduction, plan: &planned };
        context.printer.result(&told, || planned.text())?;
        let changes = planned.objects.iter().any(|row| row.action != Action::Unknown);
        Ok(if changes && detailed_exitcode { Exit::Changes } else { Exit::Success })
    }
}

impl Planned {
    fn of(plan: Plan) -> Self {
        let unchanged = plan.count(|change| *change == Change::Unchanged);
        let Plan { components, record, removed, blind, .. } = plan;
        let items = components.into_iter().flat_map(|component| component.items).chain([record]);
        let mut objects: Vec<Row> = items
            .filter_map(|item| {
                let id = ObjectId::of(&item.object);
                let (action, fields) = match item.change {
                    Change::Create => (Action::Create, Vec::new()),
                    Change::Change(fields) => (Action::Change, fields),
                    Change::Hidden => (Action::Unknown, Vec::new()),
                    Change::Unchanged => return None,
                };
                Some(Row { effect: effect(&id, action, &fields), id, action, fields })
            })
            .collect();
        objects.extend(removed.into_iter().map(|id| Row {
            effect: effect(&id, Action::Remove, &[]),
            id,
            action: Action::Remove,
            fields: Vec::new(),
        }));
        let count = |action| objects.iter().filter(|row| row.action == action).count();
        Self {
            create: count(Action::Create),
            change: count(Action::Change),
            remove: count(Action::Remove),
            unchanged,
            blind,
            objects,
        }
    }

    fn text(&self) -> String {
        if self.objects.is_empty() {
            return format!("Nothing to do: {} objects are as they should be.\n", self.unchanged);
        }
        let rows: String = self.objects.iter().map(Row::text).collect();
        let Self { create, change, remove, .. } = self;
        format!("{rows}\ncreate {create}   change {change}   remove {remove}\n")
    }
}

impl Row {
    fn text(&self) -> String {
        let sign = match self.action {
            Action::Create => '+',
            Action::Change => '~',
            Action::Remove => '-',
            Action::Unknown => '?',
        };
        let name = self.id.to_string();
        let mut text = match self.effect {
            None => format!("{sign} {name}\n"),
            Some(effect) if name.len() <= NAMES => format!("{sign} {name:<NAMES$}  {effect}\n"),
            Some(effect) => format!("{sign} {name}\n  {:<NAMES$}  {effect}\n", ""),
        };
        for FieldChange { path, from, to } in &self.fields {
            writeln!(text, "    {path}").ok();
            let (from, to) = (short(from.as_ref()), short(to.as_ref()));
            if from.len() + to.len() + 9 <= WIDTH {
                writeln!(text, "      {from} → {to}").ok();
            } else {
                writeln!(text, "      {from}\n      → {to}").ok();
            }
        }
        text
    }
}

/// A value as it fits a line.
fn short(value: Option<&Value>) -> String {
    let text = match value {
        None => return "(nothing)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let first = wrap(&text, WIDTH * 2).into_iter().next().unwrap_or_default();
    match first.char_indices().nth(WIDTH - 10) {
        Some((end, _)) => format!("{}…", &first[..end]),
        None if first.len() < text.trim().len() => format!("{first}…"),
        None => first,
    }
}

/// What a change means for what runs.
fn effect(id: &ObjectId, action: Action, fields: &[FieldChange]) -> Option<&'static str> {
    let template = || fields.iter().any(|field| field.path.starts_with("spec.template"));
    match (id.kind.as_str(), action) {
        ("Deployment", Action::Create) => Some("starts the operator"),
        ("Deployment", Action::Change) if template() => Some("rolls the operator, databases run on"),
        ("Deployment", Action::Remove) => Some("stops the operator, databases run on"),
        ("CustomResourceDefinition", Action::Change) => Some("databases run on"),
        ("Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding", Action::Remove) => {
            Some("the operator loses these rights")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(kind: &str, name: &str) -> ObjectId {
        ObjectId {
            api_version: "v1".into(),
            kind: kind.into(),
            namespace: Some("pgo".into()),
            name: name.into(),
        }
    }

    #[test]
    fn a_plan_reads_as_a_list_of_what_happens() {
        let image = FieldChange {
            path: "spec.template.spec.containers[operator].image".into(),
            from: Some(json!("registry.example.com/pgherd:0.1.0")),
            to: Some(json!("registry.example.com/pgherd:0.2.0")),
        };
        let long = FieldChange { path: "spec.rules".into(), from: None, to: Some(json!("x".repeat(200))) };
        let deployment = id("Deployment", "pgherd");
        let row = |id: ObjectId, action, fields: Vec<FieldChange>| Row {
            effect: effect(&id, action, &fields),
            id,
            action,
            fields,
        };
        let planned = Planned {
            create: 1,
            change: 2,
            remove: 1,
            unchanged: 3,
            blind: Vec::new(),
            objects: vec![
                row(id("Role", "pgherd"), Action::Create, Vec::new()),
                row(deployment, Action::Change, vec![image]),
                row(
                    id("Service", "a-service-with-a-name-that-goes-beyond-its-column"),
                    Action::Change,
                    vec![long],
                ),
                row(id("RoleBinding", "old"), Action::Remove, Vec::new()),
            ],
        };
        insta::assert_snapshot!(planned.text());
    }
}
