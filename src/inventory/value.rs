//! Types that the value of a setting can have: how each is read, described, and written again.

use std::{collections::BTreeMap, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use super::{
    code::Code,
    notes::Notes,
    section::Override,
    setting::Kind,
    source::{At, Place},
};

/// A value as found, and what it was found for.
pub(super) struct Found<'a> {
    /// The setting's path.
    pub(super) path: &'a str,
    pub(super) value: &'a DeValue<'a>,
    pub(super) place: Place,
    /// Whether places inside the value are places of the source; not so for a flag, whose value is a part of it.
    pub(super) exact: bool,
    /// Keys of a map that flags or variables set one by one. They win over what the value has.
    pub(super) entries: &'a [(&'a str, &'a Override<'a>)],
}

impl Found<'_> {
    /// An element of this value.
    pub(super) fn inside<'b>(&'b self, value: &'b DeValue<'b>, span: Range<usize>) -> Found<'b> {
        let place = if self.exact { Place { source: self.place.source, span } } else { self.place.clone() };
        Found { path: self.path, value, place, exact: self.exact, entries: &[] }
    }

    pub(super) fn wrong_type(&self, wanted: &str, notes: &Notes) {
        let message = format!("{} is {wanted}", self.path);
        notes.add(Code::WrongType, self.place.clone(), message, format!("this is {}", kind(self.value)));
    }

    /// The value as a text.
    pub(super) fn text(&self, notes: &Notes) -> Option<&str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a text in quotes", notes);
        }
        text
    }

    /// A text that has to parse.
    pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, code: Code, notes: &Notes) -> Option<T> {
        let text = self.text(notes)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("{} can't be \"{text}\"", self.path);
                notes.add(code, self.place.clone(), message, T::Err::to_string(&error));
                None
            }
        }
    }
}

/// A type of values. What `read` accepts, `written` gives back.
pub(super) trait Value: Sized + Clone + Serialize {
    /// What it is, for help, schema and reference.
    const KIND: Kind;

    /// Reads a value, and notes what is wrong with it when nothing is returned.
    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self>;

    /// The value as TOML, without secrets.
    fn written(&self) -> String {
        toml::Value::try_from(self).map(|value| value.to_string()).unwrap_or_default()
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Bool;

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        let value = found.value.as_bool();
        if value.is_none() {
            found.wrong_type("true or false", notes);
        }
        value
    }
}

/// A whole number within bounds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Within<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Within<LEAST, MOST> {
    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number, when it is within the bounds.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (LEAST..=MOST).contains(&number).then_some(Self(number))
    }
}

/// A TCP port.
pub type Port = Within<1, 65_535>;
/// The number of a group of the operating system.
pub type GroupId = Within<0, 2_147_483_647>;
/// A major version of PostgreSQL. Beyond these is a slip of the finger.
pub type PostgresVersion = Within<10, 99>;

impl<const LEAST: u32, const MOST: u32> Value for Within<LEAST, MOST> {
    const KIND: Kind = Kind::Integer { least: LEAST, most: MOST };

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        let Some(integer) = found.value.as_integer() else {
            found.wrong_type("a whole number", notes);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = number.and_then(|number| u32::try_from(number).ok()).and_then(Self::new);
        if value.is_none() {
            let message = format!("{} can't be {}", found.path, integer.as_str());
            notes.add(Code::Range, found.place.clone(), message, format!("from {LEAST} to {MOST}"));
        }
        value
    }
}

/// A list keeps where each of its elements stands only while it is read; what is compared later is compared by value.
impl<T: Value> Value for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        let Some(items) = found.value.as_array() else {
            found.wrong_type("a list", notes);
            return None;
        };
        let mut seen: Vec<(String, Place)> = Vec::new();
        let mut values = Self::new();
        let mut whole = true;
        for item in items {
            let inside = found.inside(item.get_ref(), item.span());
            let Some(value) = T::read(&inside, notes) else {
                whole = false;
                continue;
            };
            let written = value.written();
            match seen.iter().find(|(text, _)| *text == written) {
                Some((_, first)) => notes.push(super::report::Mistake {
                    code: Code::Duplicate,
                    message: format!("{} has {written} twice", found.path),
                    place: inside.place.clone(),
                    label: "again".to_owned(),
                    related: Some(first.clone()),
                }),
                None => seen.push((written, inside.place.clone())),
            }
            values.push(value);
        }
        whole.then_some(values)
    }
}

/// A key of a table whose keys are not settings.
pub(super) trait Key: Ord + Clone + Serialize {
    /// What it is, for help.
    const WHAT: &'static str;

