//! The TOML file that is written: tables in the order of the reference, with comments that say where a value came from.

use std::{collections::BTreeMap, fmt::Write as _};

use toml::Value;

/// Where tables stand in the file, and what a reader is told above them.
const ORDER: &[(&str, &str)] = &[
    ("installation", "The installation"),
    ("kubernetes", "The connection to Kubernetes"),
    ("kubernetes.openshift", ""),
    ("namespaces", "Where databases may be created, and what the operator may do with namespaces"),
    ("namespaces.delete", "What uninstall deletes besides its own objects"),
    ("rbac", "Rights"),
    ("images", "Images"),
    ("images.postgres", ""),
    ("tls", "Certificates"),
    ("access", "Access to the operator"),
    ("defaults", "What a database cluster gets that asks for nothing else"),
    ("defaults.storage", ""),
    ("defaults.resources", ""),
    ("storage", "Kinds of volumes"),
    ("resource", "Requests and limits"),
    ("s3", "Backups in S3"),
    ("gcs", "Backups in Google Cloud Storage"),
    ("metrics", "Metrics"),
    ("metrics.prometheus", ""),
    ("metrics.grafana", ""),
    ("metrics.alertmanager", ""),
];

/// Beyond this many columns a comment goes above its value.
const WIDEST: usize = 110;

#[derive(Debug)]
struct Entry {
    key: String,
    /// None for a line that was left out, which is a comment.
    value: Option<Value>,
    comment: String,
}

/// The file.
#[derive(Debug, Default)]
pub(super) struct Document {
    head: Vec<String>,
    tables: BTreeMap<String, Vec<Entry>>,
    notes: BTreeMap<String, Vec<String>>,
}

impl Document {
    /// Adds a line at the top.
    pub(super) fn head(&mut self, line: &str) {
        self.head.push(plain(line));
    }

    /// Adds a line above a table.
    pub(super) fn note(&mut self, table: &str, line: &str) {
        self.tables.entry(table.to_owned()).or_default();
        self.notes.entry(table.to_owned()).or_default().push(plain(line));
    }

    /// Sets a value.
    pub(super) fn set(&mut self, path: &str, value: Value, comment: &str) {
        let (table, key) = split(path);
        let entries = self.tables.entry(table.to_owned()).or_default();
        let entry = Entry { key: key.to_owned(), value: Some(value), comment: plain(comment) };
        match entries.iter_mut().find(|entry| entry.key == key && entry.value.is_some()) {
            Some(there) => *there = entry,
            None => entries.push(entry),
        }
    }

    /// Adds a value to a list that doesn't have it yet.
    pub(super) fn push(&mut self, path: &str, value: Value, comment: &str) {
        let (table, key) = split(path);
        let entries = self.tables.entry(table.to_owned()).or_default();
        if let Some(Entry { value: Some(Value::Array(items)), comment: there, .. }) =
            entries.iter_mut().find(|entry| entry.key == key)
        {
            if !items.contains(&value) {
                items.push(value);
            }
            write!(there, "; {}", plain(comment)).ok();
        } else {
            self.set(path, Value::Array(vec![value]), comment);
        }
    }

    /// Says that a value was left out and why.
    pub(super) fn leave_out(&mut self, path: &str, text: &str) {
        let (table, key) = split(path);
        let comment = plain(&format!("left out: {key}: {text}"));
        let entry = Entry { key: key.to_owned(), value: None, comment };
        self.tables.entry(table.to_owned()).or_default().push(entry);
    }

    /// Whether there is a value.
    pub(super) fn has(&self, path: &str) -> bool {
        let (table, key) = split(path);
        self.tables
            .get(table)
            .is_some_and(|entries| entries.iter().any(|entry| entry.key == key && entry.value.is_some()))
    }

    /// The value of a text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let (table, key) = split(path);
        let entry = self.tables.get(table)?.iter().find(|entry| entry.key == key)?;
        entry.value.as_ref()?.as_str()
    }

    /// The file's text.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for line in &self.head {
            writeln!(text, "{}", format!("# {line}").trim_end()).ok();
        }
        let mut pending = None;
        for (name, title) in ORDER {
            let mut tables: Vec<&String> = self.tables.keys().filter(|table| place(table) == *name).collect();
            tables.sort_by_key(|table| number(table));
            // The title of a table that isn't there belongs to the first table in it that is.
            if !title.is_empty() {
                pending = Some(*title);
            }
            for table in tables {
                if let Some(title) = pending.take() {
                    writeln!(text, "\n# {title}").ok();
                } else {
                    text.push('\n');
                }
                self.table(table, &mut text);
            }
        }
        text
    }

    fn table(&self, table: &str, text: &mut String) {
        for line in self.notes.get(table).into_iter().flatten() {
            writeln!(text, "# {line}").ok();
        }
        writeln!(text, "[{table}]").ok();
        let entries = self.tables.get(table).map_or(&[][..], Vec::as_slice);
        let lines: Vec<(String, &str)> = entries
            .iter()
            .map(|entry| {
                let line = entry.value.as_ref().map(|value| format!("{} = {value}", entry.key));
                (line.unwrap_or_default(), entry.comment.as_str())
            })
            .collect();
        let width = lines
            .iter()
            .map(|(line, _)| line.chars().count())
            .filter(|width| *width <= 48)
            .max()
            .unwrap_or(0);
        for (line, comment) in lines {
            if comment.is_empty() {
                writeln!(text, "{line}").ok();
            } else if line.is_empty() {
                writeln!(text, "# {comment}").ok();
            } else if width.max(line.chars().count()) + comment.chars().count() + 4 > WIDEST {
                writeln!(text, "# {comment}\n{line}").ok();
            } else {
                writeln!(text, "{line:width$}   # {comment}").ok();
            }
        }
    }
}

/// The table and the key of a path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The place of a table in the order: all numbered ones have the same.
fn place(table: &str) -> &str {
    let block = table.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if matches!(block, "storage" | "resource") { block } else { table }
}

fn number(table: &str) -> u32 {
    table[place(table).len()..].parse().unwrap_or(0)
}

/// A text that can stand in a comment.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_in_order_and_comments_stand_beside_values() {
        let mut document = Document::default();
        document.head("Made from x");
        document.set("storage10.name", "b".into(), "storage10_name, line 2");
        document.set("storage2.name", "a\"\n".into(), "");
        document.push("images.pull_secrets", "one".into(), "line 1");
        document.push("images.pull_secrets", "two".into(), "line 2");
        document.push("images.pull_secrets", "one".into(), "line 3");
        document.set("installation.name", "x".into(), "a\nb");
        document.set("installation.debug", true.into(), "c");
        document.set("s3.bucket", "backups".into(), "");
        document.leave_out("installation.namespace", "why");
        let text = document.render();
        let value: toml::Table = text.parse().unwrap();
        assert_eq!(value["storage2"]["name"].as_str(), Some("a\"\n"));
        assert_eq!(value["images"]["pull_secrets"].as_array().unwrap().len(), 2);
        assert!(
            text.starts_with(
                "# Made from x\n\n# The installation\n[installation]\nname = \"x\"     # a b\ndebug"
            ),
            "{text}"
        );
        assert!(text.find("[storage2]") < text.find("[storage10]") && text.contains("[s3]"));
        assert!(document.has("storage2.name") && !document.has("installation.namespace"));
    }
}
