//! Settings that a flag or the environment gives. A flag wins over a variable, and both win over the file.

use std::collections::BTreeMap;

use toml::de::{DeString, DeValue};

use super::{
    catalogue,
    code::Code,
    notes::Notes,
    section::Override,
    setting::Kind,
    source::{Place, Source, SourceKind},
    value::nearest,
};

/// How variables that are settings begin. What follows is the setting's path in capitals, with `__` for each dot:
/// `PGHERD_STORAGE1__SIZE` is `storage1.size`.
const PREFIX: &str = "PGHERD_";

/// A setting as a flag or a variable gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// `--set KEY=VALUE`.
    Flag(String),
    /// A variable and its value.
    Environment {
        /// The variable's name.
        variable: String,
        /// Its value.
        value: String,
    },
}

impl Given {
    /// The settings among variables.
    pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Self> {
        let mut given: Vec<_> = variables
            .filter(|(variable, _)| variable.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__")))
            .map(|(variable, value)| Self::Environment { variable, value })
            .collect();
        // The environment has no order, and messages should.
        given.sort_by(|one, other| one.name().cmp(other.name()));
        given
    }

    fn name(&self) -> &str {
        match self {
            Self::Flag(text) => text,
            Self::Environment { variable, .. } => variable,
        }
    }
}

/// Turns what was given into sources and into values by their paths.
pub(super) fn read<'a>(
    given: &'a [Given],
    sources: &mut Vec<Source>,
    notes: &Notes,
) -> BTreeMap<String, Override<'a>> {
    let mut overrides = BTreeMap::new();
    // Variables first, so that flags replace them.
    let (flags, variables): (Vec<_>, Vec<_>) =
        given.iter().partition(|given| matches!(given, Given::Flag(_)));
    for given in variables.into_iter().chain(flags) {
        let source = sources.len();
        let (kind, text, path, value, start) = match given {
            Given::Flag(text) => {
                let (path, value) = text.split_once('=').unwrap_or((text, ""));
                (SourceKind::Flag, text.clone(), path.trim().to_owned(), value, text.len() - value.len())
            }
            Given::Environment { variable, value } => {
                let path = variable.trim_start_matches(PREFIX).replace("__", ".").to_lowercase();
                (SourceKind::Environment(variable.clone()), value.clone(), path, value.as_str(), 0)
            }
        };
        sources.push(Source::new(kind, text.clone()));
        let Some(named) = catalogue::at(&path).filter(|named| !matches!(named.setting.kind, Kind::Table(_)))
        else {
            // What follows may be a secret.
            notes.hide(Place { source, span: start..text.len() });
            let near = nearest(&path, catalogue::all().iter().map(|named| named.path.as_str()));
            let label = near.map_or_else(
                || "`pgherd inventory show` lists all settings".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let place = Place { source, span: 0..start.saturating_sub(1).max(1) };
            notes.add(Code::UnknownKey, place, format!("there is no setting {path}"), label);
            continue;
        };
        let kind = match named.setting.kind {
            // A key of the map is one of its values.
            Kind::Map { value, .. } if catalogue::generic(&path) != named.path => *value,
            kind => kind,
        };
        let place = Place { source, span: start..text.len() };
        if let Some(value) = parse(value, &kind) {
            overrides.insert(path, Override { value, place });
        } else {
            notes.hide(place.clone());
            let message = format!("{path} is {}", kind.describe());
            notes.add(Code::WrongType, place, message, "write the value as in the file");
        }
    }
    overrides
}

/// A value as given: texts need no quotes, and lists no brackets.
fn parse<'a>(text: &'a str, kind: &Kind) -> Option<DeValue<'a>> {
    let plain = |text: &'a str| DeValue::String(DeString::from(text));
    match kind {
        Kind::Text { .. } | Kind::Choice(_) => Some(plain(text)),
        Kind::Secret if !text.trim_start().starts_with('{') => Some(plain(text)),
        Kind::List(inner) if !text.trim_start().starts_with('[') => {
            let mut list = toml::de::DeArray::new();
            for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                list.push(toml::Spanned::new(0..0, parse(item, inner)?));
            }
            Some(DeValue::Array(list))
        }
        _ => DeValue::parse(text).ok().map(toml::Spanned::into_inner),
    }
}
