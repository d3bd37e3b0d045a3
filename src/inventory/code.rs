//! The stable codes of mistakes in an inventory.

use serde::{Serialize, Serializer};
use strum::IntoEnumIterator as _;

/// What kind of mistake it is. The text form (`PG-INV-12`) keeps its meaning for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumIter)]
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
    /// A storage that isn't described.
    UnknownStorage,
    /// A set of resources that isn't described.
    UnknownResource,
    /// A PostgreSQL version without an image.
    VersionWithoutImage,
    /// A limit below its request.
    LimitBelowRequest,
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
            Self::UnknownStorage => "PG-INV-12",
            Self::UnknownResource => "PG-INV-13",
            Self::VersionWithoutImage => "PG-INV-14",
            Self::LimitBelowRequest => "PG-INV-20",
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
            Self::UnknownStorage => "No `storageN` table has this name.",
            Self::UnknownResource => "No `resourceN` table has this name.",
            Self::VersionWithoutImage => "`images.postgres` has no image for this version of PostgreSQL.",
            Self::LimitBelowRequest => "A limit is lower than the request for the same resource.",
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
    fn every_id_is_its_own() {
        let ids: std::collections::BTreeSet<_> = Code::all().map(Code::id).collect();
        assert_eq!(ids.len(), Code::all().count());
    }
}
