//! Of all settings that were read, those that counted: Ansible's order of precedence, and references followed.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    keys,
    report::Row,
    setting::{Given, Setting, is_sensitive},
    template,
};

/// The settings that counted, and what became of the others.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    settings: BTreeMap<String, Setting>,
    /// The text of each, as far as it has one, for references.
    texts: BTreeMap<String, String>,
    pub(super) replaced: Vec<Row>,
    pub(super) elsewhere: Vec<Row>,
    /// Settings that others refer to.
    pub(super) referred: BTreeSet<String>,
}

/// A value that was read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    /// The secret that it refers to.
    pub(super) secret: Option<String>,
}

/// Why a value can't be read, and what to do.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) why: String,
    pub(super) advice: &'static str,
}

/// Chooses among the settings of several files, each in the order in which it was read.
pub(super) fn choose(files: Vec<Vec<Setting>>) -> Chosen {
    let mut chosen = Chosen::default();
    for mut settings in files {
        // The sort is stable: among equals, the later line wins.
        settings.sort_by(|one, other| one.scope.cmp(&other.scope));
        for setting in settings {
            if let Some(why) = &setting.elsewhere {
                let row = row(&setting, Some(why.clone()));
                chosen.elsewhere.push(row);
                continue;
            }
            let place = setting.place.clone();
            if let Some(before) = chosen.settings.insert(setting.key.clone(), setting) {
                let by = if before.place.file == place.file {
                    format!("line {}", place.line)
                } else {
                    place.to_string()
                };
                let row = row(&before, Some(format!("{by} has another value that wins")));
                chosen.replaced.push(row);
            }
        }
    }
    for (key, setting) in &chosen.settings {
        let text = match &setting.value {
            Given::Text(text) => text.clone(),
            Given::List(items) => items.join(","),
            Given::Nothing => String::new(),
            Given::Encrypted | Given::Unreadable(_) => continue,
        };
        chosen.texts.insert(key.clone(), text);
    }
    chosen
}

fn row(setting: &Setting, why: Option<String>) -> Row {
    let to = keys::find(&setting.key).and_then(|known| Some(known.key.fate.target()?.path.to_owned()));
    Row { key: setting.key.clone(), place: setting.place.clone(), to, was: None, now: None, why }
}

impl Chosen {
    /// Takes a setting out, so that it is dealt with once.
    pub(super) fn take(&mut self, key: &str) -> Option<Setting> {
        self.settings.remove(key)
    }

    /// The keys that nobody took yet, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// The text of a setting as it is written, whether taken or not.
    pub(super) fn written(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// Whether a setting was there, whether taken or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key) || self.settings.contains_key(key)
    }

    /// The value of a setting with references followed; several values have commas between.
    pub(super) fn read(&mut self, setting: &Setting, verbatim: bool) -> Result<Text, Unreadable> {
        let text = match &setting.value {
            Given::Text(text) => match &setting.uncut {
                // Ansible took the comment for a part of the value. Only a password may have been meant like that.
                Some(uncut) if verbatim => uncut.0.clone(),
                _ => text.clone(),
            },
            Given::List(items) => items.join(","),
            Given::Nothing => String::new(),
            Given::Encrypted => {
                return Err(Unreadable {
                    why: "it is encrypted by ansible-vault".to_owned(),
                    advice: "Decrypt the file with `ansible-vault decrypt` or the value with `ansible-vault view`, and import \
                             it again; or leave it out and set the secret in the new inventory.",
                });
            }
            Given::Unreadable(what) => {
                return Err(Unreadable {
                    why: format!("it is {what}"),
                    advice: "Write it as a text in quotes.",
                });
            }
        };
        if !template::is_template(&text) {
            return Ok(Text { text, secret: None });
        }
        let lookup = |name: &str| self.texts.get(name).map(String::as_str);
        let rendered = template::render(&text, &lookup).map_err(|why| Unreadable {
            why,
            advice: "Write the value itself, as `ansible -m debug -a var=…` shows it.",
        })?;
        let secret = rendered.used.iter().find(|name| is_sensitive(name)).cloned();
        self.referred.extend(rendered.used);
        Ok(Text { text: rendered.text, secret })
    }
}
