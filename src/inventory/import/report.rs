//! What became of every setting, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::{release::Release, setting::Place};

/// What an import did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The files that were read, in order. Later ones win.
    pub files: Vec<FileRead>,
    /// The release that they were written for, when it could be told.
    pub release: Option<Release>,
    /// How many settings were read.
    pub settings: usize,
    /// Settings that are there under the same name.
    pub carried: Vec<Row>,
    /// Settings that are there under another name.
    pub renamed: Vec<Row>,
    /// Settings that are there and mean something else.
    pub changed: Vec<Row>,
    /// Settings that have no place.
    pub dropped: Vec<Row>,
    /// Settings that the old installer didn't know either.
    pub not_understood: Vec<Row>,
    /// Settings that a later one overrides.
    pub replaced: Vec<Row>,
    /// Settings that can't be carried over safely and were left out.
    pub left_out: Vec<Problem>,
    /// Values that no file has: defaults of the old installer, and what pgherd needs.
    pub added: Vec<Added>,
    /// Secrets that were moved out of the inventory.
    pub secrets: Vec<SecretMoved>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize)]
pub struct FileRead {
    /// Its path, as the user named it.
    pub path: String,
    /// `ini` or `yaml`.
    pub format: &'static str,
    /// How many settings it has.
    pub settings: usize,
}

/// A setting and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its old name.
    pub key: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// Its new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its old value, unless it may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Its new value, as TOML, unless it may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// What changed, or why it has no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A setting that can't be carried over safely.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Its old name; empty for a line that is no setting.
    pub key: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// Its new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why it can't be carried over.
    pub why: String,
    /// What to do.
    pub advice: String,
}

/// A value that no file has.
#[derive(Clone, Debug, Serialize)]
pub struct Added {
    /// Its name.
    pub to: String,
    /// Its value, as TOML.
    pub value: String,
    /// Why it is there.
    pub why: String,
}

/// A secret that was moved.
#[derive(Clone, Debug, Serialize)]
pub struct SecretMoved {
    /// The setting that refers to it.
    pub to: String,
    /// The file that holds it, relative to the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The variable that has to hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

impl Report {
    /// The settings that the report accounts for, which is all of them.
    #[must_use]
    pub fn accounted(&self) -> usize {
        // Lines that are no setting and settings that are missing have no key or no line.
        let left_out =
            self.left_out.iter().filter(|problem| !problem.key.is_empty() && problem.place.line > 0).count();
        [&self.carried, &self.renamed, &self.changed, &self.dropped, &self.not_understood, &self.replaced]
            .iter()
            .map(|rows| rows.len())
            .sum::<usize>()
            + left_out
    }

    /// A few lines for a terminal: how many, and the first of those that matter.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let files: Vec<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let release = self.release.map_or_else(|| "PGO 4.x".to_owned(), |release| format!("PGO {release}"));
        let noun = if self.settings == 1 { "setting" } else { "settings" };
        writeln!(text, "Read {} ({release}, {} {noun})", files.join(", "), self.settings).ok();
        let several = files.len() > 1;
        line(&mut text, "carried", self.carried.len(), None);
        let renamed =
            |row: &Row| First::new(&row.key, " →", row.to.as_deref().unwrap_or_default(), String::new());
        line(&mut text, "renamed", self.renamed.len(), self.renamed.first().map(renamed));
        let row = |row: &Row| {
            // The page has all of it.
            let why = row.why.as_deref().and_then(|why| why.split(';').next()).unwrap_or_default();
            First::new(&row.key, ":", why, at(&row.place, several))
        };
        // Among the changed ones, those with a value are worth more than those that are empty.
        let telling = self.changed.iter().find(|row| row.now.is_some()).or(self.changed.first());
        line(&mut text, "changed", self.changed.len(), telling.map(row));
        let telling =
            self.dropped.iter().find(|row| !row.key.starts_with("ansible_")).or(self.dropped.first());
        line(&mut text, "dropped", self.dropped.len(), telling.map(row));
        for (name, rows) in [("not understood", &self.not_understood), ("replaced", &self.replaced)] {
            if let Some(first) = rows.first() {
                line(&mut text, name, rows.len(), Some(row(first)));
            }
        }
        if let Some(problem) = self.left_out.first() {
            let told = First::new(&problem.key, ":", &problem.why, at(&problem.place, several));
            line(&mut text, "left out", self.left_out.len(), Some(told));
        }
        if let Some(added) = self.added.first() {
            let told = First::new(&added.to, " =", &added.value, String::new());
            line(&mut text, "added", self.added.len(), Some(told));
        }
        text
    }

