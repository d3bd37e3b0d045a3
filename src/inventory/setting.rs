//! What is known of every setting: the one source of help, schema, reference and of the reading itself.

/// One setting, or a table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in its table; `storage<ID>` for a table that is there once for each number.
    pub key: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    /// What values it has.
    pub kind: Kind,
    /// What there is when it is not there.
    pub need: Need,
    /// What inventories of the 4.x installer called it.
    pub old: &'static [&'static str],
    /// Whether this version does something with it.
    pub effective: bool,
    /// The first version that knows it.
    pub since: &'static str,
}

impl Setting {
    /// Whether it is a table of settings.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.kind, Kind::Table(_))
    }

    /// Its default as TOML, if it has one.
    #[must_use]
    pub fn default(&self) -> Option<&'static str> {
        match self.need {
            Need::Default(value) => Some(value),
            Need::Required | Need::Optional(_) => None,
        }
    }
}

/// What values a setting has.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// True or false.
    Bool,
    /// A whole number within bounds.
    Integer {
        /// The smallest.
        least: u32,
        /// The largest.
        most: u32,
    },
    /// A text of a certain form.
    Text {
        /// What it is, such as "an image".
        what: &'static str,
        /// One that is right.
        example: &'static str,
    },
    /// One of a few texts, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// Several values.
    List(&'static Kind),
    /// A table whose keys are not settings.
    Map {
        /// What the keys are.
        key: &'static str,
        /// What the values are.
        value: &'static Kind,
    },
    /// A secret: a file, a variable, or the text itself.
    Secret,
    /// A table of settings.
    Table(&'static [Setting]),
}

/// What there is when a setting is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has to be there.
    Required,
    /// What happens without it.
    Optional(&'static str),
    /// This value, as TOML.
    Default(&'static str),
}

impl Kind {
    /// What it is in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Text { what, example } => format!("{what}, such as `\"{example}\"`"),
            Self::Choice(choices) => {
                let names: Vec<String> = choices.iter().map(|(name, _)| format!("`\"{name}\"`")).collect();
                format!("one of {}", names.join(", "))
            }
            Self::List(kind) => format!("a list; each: {}", kind.describe()),
            Self::Map { key, value } => format!("a table; keys: {key}; values: {}", value.describe()),
            Self::Secret => {
                "a secret: `{ file = \"PATH\" }`, `{ env = \"VARIABLE\" }`, or the text itself".to_owned()
            }
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// A setting and its full path.
#[derive(Clone, Debug)]
pub struct Named {
    /// Such as `storage<ID>.size`.
    pub path: String,
    /// The setting.
    pub setting: Setting,
}

/// Every setting under some, depth first, in the order in which a file would have them; tables come before what is in them.
#[must_use]
pub fn flatten(settings: &[Setting], prefix: &str) -> Vec<Named> {
    let mut all = Vec::new();
    for setting in settings {
        let path = format!("{prefix}{}", setting.key);
        all.push(Named { path: path.clone(), setting: *setting });
        if let Kind::Table(inner) = setting.kind {
            all.extend(flatten(inner, &format!("{path}.")));
        }
    }
    all
}
