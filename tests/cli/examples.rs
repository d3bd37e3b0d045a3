//! The inventories that come with pgherd, found by listing their folder.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

use crate::sandbox::Sandbox;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/inventory");

/// What stands behind a setting that does nothing yet.
const MARK: char = '°';

fn examples() -> Vec<PathBuf> {
    let files = fs_err::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let mut examples: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    examples.sort();
    assert!(examples.len() >= 8, "{examples:?}");
    examples
}

fn data(verb: &str, file: &str) -> Value {
    let ran = Sandbox::new().run(&["inventory", verb, file, "-o", "json"]);
    assert_eq!(ran.code, Some(0), "{file}: {ran}");
    assert_eq!(ran.stderr, "", "{file}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn every_example_is_right_and_marks_what_does_nothing_yet() {
    for path in examples() {
        let file = path.to_str().unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        let checked = data("check", file);
        let warnings = checked["warnings"].as_array().unwrap();
        assert!(warnings.len() <= 1, "{file}: {warnings:#?}");
        let mut inert = BTreeSet::new();
        for warning in warnings {
            assert_eq!(warning["code"], "PG-INV-32", "{file}: {warning:#}");
            inert.extend(warning["hint"].as_str().unwrap().split(", ").map(ToOwned::to_owned));
        }
        let mut marked = BTreeSet::new();
        for row in data("show", file)["settings"].as_array().unwrap() {
            let line = usize::try_from(row["origin"]["line"].as_u64().unwrap()).unwrap();
            if text.lines().nth(line - 1).unwrap().contains(MARK) {
                marked.insert(row["key"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(marked, inert, "{file}: settings marked with {MARK}, and those that do nothing yet");
        assert_eq!(text.contains(&format!("# {MARK} ")), !inert.is_empty(), "{file}: what {MARK} means");
        let wide = text.lines().find(|line| line.chars().count() > 130);
        assert_eq!(wide, None, "{file}");
    }
}

#[test]
fn every_example_says_what_it_is_for_and_is_in_the_list() {
    let list = fs_err::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    for path in examples() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(list.contains(&format!("[`{name}`]({name})")), "{name} is missing in inventory/README.md");
        assert!(fs_err::read_to_string(&path).unwrap().starts_with("# "), "{name}");
    }
}
