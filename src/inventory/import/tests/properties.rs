//! Properties of every import.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use proptest::prelude::*;

use super::{
    generated::{self, Expected, Line, Written},
    *,
};
use crate::{
    domain::duration::WrittenDuration,
    inventory::{Checked, Origin},
};

/// How a line looks besides what it says.
#[derive(Clone, Debug)]
struct Look {
    quotes: usize,
    blanks: bool,
    above: usize,
    behind: bool,
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (0..4_usize, any::<bool>(), 0..6_usize, any::<bool>())
        .prop_map(|(quotes, blanks, above, behind)| Look { quotes, blanks, above, behind });
    prop::collection::vec(look, 1..40)
}

/// A literal of Python.
fn quoted(text: &str, quote: char) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|letter| (letter == '\\' || letter == quote).then_some('\\').into_iter().chain([letter]))
        .collect();
    format!("{quote}{escaped}{quote}")
}

/// A value in an INI file, and whether a comment may follow.
fn in_ini(written: &Written, quotes: usize) -> (String, bool) {
    let text = match written {
        Written::List(items) => {
            let items: Vec<String> = items.iter().map(|item| quoted(item, '\'')).collect();
            return (format!("[{}]", items.join(", ")), true);
        }
        Written::Text(text) => text,
        Written::One(_) => unreachable!("names were chosen"),
    };
    // What isn't a literal of Python is a text without quotes.
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, ',' | '-' | '.' | '/' | ':' | ' ');
    let number = text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0') || text == "0";
    let word = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(plain);
    match quotes {
        1 => (quoted(text, '"'), true),
        2 if !text.contains(['\\', '\'']) => (format!("r'{text}'"), true),
        3 if number || word => (text.clone(), false),
        _ => (quoted(text, '\''), true),
    }
}

fn in_yaml(written: &Written) -> String {
    match written {
        Written::List(items) => serde_json::to_string(items).unwrap(),
        Written::Text(text) => serde_json::to_string(text).unwrap(),
        Written::One(_) => unreachable!("names were chosen"),
    }
}

fn file(lines: &[Line], looks: &[Look], yaml: bool) -> String {
    let mut text = if yaml { "---\n" } else { "localhost ansible_connection=local\n[all:vars]\n" }.to_owned();
    for (Line { key, written, .. }, look) in lines.iter().zip(looks.iter().cycle()) {
        match look.above {
            0 => text.push('\n'),
            1 => writeln!(text, "# {key}='another'").unwrap(),
            2 => writeln!(text, "#{key}: another, and an open quote: '").unwrap(),
            _ => {}
        }
        let (value, comment) = if yaml { (in_yaml(written), true) } else { in_ini(written, look.quotes) };
        let sign = match (yaml, look.blanks) {
            (true, _) => ": ",
            (false, true) => " = ",
            (false, false) => "=",
        };
        let behind = if comment && look.behind { "  # what for" } else { "" };
        writeln!(text, "{key}{sign}{value}{behind}").unwrap();
    }
    text
}

/// What `inventory show --resolved` shows of an inventory.
fn shown(imported: &Imported) -> BTreeMap<String, (String, Origin)> {
    let checked = Checked::parse("pgherd.toml", &imported.toml, &[], None)
        .unwrap_or_else(|report| panic!("{}", report.render(false)));
    checked.rows.into_iter().filter_map(|row| Some((row.key, (row.value?, row.origin)))).collect()
}

/// The path of a setting in a table that another setting names: `defaults.resources.container → requests_memory`.
fn followed(shown: &BTreeMap<String, (String, Origin)>, path: &str) -> String {
    let Some((reference, field)) = path.split_once(" → ") else { return path.to_owned() };
    let table = if reference.contains("resources") { "resource" } else { "storage" };
    let named = shown.get(reference).map(|(name, _)| name);
    let mut tables = shown.iter().filter(|(key, (value, _))| key.starts_with(table) && Some(value) == named);
    let found = tables.find_map(|(key, _)| key.strip_suffix(".name"));
    format!("{}.{field}", found.unwrap_or_else(|| panic!("{reference} leads nowhere: {named:?}")))
}

