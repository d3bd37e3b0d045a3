//! The numbered settings: `storageN_…` and `resourceN_…`, with gaps and in any order.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use super::{
    forms::{self, Converted},
    keys::{self, Block, Known},
    setting::Setting,
    work::{CORRECT, Outcome, Work},
};
use crate::domain::{names::SettingName, quantity::Quantity};

/// The old installer looked at numbers up to this one.
const MOST: u32 = 49;

/// What storages and resources are called now.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) storages: Table,
    pub(super) resources: Table,
}

/// The names of one kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// From the old name to the new one.
    names: BTreeMap<String, String>,
    highest: u32,
}

impl Table {
    /// The new name that an old one refers to.
    pub(super) fn follow(&self, name: &str, kind: &str) -> Result<Converted, String> {
        match self.names.get(name) {
            Some(new) if new == name => Ok(Value::String(new.clone()).into()),
            Some(new) => Ok(Converted {
                value: Some(Value::String(new.clone())),
                note: Some(format!("the {kind} has another name now")),
                changed: false,
            }),
            None if self.names.is_empty() => {
                Err(format!("no {kind} is called \"{name}\"; there is none at all"))
            }
            None => {
                let names: Vec<&str> = self.names.keys().map(String::as_str).collect();
                Err(format!("no {kind} is called \"{name}\"; there is {}", names.join(", ")))
            }
        }
    }

    /// A name that isn't taken.
    fn free(&self, wanted: &str) -> String {
        let taken = |name: &String| self.names.values().any(|other| other == name);
        let mut name = wanted.to_owned();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{wanted}-{count}");
        }
        name
    }

    /// The number and the name of one more.
    pub(super) fn generate(&mut self, wanted: &str) -> (u32, String) {
        self.highest += 1;
        let name = self.free(wanted);
        // No old name is like this, so that no reference finds it.
        self.names.insert(format!("{name} (generated)"), name.clone());
        (self.highest, name)
    }
}

/// One numbered block, taken out of the settings.
struct Taken {
    block: Block,
    number: u32,
    parts: BTreeMap<&'static str, (Known, Setting)>,
}

impl Taken {
    fn path(&self, part: &str) -> String {
        format!("{}{}.{part}", self.block.word(), self.number)
    }

