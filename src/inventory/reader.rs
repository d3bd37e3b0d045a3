//! Reads typed values out of a TOML tree and notes every mistake at its place, instead of stopping at the first.

use std::{cell::RefCell, ops::Range, str::FromStr};

use toml::de::{DeTable, DeValue};

use super::{code::Code, report::Mistake};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<Vec<Mistake>>);

impl Notes {
    pub(super) fn add(&self, code: Code, span: Range<usize>, message: String, label: impl Into<String>) {
        self.push(Mistake { code, message, span, label: label.into(), related: None });
    }

    pub(super) fn push(&self, mistake: Mistake) {
        self.0.borrow_mut().push(mistake);
    }

    pub(super) fn into_inner(self) -> Vec<Mistake> {
        self.0.into_inner()
    }
}

/// A table being read. Keys that nobody asked for are mistakes once [`Section::finish`] is called.
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    /// The path in front of this table's keys, with a dot at its end; empty at the top.
    prefix: String,
    /// Where to point when something is missing here.
    pub(super) span: Range<usize>,
    notes: &'a Notes,
    known: RefCell<Vec<String>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(table: &'a DeTable<'a>, prefix: &str, span: Range<usize>, notes: &'a Notes) -> Self {
        Self { table, prefix: prefix.to_owned(), span, notes, known: RefCell::default() }
    }

    fn get(&self, key: &str) -> Option<At<&'a DeValue<'a>>> {
        self.known.borrow_mut().push(key.to_owned());
        let (_, value) = self.table.iter().find(|(found, _)| found.get_ref() == key)?;
        Some(At { value: value.get_ref(), span: value.span() })
    }

    fn wrong_type(&self, key: &str, wanted: &str, found: &At<&DeValue<'_>>) {
        let message = format!("{}{key} is {wanted}", self.prefix);
        let label = format!("this is {}", kind(found.value));
        self.notes.add(Code::WrongType, found.span.clone(), message, label);
    }

    /// The keys there are, with their places.
    pub(super) fn keys(&self) -> Vec<At<String>> {
        let mut keys: Vec<_> = (self.table.iter())
            .map(|(key, _)| At { value: key.get_ref().to_string(), span: key.span() })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    pub(super) fn text(&self, key: &str) -> Option<At<String>> {
        let found = self.get(key)?;
        let Some(text) = found.value.as_str() else {
            self.wrong_type(key, "a text in quotes", &found);
            return None;
        };
        Some(At { value: text.to_owned(), span: found.span })
    }

    /// A text that has to parse.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, key: &str, code: Code) -> Option<At<T>> {
        parse(self.text(key)?, &format!("{}{key}", self.prefix), code, self.notes)
    }

    /// A text that is one of a few.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(At { value: *value, span: text.span });
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let label = nearest(&text.value, names.iter().copied()).map_or_else(
            || format!("one of {}", names.join(", ")),
            |near| format!("did you mean \"{near}\"?"),
        );
        let message = format!("{}{key} can't be \"{}\"", self.prefix, text.value);
        self.notes.add(Code::Choice, text.span, message, label);
        None
    }

    pub(super) fn number(&self, key: &str, range: std::ops::RangeInclusive<u16>) -> Option<At<u16>> {
        let found = self.get(key)?;
        let Some(integer) = found.value.as_integer() else {
            self.wrong_type(key, "a whole number", &found);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value =
            number.and_then(|number| u16::try_from(number).ok()).filter(|number| range.contains(number));
        if value.is_none() {
            let message = format!("{}{key} can't be {}", self.prefix, integer.as_str());
            let label = format!("from {} to {}", range.start(), range.end());
            self.notes.add(Code::Range, found.span.clone(), message, label);
        }
        Some(At { value: value?, span: found.span })
    }

    /// A list of texts that have to parse.
    pub(super) fn list<T: FromStr<Err: std::fmt::Display>>(
        &self,
        key: &str,
        code: Code,
    ) -> Option<At<Vec<At<T>>>> {
        let found = self.get(key)?;
        let Some(items) = found.value.as_array() else {
            self.wrong_type(key, "a list of texts", &found);
            return None;
        };
        let path = format!("{}{key}", self.prefix);
        let mut values = Vec::new();
        for item in items {
            let at = At { value: item.get_ref(), span: item.span() };
            match at.value.as_str() {
                Some(text) => {
                    values.extend(parse(
                        At { value: text.to_owned(), span: at.span },
                        &path,
                        code,
                        self.notes,
                    ));
                }
                None => self.wrong_type(key, "a list of texts", &at),
            }
        }
        Some(At { value: values, span: found.span })
    }

    pub(super) fn section(&self, key: &str) -> Option<Section<'a>> {
        let found = self.get(key)?;
        let Some(table) = found.value.as_table() else {
            self.wrong_type(key, "a table", &found);
            return None;
        };
        // A table written as a header has its header's place, which is better to point at than its contents.
        let header = self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, _)| name.span());
        Some(Section::new(table, &format!("{}{key}.", self.prefix), header.unwrap_or(found.span), self.notes))
    }

    /// Notes that a key has to be there.
    pub(super) fn require<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        // A value that is there but wrong has its own note.
        if value.is_none() && !self.table.iter().any(|(found, _)| found.get_ref() == key) {
            let message = format!("{}{key} is missing", self.prefix);
            let label = if self.prefix.is_empty() {
                format!("a table [{key}] has to be in this file")
            } else {
                format!("`{key} = …` has to be in this table")
            };
            self.notes.add(Code::MissingKey, self.span.clone(), message, label);
        }
        value
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for key in self.keys() {
            if known.contains(&key.value) {
                continue;
            }
            let label = nearest(&key.value, known.iter().map(String::as_str)).map_or_else(
                || format!("possible here: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("there is no setting {}{}", self.prefix, key.value);
            self.notes.add(Code::UnknownKey, key.span, message, label);
        }
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(
    text: At<String>,
    path: &str,
    code: Code,
    notes: &Notes,
) -> Option<At<T>> {
    match text.value.parse() {
        Ok(value) => Some(At { value, span: text.span }),
        Err(error) => {
            notes.add(
                code,
                text.span,
                format!("{path} can't be \"{}\"", text.value),
                T::Err::to_string(&error),
            );
            None
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The nearest spelling among what is possible, when one is near enough to be meant.
pub(super) fn nearest<'n>(text: &str, possible: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    possible
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(text.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
