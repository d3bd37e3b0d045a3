//! Reads typed values out of a table and notes every mistake at its place, instead of stopping at the first.

use std::{cell::RefCell, collections::BTreeMap};

use toml::de::{DeTable, DeValue};

use super::{
    code::Code,
    notes::Notes,
    source::{At, Place},
    value::{Found, Value, nearest},
};

/// A value that a flag or a variable sets.
pub(super) struct Override<'a> {
    pub(super) value: DeValue<'a>,
    pub(super) place: Place,
}

/// What reading needs everywhere.
pub(super) struct Reading<'a> {
    pub(super) notes: &'a Notes,
    /// By the paths of their settings.
    pub(super) overrides: &'a BTreeMap<String, Override<'a>>,
}

/// A table being read. Keys that nobody asked for are mistakes once [`Section::finish`] is called.
pub(super) struct Section<'a> {
    /// None when the file doesn't have it.
    table: Option<&'a DeTable<'a>>,
    /// The path in front of this table's keys, with a dot at its end; empty at the top.
    prefix: String,
    /// Where to point when something is missing here.
    place: Place,
    reading: &'a Reading<'a>,
    known: RefCell<Vec<String>>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn top(table: &'a DeTable<'a>, end: Place, reading: &'a Reading<'a>) -> Self {
        Self { table: Some(table), prefix: String::new(), place: end, reading, known: RefCell::default() }
    }

    pub(super) fn notes(&self) -> &'a Notes {
        self.reading.notes
    }

    /// The path of a key here.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Where the table stands.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn has(&self, key: &str) -> bool {
        let set = |path: &str| {
            self.reading.overrides.keys().any(|key| {
                key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.table.is_some_and(|table| table.contains_key(key)) || set(&self.path(key))
    }

    fn entry(&self, key: &str) -> Option<(&'a DeValue<'a>, Place, Place)> {
        let (name, value) = self.table?.get_key_value(key)?;
        let place = |span| Place { source: 0, span };
        Some((value.get_ref(), place(name.span()), place(value.span())))
    }

    /// The keys there are, with their places, in the order of the file.
    pub(super) fn keys(&self) -> Vec<At<String>> {
        let mut keys: Vec<_> = (self.table.into_iter().flatten())
            .map(|(key, _)| At {
                value: key.get_ref().to_string(),
                place: Place { source: 0, span: key.span() },
            })
            .collect();
        for (path, set) in self.reading.overrides {
            let Some(rest) = path.strip_prefix(&self.prefix) else { continue };
            let key = rest.split('.').next().unwrap_or(rest);
            if !keys.iter().any(|known| known.value == key) {
                keys.push(At { value: key.to_owned(), place: set.place.clone() });
            }
        }
        keys.sort_by_key(|key| key.place.order());
        keys
    }

    /// A value, when there is one and it is right.
    pub(super) fn value<T: Value>(&self, key: &str) -> Option<At<T>> {
        self.known.borrow_mut().push(key.to_owned());
        let path = self.path(key);
        let overrides = self.reading.overrides;
        // A map's keys can be set one by one.
        let below = format!("{path}.");
        let entries: Vec<_> =
            overrides.iter().filter_map(|(path, set)| Some((path.strip_prefix(&below)?, set))).collect();
        let nothing = DeValue::Table(DeTable::new());
        let (value, place, exact) = match (overrides.get(&path), self.entry(key), entries.first()) {
            (Some(set), ..) => (&set.value, set.place.clone(), false),
            (None, Some((value, _, place)), _) => (value, place, true),
            (None, None, Some((_, set))) => (&nothing, set.place.clone(), false),
            (None, None, None) => return None,
        };
        let found = Found { path: &path, value, place: place.clone(), exact, entries: &entries };
        let read = T::read(&found, self.notes());
        if read.is_none() {
            self.notes().wrong(&path);
        }
        Some(At { value: read?, place })
    }

    /// A value that has to be there.
    pub(super) fn required<T: Value>(&self, key: &str) -> Option<At<T>> {
        let value = self.value(key);
        // A value that is there but wrong has its own note.
        if value.is_none() && !self.has(key) {
            let message = format!("{} is missing", self.path(key));
            let label = match self.table {
                Some(_) => format!("`{key} = …` has to be in this table"),
                None => format!(
                    "a table [{}] with `{key} = …` has to be in this file",
                    self.prefix.trim_end_matches('.')
                ),
            };
            self.notes().add(Code::MissingKey, self.place.clone(), message, label);
        }
        value
    }

    /// A table in this one, which may be one that the file doesn't have.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        self.known.borrow_mut().push(key.to_owned());
        let mut section = Self {
            table: None,
            prefix: format!("{}.", self.path(key)),
            place: self.place.clone(),
            reading: self.reading,
            known: RefCell::default(),
        };
        if let Some((value, name, place)) = self.entry(key) {
            // A table written as a header has its header's place, which is better to point at than its contents.
            section.place = name;
            section.table = value.as_table();
            if section.table.is_none() {
                let path = self.path(key);
                Found { path: &path, value, place, exact: true, entries: &[] }
                    .wrong_type("a table", self.notes());
            }
        }
        section
    }

    /// Says that a key is one of this table's without reading it, so that a misspelt one finds it.
    pub(super) fn know(&self, key: &str) {
        self.known.borrow_mut().push(key.to_owned());
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for key in self.keys() {
            if known.contains(&key.value) {
                continue;
            }
            let label = nearest(&key.value, known.iter().map(String::as_str))
                .map_or_else(|| elsewhere(&key.value, &known), |near| format!("did you mean `{near}`?"));
            let message = format!("there is no setting {}", self.path(&key.value));
            self.notes().add(Code::UnknownKey, key.place, message, label);
        }
    }
}

/// What to say of a key that resembles none here: it may be another table's, or one of the 4.x installer.
fn elsewhere(key: &str, known: &[String]) -> String {
    let all = super::catalogue::all();
    let mut places = all.iter().filter(|named| {
        !matches!(named.setting.kind, super::setting::Kind::Table(_))
            && (named.setting.key == key || named.setting.old.contains(&key))
    });
    match (places.next(), places.next()) {
        (Some(place), None) => format!("did you mean `{}`?", place.path),
        _ => format!("possible here: {}", known.join(", ")),
    }
}