    /// The whole report as a page.
    #[must_use]
    pub fn page(&self, out: &str) -> String {
        let mut page = format!("# Import into {}\n\n", cell(out));
        let release = self
            .release
            .map_or_else(|| "an unknown release of PGO 4".to_owned(), |release| format!("PGO {release}"));
        writeln!(page, "Made from files of {release}, {} settings in all.\n", self.settings).ok();
        for file in &self.files {
            writeln!(page, "- `{}` ({}, {} settings)", cell(&file.path), file.format, file.settings).ok();
        }
        for note in &self.notes {
            writeln!(page, "\n{note}").ok();
        }
        self.problems(&mut page);
        rows(&mut page, "Changed in meaning", &self.changed, true);
        rows(&mut page, "Dropped", &self.dropped, false);
        rows(&mut page, "Not understood", &self.not_understood, false);
        rows(&mut page, "Replaced by a later one", &self.replaced, false);
        if !self.added.is_empty() {
            page.push_str("\n## Added\n\n| setting | value | why |\n| --- | --- | --- |\n");
            for added in &self.added {
                writeln!(page, "| `{}` | `{}` | {} |", added.to, cell(&added.value), cell(&added.why)).ok();
            }
        }
        if !self.secrets.is_empty() {
            page.push_str("\n## Secrets\n\n| setting | where the secret is |\n| --- | --- |\n");
            for secret in &self.secrets {
                let place = match (&secret.file, &secret.env) {
                    (Some(file), _) => format!("the file `{}`, which only you can read", cell(file)),
                    (None, env) => format!("set the variable `{}`", env.as_deref().unwrap_or_default()),
                };
                writeln!(page, "| `{}` | {place} |", secret.to).ok();
            }
        }
        rows(&mut page, "Renamed", &self.renamed, true);
        rows(&mut page, "Carried", &self.carried, true);
        page
    }

    fn problems(&self, page: &mut String) {
        if self.left_out.is_empty() {
            return;
        }
        page.push_str("\n## Left out\n\n| line | setting | why | what to do |\n| --- | --- | --- | --- |\n");
        for problem in &self.left_out {
            let Problem { key, place, why, advice, .. } = problem;
            writeln!(
                page,
                "| {} | `{}` | {} | {} |",
                cell(&place.to_string()),
                cell(key),
                cell(why),
                cell(advice)
            )
            .ok();
        }
    }
}

/// The first of several settings, as far as there is room for it.
struct First {
    /// The setting, which is told whole.
    key: String,
    /// What is said about it, which may be shortened.
    told: String,
    /// Where it stands, which is told whole.
    place: String,
}

impl First {
    fn new(key: &str, sign: &str, told: &str, place: String) -> Self {
        let place = if place.is_empty() { place } else { format!(" ({place})") };
        Self { key: format!("{key}{sign} "), told: told.to_owned(), place }
    }

    fn within(&self, room: usize) -> String {
        let Self { key, told, place } = self;
        let room = room.saturating_sub(key.chars().count() + place.chars().count());
        if told.chars().count() <= room {
            return format!("{key}{told}{place}");
        }
        let mut short = String::new();
        for word in told.split(' ') {
            if short.chars().count() + word.chars().count() + 1 > room {
                break;
            }
            short.extend([word, " "]);
        }
        format!("{key}{}…{place}", short.trim_end())
    }
}

fn line(text: &mut String, name: &str, count: usize, first: Option<First>) {
    let start = format!("  {name:10} {count:>3}");
    let more = if count > 1 { ", …" } else { "" };
    let room = 80_usize.saturating_sub(start.chars().count() + 4 + more.chars().count());
    let first = first.map(|first| format!("    {}{more}", first.within(room))).unwrap_or_default();
    writeln!(text, "{start}{first}").ok();
}

fn at(place: &Place, several: bool) -> String {
    if several || place.line == 0 { place.to_string() } else { format!("line {}", place.line) }
}

fn rows(page: &mut String, title: &str, rows: &[Row], values: bool) {
    if rows.is_empty() {
        return;
    }
    let (head, rule) =
        if values { ("| was | is | note |", "| --- | --- | --- |") } else { ("| why |", "| --- |") };
    writeln!(page, "\n## {title}\n\n| line | setting {head}\n| --- | --- {rule}").ok();
    for row in rows {
        let why = cell(row.why.as_deref().unwrap_or_default());
        write!(page, "| {} | `{}`", cell(&row.place.to_string()), cell(&row.key)).ok();
        if values {
            let was = row.was.as_deref().filter(|was| !was.trim().is_empty());
            let was = was.map(|was| format!("`{}`", cell(was))).unwrap_or_default();
            let to = row.to.as_deref().unwrap_or_default();
            let now = row.now.as_deref().map(|now| format!(" = {}", cell(now))).unwrap_or_default();
            write!(page, " | {was} | `{to}{now}`").ok();
        }
        writeln!(page, " | {why} |").ok();
    }
}

/// A text that can stand in a cell of a table.
fn cell(text: &str) -> String {
    text.chars()
        .flat_map(|letter| match letter {
            '|' => vec!['\\', '|'],
            '`' => vec!['\''],
            _ if letter.is_control() => vec![' '],
            _ => vec![letter],
        })
        .collect()
}
