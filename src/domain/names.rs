//! Names that Kubernetes and pgherd accept, parsed once and then known to be right.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing there.
    #[error("a {0} can't be empty")]
    Empty(&'static str),
    /// Too long.
    #[error("a {kind} has at most {limit} characters, this has {length}")]
    TooLong {
        /// What it was to name.
        kind: &'static str,
        /// The most characters there may be.
        limit: usize,
        /// The characters there are.
        length: usize,
    },
    /// A character that may not be there.
    #[error("a {kind} consists of {allowed}; {found:?} is not allowed")]
    Character {
        /// What it was to name.
        kind: &'static str,
        /// What it may consist of.
        allowed: &'static str,
        /// The first character that it may not.
        found: char,
    },
    /// Begins or ends with a separator.
    #[error("a {0} begins and ends with a lowercase letter or a digit")]
    Edge(&'static str),
    /// Begins with something else than a letter.
    #[error("a {0} begins with a lowercase letter")]
    Start(&'static str),
}

/// What the characters of a name may be.
#[derive(Clone, Copy)]
enum Shape {
    /// Letters, digits and hyphens.
    Label,
    /// The same, beginning with a letter, since Services are named after it.
    LetterFirst,
    /// Labels joined by dots.
    Subdomain,
}

fn check(text: &str, kind: &'static str, limit: usize, shape: Shape) -> Result<(), InvalidName> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let dots = matches!(shape, Shape::Subdomain);
    let allowed = if dots {
        "lowercase letters, digits, \"-\" and \".\""
    } else {
        "lowercase letters, digits and \"-\""
    };
    if text.is_empty() {
        return Err(InvalidName::Empty(kind));
    }
    if let Some(found) =
        text.chars().find(|&letter| !(plain(letter) || letter == '-' || dots && letter == '.'))
    {
        return Err(InvalidName::Character { kind, allowed, found });
    }
    if text.len() > limit {
        return Err(InvalidName::TooLong { kind, limit, length: text.len() });
    }
    if text.split('.').any(|label| !(label.starts_with(plain) && label.ends_with(plain))) {
        return Err(InvalidName::Edge(kind));
    }
    if matches!(shape, Shape::LetterFirst) && text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(InvalidName::Start(kind));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $limit:literal, $shape:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text, $kind, $limit, Shape::$shape).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name!(
    /// The name of a namespace.
    NamespaceName, "namespace", 63, Label
);
name!(
    /// The name of any other Kubernetes object.
    ObjectName, "name", 253, Subdomain
);
name!(
    /// The name of an installation. Objects are named after it with a suffix, and it is a label's value.
    InstallationName, "name of an installation", 40, LetterFirst
);
name!(
    /// The name of a database cluster. It leaves room for what names of its instances, and a hash of theirs, add to it.
    ClusterName, "name of a cluster", 42, LetterFirst
);
name!(
    /// The name of a database user, which is part of the name of its Secret.
    UserName, "user", 63, Label
);
name!(
    /// The name that an inventory gives a storage or a set of resources.
    SettingName, "name", 63, Label
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_kept_as_they_are() {
        for text in ["a", "orders", "a-1", "0a"] {
            assert_eq!(text.parse::<NamespaceName>().unwrap().as_str(), text);
        }
        assert!("fast.example.com".parse::<ObjectName>().is_ok());
    }

    #[test]
    fn bad_names_say_why() {
        let long = "x".repeat(64);
        let cases = [
            ("", "a namespace can't be empty"),
            ("Orders", "a namespace consists of lowercase letters, digits and \"-\"; 'O' is not allowed"),
            ("a.b", "a namespace consists of lowercase letters, digits and \"-\"; '.' is not allowed"),
            ("-a", "a namespace begins and ends with a lowercase letter or a digit"),
            (&long, "a namespace has at most 63 characters, this has 64"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<NamespaceName>().unwrap_err().to_string(), expected, "{text:?}");
        }
        assert!("a..b".parse::<ObjectName>().is_err());
        assert!("1st".parse::<InstallationName>().is_err());
    }

    #[test]
    fn serde_goes_through_the_same_door() {
        assert!(serde_json::from_str::<NamespaceName>("\"a b\"").is_err());
        assert_eq!(serde_json::to_string(&"a".parse::<NamespaceName>().unwrap()).unwrap(), "\"a\"");
    }
}
