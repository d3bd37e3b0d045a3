//! Makes a table of settings from one description: the type, its raw form with places, how it is read, and its help.

use super::{
    notes::Notes,
    section::Section,
    setting::{Need, Setting},
    source::{At, Origin, Place, Source},
    value::{Found, Value},
};

/// A table of settings.
pub(super) trait Table: Sized {
    /// The table as written: every value right on its own and with its place, nothing compared with anything else.
    type Raw: RawTable;

    /// Its settings.
    const SETTINGS: &'static [Setting];

    /// Reads the table; what is missing or wrong is noted.
    fn read(section: Section<'_>) -> Self::Raw;

    /// The table with its defaults. None when something that has to be there isn't, which was noted.
    fn complete(raw: Self::Raw) -> Option<Self>;
}

/// A table as written.
pub(super) trait RawTable {
    /// Adds every setting's value and where it came from.
    fn rows(&self, prefix: &str, sources: &[Source], rows: &mut Vec<Row>);
}

/// A setting, its value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The setting's path, such as `storage1.size`.
    pub key: String,
    /// Its value as TOML, secrets hidden. None when it has neither value nor default.
    pub value: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
    /// Where it stands.
    #[serde(skip)]
    pub(super) place: Option<Place>,
    /// What happens without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<&'static str>,
}

pub(super) fn row<T: Value>(key: String, at: Option<&At<T>>, need: Need, sources: &[Source]) -> Row {
    if let Some(At { value, place }) = at {
        let value = Some(value.written());
        return Row {
            key,
            value,
            origin: Origin::of(place, sources),
            place: Some(place.clone()),
            without: None,
        };
    }
    let (value, without) = match need {
        Need::Default(value) => (Some(value.to_owned()), None),
        Need::Optional(without) => (None, Some(without)),
        Need::Required => (None, None),
    };
    Row { key, value, origin: Origin::Default, place: None, without }
}

/// A default, read as if it stood in the file. A test reads every one of them.
pub(super) fn default<T: Value>(text: &str) -> Option<T> {
    let value = toml::de::DeValue::parse(text).ok()?;
    let place = Place { source: 0, span: 0..0 };
    T::read(
        &Found { path: "default", value: value.get_ref(), place, exact: false, entries: &[] },
        &Notes::default(),
    )
}

/// Describes a table: `key: [required] Type`, `key: [optional "what happens without it"] Type`, `key: [default "TOML"] Type`, or
/// `key: [table] Type`, each with what the 4.x installer called it. `inert` marks what nothing reads yet.
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $model:ident / $raw:ident {
            $(
                $(#[doc = $doc:literal])*
                $key:ident: [$need:ident $($argument:literal)?] $type:ty, old [$($old:literal),*] $(, $inert:ident)?;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        pub struct $model {
            $($(#[doc = $doc])* #[serde(skip_serializing_if = "crate::inventory::table::is_nothing")] pub $key: settings!(@model $need $type),)*
        }

        #[derive(Debug)]
        pub(in crate::inventory) struct $raw {
            $(pub(in crate::inventory) $key: settings!(@raw $need $type),)*
        }

        impl $crate::inventory::table::Table for $model {
            type Raw = $raw;

            const SETTINGS: &'static [$crate::inventory::setting::Setting] = &[$($crate::inventory::setting::Setting {
                key: crate::inventory::table::plain(stringify!($key)),
                meaning: concat!($($doc),*),
                kind: settings!(@kind $need $type),
                need: settings!(@need $need $($argument)?),
                old: &[$($old),*],
                effective: settings!(@effective $($inert)?),
                since: "0.1.0",
            }),*];

            fn read(section: $crate::inventory::section::Section<'_>) -> $raw {
                let raw = $raw { $($key: settings!(@read section, $key, $need $type)),* };
                section.finish();
                raw
            }

            fn complete(raw: $raw) -> Option<Self> {
                Some(Self { $($key: settings!(@complete raw, $key, $need $($argument)?)),* })
            }
        }

        impl $crate::inventory::table::RawTable for $raw {
            fn rows(
                &self,
                prefix: &str,
                sources: &[$crate::inventory::source::Source],
                rows: &mut Vec<$crate::inventory::table::Row>,
            ) {
                $(settings!(@rows self, prefix, sources, rows, $key, $need $($argument)?);)*
            }
        }
    };

    (@model required $type:ty) => { $type };
    (@model default $type:ty) => { $type };
    (@model table $type:ty) => { $type };
    (@model optional $type:ty) => { Option<$type> };
    (@raw table $type:ty) => { <$type as $crate::inventory::table::Table>::Raw };
    (@raw $need:ident $type:ty) => { Option<$crate::inventory::source::At<$type>> };
    (@kind table $type:ty) => {
        $crate::inventory::setting::Kind::Table(<$type as $crate::inventory::table::Table>::SETTINGS)
    };
    (@kind $need:ident $type:ty) => { <$type as $crate::inventory::value::Value>::KIND };
    (@need required) => { $crate::inventory::setting::Need::Required };
    (@need table) => { $crate::inventory::setting::Need::Optional("its settings have their defaults") };
    (@need optional $argument:literal) => { $crate::inventory::setting::Need::Optional($argument) };
    (@need default $argument:literal) => { $crate::inventory::setting::Need::Default($argument) };
    (@effective) => { true };
    (@effective inert) => { false };
    (@read $section:ident, $key:ident, table $type:ty) => {
        <$type as $crate::inventory::table::Table>::read($section.section(crate::inventory::table::plain(stringify!($key))))
    };
    (@read $section:ident, $key:ident, required $type:ty) => { $section.required(crate::inventory::table::plain(stringify!($key))) };
    (@read $section:ident, $key:ident, $need:ident $type:ty) => { $section.value(crate::inventory::table::plain(stringify!($key))) };
    (@complete $raw:ident, $key:ident, required) => { $raw.$key?.value };
    (@complete $raw:ident, $key:ident, table) => { $crate::inventory::table::Table::complete($raw.$key)? };
    (@complete $raw:ident, $key:ident, optional $argument:literal) => { $raw.$key.map(|at| at.value) };
    (@complete $raw:ident, $key:ident, default $argument:literal) => {
        match $raw.$key {
            Some(at) => at.value,
            None => $crate::inventory::table::default($argument)?,
        }
    };
    (@rows $self:ident, $prefix:ident, $sources:ident, $rows:ident, $key:ident, table) => {
        $crate::inventory::table::RawTable::rows(
            &$self.$key, &format!("{}{}.", $prefix, crate::inventory::table::plain(stringify!($key))), $sources, $rows,
        )
    };
    (@rows $self:ident, $prefix:ident, $sources:ident, $rows:ident, $key:ident, $need:ident $($argument:literal)?) => {
        $rows.push($crate::inventory::table::row(
            format!("{}{}", $prefix, crate::inventory::table::plain(stringify!($key))),
            $self.$key.as_ref(),
            settings!(@need $need $($argument)?),
            $sources,
        ))
    };
}
pub(super) use settings;

/// The name of a field without what lets it be a word of the language.
pub(super) const fn plain(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Whether a value says nothing, so that it need not be written. TOML has no null.
pub(super) fn is_nothing<T: serde::Serialize>(value: &T) -> bool {
    serde_json::to_value(value)
        .is_ok_and(|value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty))
}
