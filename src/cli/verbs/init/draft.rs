//! The inventory that is being written: a document whose comments and order stay, and what is wrong with it so far.

use std::{ops::Range, path::Path};

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, TomlError, Value};

use super::list;
use crate::cli::output::wrap;
use crate::inventory::{
    Checked, Code, Given, Level, Mistake, Report,
    catalogue::{self, at},
    setting::Kind,
};

/// What a new file begins with.
const HEAD: &str = "# The inventory of an installation of pgherd, written by `pgherd init`. Edit it by hand, or run that again.\n\
                    # What is not here has its default: `pgherd inventory show` lists everything, `pgherd inventory explain KEY` \
                    explains it.\n";

/// An inventory that may lack much.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    document: DocumentMut,
    /// Whether there was no file before.
    fresh: bool,
}

impl Draft {
    /// One with nothing in it.
    pub(super) fn fresh() -> Self {
        Self { document: DocumentMut::new(), fresh: true }
    }

    /// The text of a file.
    pub(super) fn of(text: &str) -> Result<Self, TomlError> {
        Ok(Self { document: text.parse()?, fresh: false })
    }

    /// Whether there was no file before.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        if self.fresh { format!("{HEAD}{}", self.in_order()) } else { self.document.to_string() }
    }

    /// Where a setting stands.
    fn item(&self, path: &str) -> Option<&Item> {
        let mut item = self.document.as_item();
        for key in keys(path) {
            item = item.as_table_like()?.get(&key)?;
        }
        (!item.is_none()).then_some(item)
    }

    /// Whether a setting or a table is there.
    pub(super) fn has(&self, path: &str) -> bool {
        self.item(path).is_some()
    }

    /// A setting as it would be typed: a list with commas. None when it isn't there, or is a table.
    pub(super) fn get(&self, path: &str) -> Option<String> {
        typed(self.item(path)?.as_value()?)
    }

    /// The keys of a table.
    pub(super) fn keys(&self, path: &str) -> Vec<String> {
        let item = if path.is_empty() { Some(self.document.as_item()) } else { self.item(path) };
        let table = item.and_then(Item::as_table_like);
        table.map(|table| table.iter().map(|(key, _)| key.to_owned()).collect()).unwrap_or_default()
    }

    /// Every setting with its path, in the order of the file.
    pub(super) fn leaves(&self) -> Vec<(String, &Value)> {
        let mut leaves = Vec::new();
        collect(self.document.as_table(), "", &mut leaves);
        leaves
    }

    /// Sets a setting. One that has this value already stays as it is written.
    pub(super) fn set(&mut self, path: &str, value: Value) {
        let fresh = self.fresh;
        let keys = keys(path);
        let Some((last, tables)) = keys.split_last() else { return };
        let mut table: &mut dyn TableLike = self.document.as_table_mut();
        let mut above = String::new();
        let (mut line, mut dotted) = (false, tables.is_empty());
        for key in tables {
            above = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
            if !table.contains_key(key) {
                table.insert(key, Item::Table(empty(&above, fresh)));
            }
            let Some(inner) = table.get_mut(key) else { return };
            line = inner.as_inline_table().is_some_and(|table| !table.to_string().contains('\n'));
            dotted = inner.is_inline_table() || inner.as_table().is_some_and(Table::is_dotted);
            let Some(inner) = inner.as_table_like_mut() else { return };
            table = inner;
        }
        if let Some(old) = table.get_mut(last) {
            if let Some(old) = old.as_value_mut() {
                replace(old, value);
            }
            return;
        }
        table.insert(last, Item::Value(value));
        // Comments can't stand in a table that is written in one line.
        if line {
            table.fmt();
            return;
        }
        let meaning = at(path).filter(|_| !fresh && !dotted && !is_map(path));
        if let (Some(named), Some(mut key)) = (meaning, table.key_mut(last)) {
            key.leaf_decor_mut().set_prefix(comment(named.setting.meaning));
        }
    }

    /// Sets a setting from a text as a flag has it.
    pub(super) fn set_text(&mut self, path: &str, text: &str) {
        let value = at(path).map_or_else(
            || Value::from(text),
            |named| {
                let kind = match named.setting.kind {
                    Kind::Map { value, .. } if is_map(path) => *value,
                    kind => kind,
                };
                parse(text, &kind)
            },
        );
        self.set(path, value);
    }

    /// Takes a setting out, and the tables that are empty then.
    pub(super) fn remove(&mut self, path: &str) {
        let keys = keys(path);
        let Some((last, tables)) = keys.split_last() else { return };
        let mut table: &mut dyn TableLike = self.document.as_table_mut();
        for key in tables {
            let Some(inner) = table.get_mut(key).and_then(Item::as_table_like_mut) else { return };
            table = inner;
        }
        table.remove(last);
        if table.is_empty() && !tables.is_empty() {
            self.remove(&tables.join("."));
        }
    }

    /// A new file has its settings in the order of their description, and each with what it is for.
    fn in_order(&self) -> String {
        let mut leaves = self.leaves();
        let tables = catalogue::tables();
        let table = |path: &str| {
            let key = catalogue::generic(top(path));
            tables.iter().position(|table| table.key == key)
        };
        let number = |path: &str| top(path).trim_start_matches(char::is_alphabetic).parse::<u32>().ok();
        let setting = |path: &str| {
            let named = at(path).map(|named| named.path.as_str());
            catalogue::all().iter().position(|other| Some(other.path.as_str()) == named)
        };
        leaves.sort_by_key(|(path, _)| (table(path), number(path), setting(path)));
        let mut ordered = Self { document: DocumentMut::new(), fresh: false };
        for (path, value) in leaves {
            ordered.set(&path, value.clone());
        }
        ordered.document.to_string()
    }

    /// The whole check, with everything that `inventory check` would say.
    pub(super) fn check(&self, file: &Path, given: &[Given]) -> Result<Checked, Report> {
        let folder = file.parent().unwrap_or(Path::new(""));
        Checked::parse(&file.display().to_string(), &self.text(), given, Some(folder))
    }

    /// What is wrong or odd with some settings, as far as that can be said before everything else is there.
    pub(super) fn mistakes(&self, paths: &[&str], file: &Path) -> Vec<Mistake> {
        let text = self.text();
        let spans: Vec<Range<usize>> = paths.iter().flat_map(|path| spans(&text, path)).collect();
        let report = match self.check(file, &[]) {
            Ok(checked) => checked.warnings,
            Err(report) => report,
        };
        let here = |mistake: &&Mistake| {
            let places = std::iter::once(&mistake.place).chain(&mistake.related);
            places.into_iter().any(|place| {
                place.source == 0
                    && spans.iter().any(|span| place.span.start < span.end && span.start < place.span.end)
            })
        };
        report.mistakes().iter().filter(|mistake| !premature(mistake.code)).filter(here).cloned().collect()
    }
}

