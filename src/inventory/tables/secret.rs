//! Secrets: where they are, and only as long as nobody looks themselves.

use std::{fmt, path::Path};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::texts::{FilePath, Line};
use crate::inventory::{
    code::Code,
    notes::Notes,
    setting::Kind,
    source::{At, Place},
    value::{Found, Value, nearest},
};

/// Where a secret is.
#[derive(Clone)]
pub enum SecretSource {
    /// In a file, whose last line break doesn't belong to it.
    File(FilePath),
    /// In a variable of the environment.
    Environment(Line),
    /// In the inventory itself.
    Plain(SecretString),
    /// It was in the inventory itself, and this is not the inventory but what was kept of it.
    Kept,
}

impl SecretSource {
    /// The secret itself. Files are relative to `folder`, where the inventory is.
    ///
    /// # Errors
    /// When it isn't where it should be; says where, and nothing of it.
    pub fn read(&self, folder: &Path) -> Result<SecretString, String> {
        match self {
            Self::File(path) => {
                let text =
                    fs_err::read_to_string(folder.join(path.as_str())).map_err(|error| error.to_string())?;
                let text = text.strip_suffix('\n').unwrap_or(&text);
                Ok(SecretString::from(text.strip_suffix('\r').unwrap_or(text)))
            }
            Self::Environment(name) => std::env::var(name.as_str())
                .map(SecretString::from)
                .map_err(|_| format!("the variable {name} isn't set")),
            Self::Plain(secret) => Ok(secret.clone()),
            Self::Kept => Err("it was in the inventory, and isn't kept in the record".to_owned()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written())
    }
}

impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Environment(one), Self::Environment(other)) => one == other,
            (Self::Plain(one), Self::Plain(other)) => one.expose_secret() == other.expose_secret(),
            // What was kept of a secret says only that there was one.
            (Self::Plain(_) | Self::Kept, Self::Kept) | (Self::Kept, Self::Plain(_)) => true,
            _ => false,
        }
    }
}

impl Eq for SecretSource {}

impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::File(path) => map.serialize_entry("file", path)?,
            Self::Environment(variable) => map.serialize_entry("env", variable)?,
            Self::Plain(_) | Self::Kept => map.serialize_entry("hidden", &true)?,
        }
        map.end()
    }
}

impl Value for SecretSource {
    const KIND: Kind = Kind::Secret;

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        if let Some(text) = found.value.as_str() {
            notes.hide(found.place.clone());
            let message = format!("{} stands in the file, where everybody who reads it sees it", found.path);
            let label = "write { file = \"PATH\" } or { env = \"VARIABLE\" }";
            notes.add(Code::PlainSecret, found.place.clone(), message, label);
            return Some(Self::Plain(SecretString::from(text)));
        }
        let Some(table) = found.value.as_table() else {
            notes.hide(found.place.clone());
            found.wrong_type("{ file = \"PATH\" }, { env = \"VARIABLE\" } or a text in quotes", notes);
            return None;
        };
        let mut sources = Vec::new();
        for (key, value) in table {
            let place = |span| {
                if found.exact { Place { source: found.place.source, span } } else { found.place.clone() }
            };
            let key = At { value: key.get_ref().to_string(), place: place(key.span()) };
            let path = format!("{}.{}", found.path, key.value);
            let inside = Found {
                path: &path,
                value: value.get_ref(),
                place: place(value.span()),
                exact: found.exact,
                entries: &[],
            };
            match key.value.as_str() {
                "file" => sources.push(FilePath::read(&inside, notes).map(Self::File)),
                "env" => sources.push(Line::read(&inside, notes).map(Self::Environment)),
                "hidden" => sources.push(bool::read(&inside, notes).map(|_| Self::Kept)),
                other => {
                    notes.hide(inside.place.clone());
                    let label = nearest(other, ["file", "env"].into_iter()).map_or_else(
                        || "possible here: file, env".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    notes.add(Code::UnknownKey, key.place, format!("a secret has no {other}"), label);
                    sources.push(None);
                }
            }
        }
        if sources.len() != 1 {
            let message = format!("{} is in one place", found.path);
            notes.add(
                Code::Conflict,
                found.place.clone(),
                message,
                "either { file = \"PATH\" } or { env = \"VARIABLE\" }",
            );
            return None;
        }
        sources.pop().flatten()
    }
}