    fn read(key: &At<String>, path: &str, notes: &Notes) -> Option<Self>;
}

impl Key for String {
    const WHAT: &'static str = "a text";

    fn read(key: &At<String>, _: &str, _: &Notes) -> Option<Self> {
        Some(key.value.clone())
    }
}

/// A major version of PostgreSQL as a key, which in TOML is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Major(u16);

impl Major {
    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Serialize for Major {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Key for Major {
    const WHAT: &'static str = "a major version of PostgreSQL, such as 17";

    fn read(key: &At<String>, path: &str, notes: &Notes) -> Option<Self> {
        // Written differently, one version could be there twice.
        let plain = key.value.bytes().all(|byte| byte.is_ascii_digit()) && !key.value.starts_with('0');
        let version = key.value.parse().ok().filter(|_| plain).and_then(PostgresVersion::new);
        if version.is_none() {
            let message = format!("{path}.{} is no major version of PostgreSQL", key.value);
            notes.add(Code::Range, key.place.clone(), message, "a whole number such as 17");
        }
        version.and_then(|version| u16::try_from(version.get()).ok()).map(Self)
    }
}

impl<K: Key, T: Value> Value for BTreeMap<K, T> {
    const KIND: Kind = Kind::Map { key: K::WHAT, value: &T::KIND };

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        let Some(table) = found.value.as_table() else {
            found.wrong_type("a table", notes);
            return None;
        };
        let mut values = Self::new();
        let mut whole = true;
        let mut read = |key: At<String>, inside: Found<'_>| {
            let path = format!("{}.{}", found.path, key.value);
            let inside = Found { path: &path, ..inside };
            match (K::read(&key, found.path, notes), T::read(&inside, notes)) {
                (Some(key), Some(value)) => {
                    values.insert(key, value);
                }
                _ => whole = false,
            }
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if !found.entries.iter().any(|(entry, _)| *entry == name) {
                let place = found.inside(value.get_ref(), key.span()).place;
                read(At { value: name, place }, found.inside(value.get_ref(), value.span()));
            }
        }
        for (key, Override { value, place }) in found.entries {
            let key = At { value: (*key).to_owned(), place: place.clone() };
            read(key, Found { path: found.path, value, place: place.clone(), exact: false, entries: &[] });
        }
        whole.then_some(values)
    }
}

/// Makes types that parse from a text into values.
macro_rules! text_values {
    ($($type:ty: $code:ident, $what:literal, $example:literal;)*) => {$(
        impl $crate::inventory::value::Value for $type {
            const KIND: $crate::inventory::setting::Kind =
                $crate::inventory::setting::Kind::Text { what: $what, example: $example };

            fn read(
                found: &$crate::inventory::value::Found<'_>,
                notes: &$crate::inventory::notes::Notes,
            ) -> Option<Self> {
                found.parsed($crate::inventory::code::Code::$code, notes)
            }
        }
    )*};
}
pub(super) use text_values;

/// Makes an enum whose variants are the values of a setting, and reads it.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        $type:ident { $($(#[doc = $meaning:literal])* $variant:ident = $text:literal $($default:ident)?,)* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, strum::IntoStaticStr, strum::EnumString)]
        pub enum $type {
            $($(#[doc = $meaning])* $(#[$default])? #[serde(rename = $text)] #[strum(serialize = $text)] $variant,)*
        }

        impl $type {
            /// The value as it is written.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl $crate::inventory::value::Value for $type {
            const KIND: $crate::inventory::setting::Kind =
                $crate::inventory::setting::Kind::Choice(&[$(($text, concat!($($meaning),*))),*]);

            fn read(
                found: &$crate::inventory::value::Found<'_>,
                notes: &$crate::inventory::notes::Notes,
            ) -> Option<Self> {
                $crate::inventory::value::choose(found, &[$(($text, Self::$variant)),*], notes)
            }
        }
    };
}
pub(super) use choice;

/// A text that is one of a few.
pub(super) fn choose<T: Copy>(found: &Found<'_>, choices: &[(&str, T)], notes: &Notes) -> Option<T> {
    let text = found.text(notes)?;
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Some(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let label = nearest(text, names.iter().copied())
        .map_or_else(|| format!("one of {}", names.join(", ")), |near| format!("did you mean \"{near}\"?"));
    notes.add(Code::Choice, found.place.clone(), format!("{} can't be \"{text}\"", found.path), label);
    None
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
    let text = text.to_lowercase();
    possible
        .map(|candidate| (strsim::damerau_levenshtein(&text, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(text.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
