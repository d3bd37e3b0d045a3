//! One setting of an old file, as it was read: its key, its value, where it stands, and whom it was meant for.

use std::fmt;

use serde::Serialize;

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, as the user named it.
    pub file: String,
    /// The line, from 1 on; 0 when it is about the whole file.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.file),
            line => write!(formatter, "{}:{line}", self.file),
        }
    }
}

/// A value as the old installer saw it.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// A text, a number, or `true` or `false`.
    Text(String),
    /// Several of them.
    List(Vec<String>),
    /// Explicitly nothing, `None` or `null`.
    Nothing,
    /// Encrypted by Ansible's vault.
    Encrypted,
    /// Something else, and what it is.
    Unreadable(&'static str),
}

/// Hides what it holds: any value may be a password.
impl fmt::Debug for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text(_) => "Text",
            Self::List(_) => "List",
            Self::Nothing => "Nothing",
            Self::Encrypted => "Encrypted",
            Self::Unreadable(_) => "Unreadable",
        })
    }
}

/// Whom a setting is meant for. Later ones win over earlier ones, as in Ansible.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Every host.
    All,
    /// A group; a group within others wins over them.
    Group {
        /// In how many groups it is.
        depth: usize,
        /// Its name; the last in the alphabet wins.
        name: String,
    },
    /// The host itself.
    Host(String),
}

/// A setting of an old file.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: Given,
    pub(super) place: Place,
    pub(super) scope: Scope,
    /// Why the old installer never saw it, when it didn't: it belongs to another host.
    pub(super) elsewhere: Option<String>,
    /// The value with the comment after it, which Ansible took for a part of the value.
    pub(super) uncut: Option<Uncut>,
}

/// A text that doesn't show.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Uncut(pub(super) String);

impl fmt::Debug for Uncut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Uncut")
    }
}

/// What a reader made of one file.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) settings: Vec<Setting>,
    /// Lines that Ansible wouldn't have accepted either: the line, what is wrong, and what to do.
    pub(super) faults: Vec<Fault>,
}

/// A line that is no setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) why: String,
    pub(super) advice: &'static str,
}

/// Whether a value of this key is nobody's business, judged by its name.
pub(super) fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "passwd", "secret", "token", "_key", "credential"].iter().any(|word| key.contains(word))
        // These are names of objects and kinds, not what is in them.
        && !key.contains("pull_secret") && !key.ends_with("_key_type") && !key.ends_with("cert_secret")
        && !key.starts_with("db_password_")
}
