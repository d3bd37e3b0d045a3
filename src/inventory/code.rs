//! The stable codes of mistakes in an inventory.

use serde::{Serialize, Serializer};
use strum::IntoEnumIterator as _;

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The inventory can't be used.
    Error,
    /// It can, but perhaps not as meant.
    Warning,
}

/// What kind of mistake it is. The text form (`PG-INV-12`) keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter)]
pub enum Code {
    /// The file is not TOML.
    Syntax,
    /// A key that no setting has.
    UnknownKey,
    /// A key that has to be there isn't.
    MissingKey,
    /// A text where a number should be, and the like.
    WrongType,
    /// A name that Kubernetes doesn't accept.
    Name,
    /// A malformed reference to an image.
    Image,
    /// A malformed quantity.
    Quantity,
    /// A value that is none of those possible.
    Choice,
    /// A number outside what is possible.
    Range,
    /// The same thing twice.
    Duplicate,
    /// A malformed duration.
    Duration,
    /// A storage that isn't described.
    UnknownStorage,
    /// A set of resources that isn't described.
    UnknownResource,
    /// A PostgreSQL version without an image.
    VersionWithoutImage,
    /// A malformed schedule.
    Schedule,
    /// A malformed network.
    Network,
    /// Another text that isn't what the setting takes.
    Text,
    /// A table whose number is none.
    TableNumber,
    /// A limit below its request.
    LimitBelowRequest,
    /// Two settings that exclude each other.
    Conflict,
    /// A setting that needs another one.
    Incomplete,
    /// A secret that anybody who reads the file can read.
    PlainSecret,
    /// A table that nothing refers to.
    Unused,
    /// A setting that this version does nothing with yet.
    NoEffect,
    /// A connection whose other end isn't verified.
    Unverified,
    /// A file that isn't there.
    FileMissing,
}

impl Code {
    /// The stable text form.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Syntax => "PG-INV-01",
            Self::UnknownKey => "PG-INV-02",
            Self::MissingKey => "PG-INV-03",
            Self::WrongType => "PG-INV-04",
            Self::Name => "PG-INV-05",
            Self::Image => "PG-INV-06",
            Self::Quantity => "PG-INV-07",
            Self::Choice => "PG-INV-08",
            Self::Range => "PG-INV-09",
            Self::Duplicate => "PG-INV-10",
            Self::Duration => "PG-INV-11",
            Self::UnknownStorage => "PG-INV-12",
            Self::UnknownResource => "PG-INV-13",
            Self::VersionWithoutImage => "PG-INV-14",
            Self::Schedule => "PG-INV-15",
            Self::Network => "PG-INV-16",
            Self::Text => "PG-INV-17",
            Self::TableNumber => "PG-INV-18",
            Self::LimitBelowRequest => "PG-INV-20",
            Self::Conflict => "PG-INV-21",
            Self::Incomplete => "PG-INV-22",
            Self::PlainSecret => "PG-INV-30",
            Self::Unused => "PG-INV-31",
            Self::NoEffect => "PG-INV-32",
            Self::Unverified => "PG-INV-33",
            Self::FileMissing => "PG-INV-34",
        }
    }

    /// The code with this text form, in any case of letters.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        Self::all().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// Whether it keeps the inventory from being used.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Self::PlainSecret | Self::Unused | Self::NoEffect | Self::Unverified | Self::FileMissing => {
                Level::Warning
            }
            _ => Level::Error,
        }
    }

    /// What it means, for the reference.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Syntax => "The file is not TOML.",
            Self::UnknownKey => "No setting has this key.",
            Self::MissingKey => "A setting that has no default is missing.",
            Self::WrongType => "The value is of another type than the setting, such as a text for a number.",
            Self::Name => "The name is not one that Kubernetes accepts.",
            Self::Image => "The reference to an image is malformed, or has neither tag nor digest.",
            Self::Quantity => "The quantity is malformed.",
            Self::Choice => "The value is none of those the setting has.",
            Self::Range => "The number is outside what the setting allows.",
            Self::Duplicate => "The same name is given twice.",
            Self::Duration => "The duration is malformed or out of range.",
            Self::UnknownStorage => "No `storage<ID>` table has this name.",
            Self::UnknownResource => "No `resource<ID>` table has this name.",
            Self::VersionWithoutImage => "`images.postgres` has no image for this version of PostgreSQL.",
            Self::Schedule => "The schedule is not one that cron and Kubernetes understand.",
            Self::Network => "The network is not an address with a prefix length.",
            Self::Text => "The text is not of the form that the setting takes.",
            Self::TableNumber => "A numbered table is not numbered 1, 2, 3 and so on.",
            Self::LimitBelowRequest => "A limit is lower than the request for the same resource.",
            Self::Conflict => "Two settings contradict each other.",
            Self::Incomplete => "A setting needs another one that is missing.",
            Self::PlainSecret => "A secret stands in the file, where everybody sees it who reads the file.",
            Self::Unused => "Nothing refers to this table.",
            Self::NoEffect => "This version of pgherd does nothing with this setting yet.",
            Self::Unverified => "The other end of a connection is not verified, so anybody could be there.",
            Self::FileMissing => "A file that the inventory names isn't there.",
        }
    }

    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_its_own_and_can_be_found() {
        let ids: std::collections::BTreeSet<_> = Code::all().map(Code::id).collect();
        assert_eq!(ids.len(), Code::all().count());
        assert_eq!(Code::parse("pg-inv-12"), Some(Code::UnknownStorage));
    }
}
