//! What an import works on, and how a setting gets into the document and into the report.

use secrecy::SecretString;
use toml::Value;

use super::{
    Options, SecretsTo,
    chosen::Chosen,
    document::Document,
    keys::{Fate, Form, Known, Target},
    release::Release,
    report::{Added, Problem, Report, Row, SecretMoved},
    setting::{Place, Setting, is_sensitive},
};

/// What to do about a value that doesn't parse.
pub(super) const CORRECT: &str = "Correct it in the old file, or leave it out with --lenient.";

/// A secret that goes to a file of its own.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) name: &'static str,
    pub(super) value: SecretString,
}

/// An import under way.
pub(super) struct Work<'o> {
    pub(super) options: &'o Options,
    pub(super) chosen: Chosen,
    pub(super) document: Document,
    pub(super) report: Report,
    pub(super) problems: Vec<Problem>,
    pub(super) secrets: Vec<Secret>,
    pub(super) release: Option<Release>,
    /// Whether lines alone would be ambiguous.
    pub(super) several: bool,
}

/// What became of one setting.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) to: Option<String>,
    pub(super) now: Option<String>,
    pub(super) note: Option<String>,
    /// Something about this value means something else now, whatever the key's own fate is.
    pub(super) changed: bool,
}

impl Work<'_> {
    /// Where a setting stands, for a comment beside its value.
    pub(super) fn origin(&self, setting: &Setting) -> String {
        if self.several {
            format!("{}, {}", setting.key, setting.place)
        } else {
            format!("{}, line {}", setting.key, setting.place.line)
        }
    }

    /// Reads a setting's value. None when it can't be read, which is noted.
    pub(super) fn text(&mut self, setting: &Setting, to: &str, form: Form) -> Option<String> {
        let secret = matches!(form, Form::Secret(_));
        let text = match self.chosen.read(setting, secret) {
            Ok(text) => text,
            Err(unreadable) => {
                self.problem(setting, Some(to), unreadable.why, unreadable.advice);
                return None;
            }
        };
        if let Some(name) = text.secret.filter(|_| !secret && !is_sensitive(&setting.key)) {
            let why = format!("it refers to {name}, which may be a secret");
            self.problem(setting, Some(to), why, "Write the value itself.");
            return None;
        }
        Some(text.text)
    }

    /// Notes that a setting can't be carried over safely.
    pub(super) fn problem(&mut self, setting: &Setting, to: Option<&str>, why: String, advice: &str) {
        if let Some(to) = to {
            let text = format!("{why} ({})", self.origin(setting));
            self.document.leave_out(to, &text);
        }
        self.problems.push(Problem {
            key: setting.key.clone(),
            place: setting.place.clone(),
            to: to.map(ToOwned::to_owned),
            why,
            advice: advice.to_owned(),
        });
    }

    /// Notes that a setting is missing.
    pub(super) fn missing(&mut self, key: &str, to: &str, why: &str, advice: &str) {
        self.document.leave_out(to, why);
        let file = self.report.files.last().map(|file| file.path.clone()).unwrap_or_default();
        self.problems.push(Problem {
            key: key.to_owned(),
            place: Place { file, line: 0 },
            to: Some(to.to_owned()),
            why: why.to_owned(),
            advice: advice.to_owned(),
        });
    }

    /// Adds a value that no file has.
    pub(super) fn add(&mut self, to: &str, value: Value, why: &str) {
        self.report.added.push(Added { to: to.to_owned(), value: value.to_string(), why: why.to_owned() });
        self.document.set(to, value, why);
    }

    /// Puts a secret where it can be kept, and refers to it.
    pub(super) fn secret(
        &mut self,
        setting: &Setting,
        to: &str,
        name: &'static str,
        text: String,
    ) -> Outcome {
        let (key, place) = match &self.options.secrets {
            SecretsTo::Folder(folder) => ("file", format!("{folder}/{name}")),
            SecretsTo::Environment => ("env", format!("PGHERD_{}", name.replace('-', "_").to_uppercase())),
        };
        let mut table = toml::Table::new();
        table.insert(key.to_owned(), Value::String(place.clone()));
        let value = Value::Table(table);
        let now = value.to_string();
        let origin = self.origin(setting);
        self.document.set(to, value, &origin);
        let is_file = key == "file";
        self.report.secrets.push(SecretMoved {
            to: to.to_owned(),
            file: is_file.then(|| place.clone()),
            env: (!is_file).then_some(place),
        });
        self.secrets.push(Secret { name, value: SecretString::from(text) });
        let note = Some("the secret stands in a place of its own now".to_owned());
        Outcome { to: Some(to.to_owned()), now: Some(now), note, changed: false }
    }

    /// Writes what became of a setting into the report.
    pub(super) fn record(&mut self, known: &Known, setting: &Setting, outcome: Outcome) {
        let number = known.block.map(|(_, number)| number.to_string()).unwrap_or_default();
        let path = |target: &Target| target.path.replace("<ID>", &number);
        let (rows, to, why) = match &known.key.fate {
            Fate::Carried(target) => (&mut self.report.carried, Some(path(target)), None),
            Fate::Renamed(target) => (&mut self.report.renamed, Some(path(target)), None),
            Fate::Changed(target, why) => (&mut self.report.changed, Some(path(target)), Some(*why)),
            Fate::Dropped(why) => (&mut self.report.dropped, None, Some(*why)),
        };
        let rows = if outcome.changed { &mut self.report.changed } else { rows };
        let hidden = is_sensitive(&setting.key);
        let was = self.chosen.written(&setting.key).map(ToOwned::to_owned);
        let why = match (why, outcome.note) {
            (Some(why), Some(note)) => Some(format!("{why}; {note}")),
            (why, note) => note.or_else(|| why.map(ToOwned::to_owned)),
        };
        let cut =
            setting.uncut.is_some().then_some("the comment behind it was a part of the value for Ansible");
        let why = match (why, cut) {
            (Some(why), Some(cut)) => Some(format!("{why}; {cut}")),
            (why, cut) => why.or_else(|| cut.map(ToOwned::to_owned)),
        };
        let secret = matches!(known.key.fate.target(), Some(Target { form: Form::Secret(_), .. }));
        rows.push(Row {
            key: setting.key.clone(),
            place: setting.place.clone(),
            to: outcome.to.or(to),
            was: was.filter(|_| !hidden && !matches!(known.key.fate, Fate::Dropped(_))),
            now: outcome.now.filter(|_| !hidden || secret),
            why,
        });
    }

    /// Notes that a setting has no place, for a reason that its key alone doesn't have.
    pub(super) fn drop(&mut self, setting: &Setting, why: &str) {
        self.report.dropped.push(Row {
            key: setting.key.clone(),
            place: setting.place.clone(),
            to: None,
            was: None,
            now: None,
            why: Some(why.to_owned()),
        });
    }
}