/// Whether a mistake is one because not everything is there yet.
pub(super) fn premature(code: Code) -> bool {
    matches!(
        code,
        Code::MissingKey
            | Code::Incomplete
            | Code::UnknownStorage
            | Code::UnknownResource
            | Code::VersionWithoutImage
            | Code::Unused
            | Code::NoEffect
    )
}

/// A mistake in one line.
pub(super) fn told(mistake: &Mistake) -> String {
    let Mistake { code, message, label, .. } = mistake;
    let level = match code.level() {
        Level::Error => "",
        Level::Warning => "warning: ",
    };
    format!("{level}{message}: {label} [{}]", code.id())
}

fn top(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// Whether the last key of a path is one of a table whose keys are not settings.
fn is_map(path: &str) -> bool {
    at(path).is_some_and(|named| named.path != catalogue::generic(path))
}

/// The keys of a path. Those of a map may have dots in them.
fn keys(path: &str) -> Vec<String> {
    let split = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    match at(path) {
        Some(named) if is_map(path) => {
            let key = path.get(named.path.len() + 1..).unwrap_or_default();
            split(&named.path).into_iter().chain([key.to_owned()]).collect()
        }
        _ => split(path),
    }
}

/// What something is for, above it.
fn comment(meaning: &str) -> String {
    format!("# {}\n", wrap(meaning, 116).join("\n# "))
}

/// A table with what it is for above it.
fn empty(path: &str, fresh: bool) -> Table {
    let mut table = Table::new();
    // `[defaults]` needs no line when only `[defaults.storage]` has something in it.
    table.set_implicit(true);
    if let Some(named) = at(path).filter(|_| !fresh) {
        table.decor_mut().set_prefix(format!("\n{}", comment(named.setting.meaning)));
    }
    table
}

fn replace(old: &mut Value, new: Value) {
    if typed(old).is_some_and(|text| Some(text) == typed(&new)) && old.type_name() == new.type_name() {
        return;
    }
    if let (Some(old), Some(new)) = (old.as_array_mut(), new.as_array()) {
        return list::refill(old, new);
    }
    let decor = old.decor().clone();
    *old = new;
    *old.decor_mut() = decor;
}

/// A value as it would be typed: a list with commas.
pub(super) fn typed(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(flag) => Some(flag.value().to_string()),
        Value::Array(items) => Some(items.iter().map(typed).collect::<Option<Vec<_>>>()?.join(", ")),
        Value::InlineTable(table) => Some(table.to_string().trim().to_owned()),
        Value::Float(_) | Value::Datetime(_) => None,
    }
}

/// A typed text as the value of a setting. What can't be one is a text, which the check then refuses.
pub(super) fn parse(text: &str, kind: &Kind) -> Value {
    let plain = || Value::from(text);
    match kind {
        Kind::Text { .. } | Kind::Choice(_) => plain(),
        Kind::Secret if !text.trim_start().starts_with('{') => plain(),
        Kind::List(inner) if !text.trim_start().starts_with('[') => {
            let items = text.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| parse(item, inner)).collect())
        }
        _ => text.trim().parse().unwrap_or_else(|_| plain()),
    }
}

/// `{ file = "…" }` or `{ env = "…" }`.
pub(super) fn secret(key: &str, place: &str) -> Value {
    let mut table = InlineTable::new();
    table.insert(key, place.into());
    Value::InlineTable(table)
}

/// Where a setting stands in a text: its key, and its value.
fn spans(text: &str, path: &str) -> Vec<Range<usize>> {
    let Ok(document) = toml_edit::Document::parse(text) else { return Vec::new() };
    let mut item = document.as_item();
    let mut found = Vec::new();
    for key in keys(path) {
        let Some((name, inner)) = item.as_table_like().and_then(|table| table.get_key_value(&key)) else {
            return Vec::new();
        };
        found = name.span().into_iter().chain(inner.span()).collect();
        item = inner;
    }
    found
}

/// Every value with its path.
fn collect<'t>(table: &'t dyn TableLike, prefix: &str, leaves: &mut Vec<(String, &'t Value)>) {
    for (key, item) in table.iter() {
        let path = format!("{prefix}{key}");
        match item {
            Item::Value(value) => leaves.push((path, value)),
            item => {
                if let Some(inner) = item.as_table_like() {
                    collect(inner, &format!("{path}."), leaves);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