    /// Reads a part and writes it. Returns the value that was written.
    fn part(
        &mut self,
        work: &mut Work<'_>,
        part: &str,
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Option<Value> {
        self.part_with(work, part, None, read)
    }

    fn part_with(
        &mut self,
        work: &mut Work<'_>,
        part: &str,
        changed: Option<String>,
        read: impl FnOnce(&str) -> Result<Value, String>,
    ) -> Option<Value> {
        let (known, setting) = self.parts.remove(part)?;
        let path = self.path(part);
        let text = work.text(&setting, &path, keys::Form::Part)?;
        let text = text.trim();
        if text.is_empty() {
            let note = Some("it is empty, so nothing is written".to_owned());
            work.record(&known, &setting, Outcome { note, ..Outcome::default() });
            return None;
        }
        match read(text) {
            Err(why) => {
                work.problem(&setting, Some(&path), why, CORRECT);
                None
            }
            Ok(value) => {
                let origin = work.origin(&setting);
                work.document.set(&path, value.clone(), &origin);
                let now = Some(value.to_string());
                work.record(
                    &known,
                    &setting,
                    Outcome { now, changed: changed.is_some(), note: changed, to: None },
                );
                Some(value)
            }
        }
    }

    /// Leaves out what is left of it.
    fn drop(self, work: &mut Work<'_>, why: &str) {
        for (_, setting) in self.parts.into_values() {
            work.drop(&setting, why);
        }
    }

    fn drop_part(&mut self, work: &mut Work<'_>, part: &str, why: &str) {
        if let Some((_, setting)) = self.parts.remove(part) {
            work.drop(&setting, why);
        }
    }

    /// The text of a part that stays where it is.
    fn peek(&self, work: &mut Work<'_>, part: &str) -> Option<String> {
        let (_, setting) = self.parts.get(part)?;
        work.chosen
            .read(setting, false)
            .ok()
            .map(|text| text.text.trim().to_owned())
            .filter(|text| !text.is_empty())
    }
}

/// Converts all of them.
pub(super) fn all(work: &mut Work<'_>) -> Names {
    let found: BTreeSet<(Block, u32)> = work.chosen.keys().filter_map(|key| keys::find(key)?.block).collect();
    let mut names = Names::default();
    for (block, number) in found {
        let mut taken = Taken { block, number, parts: BTreeMap::new() };
        for key in block.keys() {
            if let Some(setting) = work.chosen.take(&format!("{}{number}_{}", block.word(), key.name)) {
                taken.parts.insert(key.name, (Known { key, block: Some((block, number)) }, setting));
            }
        }
        let table = match block {
            Block::Storage => &mut names.storages,
            Block::Resource => &mut names.resources,
        };
        table.highest = table.highest.max(number);
        convert(work, taken, table);
    }
    names
}

fn convert(work: &mut Work<'_>, mut taken: Taken, table: &mut Table) {
    if taken.number == 0 {
        return taken.drop(work, "PGO counted from 1");
    }
    if !name(work, &mut taken, table) {
        return;
    }
    match taken.block {
        Block::Storage => storage(work, taken),
        Block::Resource => resource(work, taken),
    }
}

/// Reads the name. False when the block was dealt with.
fn name(work: &mut Work<'_>, taken: &mut Taken, table: &mut Table) -> bool {
    let numbered = format!("{}{}", taken.block.word(), taken.number);
    let rest = |taken: &mut Taken| Taken {
        block: taken.block,
        number: taken.number,
        parts: std::mem::take(&mut taken.parts),
    };
    let Some((known, setting)) = taken.parts.remove("name") else {
        // 4.0 had no names: the settings that choose a storage have its number.
        let chosen = ["primary", "replica", "backrest", "backup", "wal", "pgadmin"]
            .iter()
            .any(|purpose| work.chosen.written(&format!("{purpose}_storage")) == Some(numbered.as_str()));
        if taken.block == Block::Storage && (chosen || work.release.is_some_and(|release| release.minor == 0))
        {
            table.names.insert(numbered.clone(), numbered.clone());
            work.add(
                &format!("{numbered}.name"),
                numbered.clone().into(),
                "4.0 called storages by their numbers",
            );
            return true;
        }
        rest(taken).drop(work, &format!("PGO ignores a {} without a name", taken.block.word()));
        return false;
    };
    let path = taken.path("name");
    let Some(old) = work.text(&setting, &path, keys::Form::Part) else {
        rest(taken).drop(work, "its name can't be read");
        return false;
    };
    let old = old.trim().to_owned();
    if old.is_empty() {
        work.record(&known, &setting, Outcome { note: Some("it is empty".to_owned()), ..Outcome::default() });
        rest(taken).drop(work, &format!("PGO ignores a {} without a name", taken.block.word()));
        return false;
    }
    if table.names.contains_key(&old) {
        let why = format!("another {} is called \"{old}\" too", taken.block.word());
        work.problem(&setting, Some(&path), why, "Give each a name of its own, or remove one of them.");
        rest(taken).drop(work, "another one has its name");
        return false;
    }
    let Some(new) = proper(&old).map(|name| table.free(&name)) else {
        let why = format!("\"{old}\" has no letter or digit that a name can be made of");
        work.problem(&setting, Some(&path), why, CORRECT);
        rest(taken).drop(work, "its name can't be carried over");
        return false;
    };
    let mut notes = Vec::new();
    if new != old {
        notes.push(
            "names consist of lowercase letters, digits and \"-\"; what refers to it follows".to_owned(),
        );
    }
    if taken.number > MOST {
        notes.push(format!("PGO looked at numbers up to {MOST} only, and now it counts"));
    }
    let origin = work.origin(&setting);
    work.document.set(&path, new.clone().into(), &origin);
    let changed = !notes.is_empty();
    let note = changed.then(|| notes.join("; "));
    work.record(
        &known,
        &setting,
        Outcome { to: None, now: Some(Value::from(new.clone()).to_string()), note, changed },
    );
    table.names.insert(old, new);
    true
}

/// The nearest name that pgherd accepts.
fn proper(old: &str) -> Option<String> {
    let letters: String = old
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .take(60)
        .collect();
    let name = letters.trim_matches('-').to_owned();
    name.parse::<SettingName>().is_ok().then_some(name)
}

fn storage(work: &mut Work<'_>, mut taken: Taken) {
    let kind = taken.peek(work, "type");
    let labelled = taken.peek(work, "match_labels").is_some();
    let create = kind.as_deref() == Some("create");
    let fixed = create && labelled;
    let changed = match (create, labelled) {
        (true, true) => Some("claims name no class and choose among existing volumes by label".to_owned()),
        (true, false) => Some(
            "claims name no class, so the cluster's default class makes the volumes if there is one"
                .to_owned(),
        ),
        _ => None,
    };
    taken.part_with(work, "type", changed, |text| match text {
        "create" if fixed => Ok("static".into()),
        "create" | "dynamic" => Ok("dynamic".into()),
        _ => Err(format!("\"{text}\" is none of create, dynamic")),
    });
    if create {
        taken.drop_part(work, "class", "a volume of the type create never had a class");
    } else {
        taken.drop_part(work, "match_labels", "PGO looked at it for the type create only");
    }
    taken.part(work, "class", |text| {
        forms::convert(keys::Form::Object, text)
            .map(|converted| converted.value.unwrap_or_else(|| text.into()))
    });
    taken.part(work, "access_mode", |text| {
        forms::choice(text, &["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]).map(Value::from)
    });
    if taken.parts.contains_key("size") {
        taken.part(work, "size", size);
    } else {
        let number = taken.number;
        let why = "every storage has a size, and this one has none";
        let advice = "Write it into the old file, or leave the storage out there.";
        work.missing(&format!("storage{number}_size"), &format!("storage{number}.size"), why, advice);
    }
    taken.part(work, "fs_group", group);
    taken.part(work, "supplemental_groups", groups);
    taken.part(work, "match_labels", labels);
}

fn resource(work: &mut Work<'_>, mut taken: Taken) {
    for unit in ["memory", "cpu"] {
        let read = |text: &str| forms::quantity(text).map(|quantity| Value::from(quantity.as_str()));
        let request = taken.part(work, &format!("requests_{unit}"), read);
        let request = request.as_ref().and_then(Value::as_str).and_then(|text| text.parse::<Quantity>().ok());
        taken.part(work, &format!("limits_{unit}"), |text| {
            let limit = forms::quantity(text)?;
            match request {
                Some(request) if limit < request => {
                    Err(format!("the limit {limit} is below the request {request}"))
                }
                _ => Ok(limit.as_str().into()),
            }
        });
    }
}

/// The size of a volume.
pub(super) fn size(text: &str) -> Result<Value, String> {
    let quantity = forms::quantity(text)?;
    if quantity.as_bytes().is_ok_and(|bytes| bytes < 1 << 20) {
        return Err(format!("\"{text}\" is too small for a volume; is a unit missing, such as Gi?"));
    }
    Ok(quantity.as_str().into())
}

/// The number of a group.
pub(super) fn group(text: &str) -> Result<Value, String> {
    forms::number(text, 0, i64::from(i32::MAX)).map(Value::Integer)
}

/// Numbers of groups with commas between.
pub(super) fn groups(text: &str) -> Result<Value, String> {
    let mut groups: Vec<Value> = Vec::new();
    for item in forms::items(text) {
        let group = group(item)?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(Value::Array(groups))
}

/// Labels, `key=value` with commas between.
fn labels(text: &str) -> Result<Value, String> {
    let mut labels = toml::Table::new();
    for item in forms::items(text) {
        let (key, value) = item.split_once('=').ok_or_else(|| format!("\"{item}\" is no key=value"))?;
        let (key, value) = (key.trim(), value.trim());
        if !is_label(key.rsplit('/').next().unwrap_or_default())
            || value.len() > 63
            || !(value.is_empty() || is_label(value))
        {
            return Err(format!("\"{item}\" is no label"));
        }
        labels.insert(key.to_owned(), value.into());
    }
    Ok(Value::Table(labels))
}

fn is_label(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric();
    text.len() <= 63
        && text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|letter| plain(letter) || matches!(letter, '-' | '_' | '.'))
}
