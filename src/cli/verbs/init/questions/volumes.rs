//! Questions about volumes, and about requests and limits.

use super::View;
use crate::{
    cli::verbs::init::question::{Choice, Effect, Id, Question, values},
    inventory::catalogue::at,
};

/// The number of the table that a default refers to by its name; or else of the first table; or 1.
fn referred(view: &View<'_>, stem: &str, default: &str) -> u32 {
    let numbers = numbers(view, stem);
    let wanted = view.draft.get(default);
    let named = |number: &&u32| wanted.is_some() && view.draft.get(&format!("{stem}{number}.name")) == wanted;
    numbers.iter().find(named).or_else(|| numbers.first()).copied().unwrap_or(1)
}

fn numbers(view: &View<'_>, stem: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> =
        view.draft.keys("").iter().filter_map(|key| key.strip_prefix(stem)?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The first numbers of tables that the file doesn't have.
fn free(view: &View<'_>, stem: &str, first: u32) -> impl Iterator<Item = u32> + use<> {
    let last = numbers(view, stem).pop().unwrap_or(0).max(first);
    last.saturating_add(1)..=last.saturating_add(50)
}

pub(super) fn storages(view: &View<'_>, all: &mut Vec<Question>) {
    let first = referred(view, "storage", "defaults.storage.primary");
    let before = all.len();
    storage(view, first, all);
    if let Some(question) = all.get_mut(before) {
        named(view, question, &format!("storage{first}.name"), "defaults.storage.primary");
    }
    for number in free(view, "storage", first) {
        let more = Id::MoreStorage(number);
        all.push(
            Question::yes_no(more, "Another kind of volume?", false)
                .help("Such as slower ones for backups. Clusters can ask for it by its name."),
        );
        if view.answer(more) != "yes" {
            break;
        }
        let name = Id::StorageName(number);
        all.push(Question::text(name, "Name of this kind of volume").sets(format!("storage{number}.name")));
        storage(view, number, all);
        let uses = ["replica", "wal", "pgbackrest", "backup"];
        all.push(purposes(Id::StorageUse(number), "defaults.storage", &uses, view.answer(name)));
    }
}

/// A table that the file doesn't have gets a name, and the default refers to it.
fn named(view: &View<'_>, question: &mut Question, path: &str, default: &str) {
    let name = view.draft.get(path);
    let value = name.clone().unwrap_or_else(|| "standard".to_owned());
    let missing = name.is_none().then_some(path).into_iter();
    let missing = missing.chain((!view.draft.has(default)).then_some(default));
    let always = missing.map(|path| Effect::Always { path: path.to_owned(), value: value.clone() });
    // The name comes first in its table.
    question.effects.splice(0..0, always);
}

/// What something new is used for.
fn purposes(id: Id, table: &str, uses: &[&'static str], name: &str) -> Question {
    let meaning =
        |path: &str| at(path).map_or("", |named| named.setting.meaning.trim()).trim_end_matches('.');
    let mut choices = vec![Choice::new("", "Only what asks for it by its name")];
    choices.extend(uses.iter().map(|one| Choice::new(*one, meaning(&format!("{table}.{one}")))));
    let question = Question::choice(id, "What is it for?", choices).proposing(Some(String::new()));
    uses.iter().fold(question, |question, one| {
        question.with(Effect::When { answer: one, path: format!("{table}.{one}"), value: name.to_owned() })
    })
}

fn storage(view: &View<'_>, number: u32, all: &mut Vec<Question>) {
    let path = |key: &str| format!("storage{number}.{key}");
    all.push(class(view, number));
    let chosen = view.cluster.and_then(|cluster| cluster.class(view.answer(Id::Class(number))));
    let stays = chosen.filter(|class| !class.expands);
    all.push(
        Question::text(Id::Size(number), "Size of a volume")
            .sets(path("size"))
            .hint(stays.map(|class| {
                format!("Volumes of the class {} can't grow: this size is for good.", class.name)
            }))
            .proposing(view.propose(&path("size"), Some("10Gi"))),
    );
    all.push(
        Question::choice(Id::AccessMode(number), "Access to a volume", values("storage<ID>.access_mode"))
            .sets(path("access_mode"))
            .proposing(view.propose(&path("access_mode"), None)),
    );
}

fn class(view: &View<'_>, number: u32) -> Question {
    let (id, title, path) = (Id::Class(number), "Storage class", format!("storage{number}.class"));
    let had = view.draft.get(&path);
    // A storage in the file that names no class means the default one.
    let meant = had.clone().or_else(|| view.draft.has(&format!("storage{number}")).then(String::new));
    let classes = view.cluster.and_then(|cluster| cluster.classes.as_deref().ok());
    let Some(classes) = classes.filter(|classes| !classes.is_empty()) else {
        let none =
            classes.map(|_| "The cluster has no storage class. One has to be there before databases are.");
        let proposal = if none.is_some() { meant } else { meant.or_else(|| Some(String::new())) };
        return Question::text(id, title)
            .optional(true)
            .sets(path)
            .hint(none.map(str::to_owned))
            .proposing(proposal);
    };
    let default = classes.iter().find(|class| class.default);
    let mut choices: Vec<Choice> = default
        .map(|class| Choice::new("", format!("The cluster's default class, now {}", class.told())))
        .into_iter()
        .chain(classes.iter().map(|class| Choice::new(&class.name, class.told())))
        .collect();
    if let Some(meant) = &meant
        && !choices.iter().any(|choice| choice.value == *meant)
    {
        let label = match meant.as_str() {
            "" => "The cluster's default class, which it doesn't have now".to_owned(),
            name => format!("{name}: as the file says; the cluster doesn't have it"),
        };
        choices.push(Choice::new(meant, label));
    }
    let only = || match classes {
        [one] => Some(one.name.clone()),
        _ => None,
    };
    let proposal = meant.or_else(|| default.map(|_| String::new())).or_else(only);
    Question::choice(id, title, choices).sets(path).proposing(proposal)
}

pub(super) fn resources(view: &View<'_>, all: &mut Vec<Question>) {
    let first = referred(view, "resource", "defaults.resources.container");
    let before = all.len();
    resource(view, first, all);
    let ids = [Id::Cpu(first), Id::Memory(first), Id::MemoryLimit(first)];
    let wanted = ids.iter().any(|id| !view.answer(*id).is_empty());
    if let Some(question) = all.get_mut(before).filter(|_| wanted) {
        named(view, question, &format!("resource{first}.name"), "defaults.resources.container");
    }
    for number in free(view, "resource", first) {
        let more = Id::MoreResources(number);
        all.push(
            Question::yes_no(more, "Another set of requests and limits?", false)
                .help("Such as one for large databases. Clusters can ask for it by its name."),
        );
        if view.answer(more) != "yes" {
            break;
        }
        let name = Id::ResourceName(number);
        all.push(Question::text(name, "Name of this set").sets(format!("resource{number}.name")));
        resource(view, number, all);
        let uses = ["pgbouncer", "pgbackrest", "backup", "exporter", "load", "rmdata"];
        all.push(purposes(Id::ResourceUse(number), "defaults.resources", &uses, view.answer(name)));
    }
}

fn resource(view: &View<'_>, number: u32, all: &mut Vec<Question>) {
    for (id, title, key, ours) in [
        (Id::Cpu(number), "CPU for a database", "requests_cpu", "500m"),
        (Id::Memory(number), "Memory for a database", "requests_memory", "512Mi"),
        (Id::MemoryLimit(number), "The most memory for a database", "limits_memory", "1Gi"),
    ] {
        let path = format!("resource{number}.{key}");
        let proposal = view.propose(&path, Some(ours));
        all.push(Question::text(id, title).optional(true).sets(path).proposing(proposal));
    }
}