proptest! {
    #[test]
    fn an_inventory_keeps_its_values(lines in generated::inventory(), looks in looks(), yaml in any::<bool>()) {
        let text = file(&lines, &looks, yaml);
        let imported = import(&[("inventory", &text)], false).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        prop_assert_eq!(imported.report.settings, imported.report.accounted());
        prop_assert_eq!(imported.report.settings, lines.len() + usize::from(!yaml));
        let shown = shown(&imported);
        let secrets: BTreeMap<&str, &str> = (imported.secrets.iter())
            .map(|secret| (secret.name, secrecy::ExposeSecret::expose_secret(&secret.value)))
            .collect();
        let mut expected: BTreeSet<String> = imported.report.added.iter().map(|added| added.to.clone()).collect();
        for Line { key, path, expected: wanted, .. } in &lines {
            if let Some((reference, _)) = path.split_once(" → ") {
                expected.extend([reference.to_owned(), followed(&shown, &format!("{reference} → name"))]);
            }
            let path = followed(&shown, path);
            let found = shown.get(&path).filter(|(_, origin)| *origin != Origin::Default).map(|(value, _)| value);
            match wanted {
                Expected::Nothing => prop_assert_eq!(found, None, "{} in\n{}", key, text),
                // Several settings make up one list.
                Expected::Value(toml::Value::Array(items)) if path.starts_with("images.pull_secret") => {
                    let found: toml::Table = format!("list = {}", found.unwrap()).parse().unwrap();
                    let found = found["list"].as_array().unwrap();
                    prop_assert!(items.iter().all(|item| found.contains(item)), "{} in\n{}", key, text);
                }
                Expected::Value(value) => {
                    prop_assert_eq!(found, Some(&value.to_string()), "{} in\n{}", key, text);
                }
                Expected::Length(length) => {
                    let written = found.map(|value| value.trim_matches('"').parse::<WrittenDuration>());
                    let written = written.and_then(Result::ok).map(|duration| duration.length());
                    prop_assert_eq!(written, Some(*length), "{} in\n{}", key, text);
                }
                Expected::Secret(name, secret) => {
                    let reference = format!("{{ file = \"pgherd.toml.secrets/{name}\" }}");
                    prop_assert_eq!(found, Some(&reference), "{} in\n{}", key, text);
                    prop_assert_eq!(secrets.get(name), Some(&secret.as_str()), "{} in\n{}", key, text);
                }
            }
            expected.insert(path);
        }
        // And nothing else is there.
        for (path, (value, origin)) in &shown {
            let known = expected.contains(path) || expected.iter().any(|known| known.starts_with(&format!("{path}.")));
            prop_assert!(known || *origin == Origin::Default, "{} = {} in\n{}", path, value, imported.toml);
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_imported_is_accounted_for_and_toml(
        values in prop::collection::vec((0_usize..260, "[ -~]{0,12}"), 0..30),
        yaml in any::<bool>(),
    ) {
        let keys: Vec<String> = EVERY_KEY.lines().map(|key| key.replace("<ID>", "3")).collect();
        let lines: Vec<String> = values
            .iter()
            .map(|(index, value)| {
                let key = keys.get(*index).cloned().unwrap_or_else(|| format!("own_{index}"));
                if yaml { format!("{key}: {value:?}") } else { format!("{key}={value}") }
            })
            .collect();
        let text = format!("{}{}", if yaml { "---\n" } else { "[all:vars]\n" }, lines.join("\n"));
        if let Ok(source) = read::text_of("x", &text) {
            let imported = from(vec![source], &options(true)).unwrap();
            toml(&imported);
            prop_assert_eq!(imported.report.settings, imported.report.accounted(), "{}", text);
            prop_assert!(!imported.report.page("x").is_empty() && !imported.report.summary().is_empty());
        }
    }
}
