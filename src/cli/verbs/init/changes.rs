//! What will be different in a file, setting by setting. Pure.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use toml_edit::Value;

use super::draft::{Draft, typed};
use crate::inventory::{catalogue::at, setting::Kind};

/// A setting that will be another one. Of a secret that stands in the file itself, only that there is one is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    key: String,
    /// None when it is new.
    before: Option<String>,
    /// None when it goes.
    after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(formatter, "~ {key}: {before} → {after}"),
            (Some(before), None) => write!(formatter, "- {key}: {before}"),
            (None, after) => write!(formatter, "+ {key}: {}", after.as_deref().unwrap_or_default()),
        }
    }
}

/// Every setting that differs: those that are new or other, in the order of the new file, then those that go.
pub(super) fn changes(old: &Draft, new: &Draft) -> Vec<Change> {
    let (before, after) = (old.leaves(), new.leaves());
    let was: BTreeMap<&str, &Value> = before.iter().map(|(path, value)| (&**path, *value)).collect();
    let is: BTreeMap<&str, &Value> = after.iter().map(|(path, value)| (&**path, *value)).collect();
    let change = |path: &str| {
        let shown = |value: &&Value| shown(path, value);
        Change { key: path.to_owned(), before: was.get(path).map(shown), after: is.get(path).map(shown) }
    };
    let differs = |path: &&str| was.get(path).copied().map(plain) != is.get(path).copied().map(plain);
    let there = after.iter().map(|(path, _)| &**path).filter(differs);
    let gone = before.iter().map(|(path, _)| &**path).filter(|path| !is.contains_key(path));
    there.chain(gone).map(change).collect()
}

/// A value, without the comments and blanks around it.
fn plain(value: &Value) -> String {
    typed(value).map_or_else(
        || value.clone().decorated("", "").to_string(),
        |text| format!("{} {text}", value.type_name()),
    )
}

fn shown(path: &str, value: &Value) -> String {
    let secret = at(path).is_some_and(|named| match named.setting.kind {
        Kind::Secret => true,
        Kind::Map { value, .. } => matches!(value, Kind::Secret),
        _ => false,
    });
    // A table says where the secret is.
    if secret && !value.is_inline_table() {
        return "(hidden)".to_owned();
    }
    match value {
        Value::String(text) => format!("\"{}\"", text.value()),
        Value::Array(_) => format!("[{}]", typed(value).unwrap_or_default()),
        value => typed(value).unwrap_or_else(|| value.clone().decorated("", "").to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (Draft::of(old).unwrap(), Draft::of(new).unwrap());
        changes(&old, &new).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_other_or_gone_is_told_and_comments_are_not() {
        let old =
            "[installation]\nname = \"one\" # ours\nnamespace = \"pgo\"\n[namespaces]\nwatched = [\"red\"]\n";
        let new = "[namespaces]\nwatched = [\"red\", \"blue\"]\n[installation]\nname = \"one\"\n[defaults]\nreplicas = 2\n";
        assert_eq!(
            told(old, new),
            [
                "~ namespaces.watched: [red] → [red, blue]",
                "+ defaults.replicas: 2",
                "- installation.namespace: \"pgo\""
            ]
        );
        assert_eq!(told(old, old), Vec::<String>::new());
    }

    #[test]
    fn a_text_instead_of_a_number_is_a_change() {
        assert_eq!(told("[a]\nb = 1\n", "[a]\nb = \"1\"\n"), ["~ a.b: 1 → \"1\""]);
    }

    #[test]
    fn secrets_are_not_told() {
        let lines = told("[s3]\nsecret = \"hunter1\"\n", "[s3]\nsecret = \"{hunter2}\"\n");
        assert_eq!(lines, ["~ s3.secret: (hidden) → (hidden)"]);
        let lines = told("[s3]\nsecret = \"hunter1\"\n", "[s3]\nsecret = { file = \"s3.key\" }\n");
        assert_eq!(lines, ["~ s3.secret: (hidden) → { file = \"s3.key\" }"]);
    }
}
