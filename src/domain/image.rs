//! References to container images.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A reference such as `registry.example.com:5000/postgres/postgres:17` or `…@sha256:…`, known to be well formed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference(String);

/// Why a text is no reference to an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImage {
    /// Nothing there.
    #[error("an image can't be empty")]
    Empty,
    /// A part of the path is malformed.
    #[error(
        "{0:?} is not allowed in an image's path: lowercase letters and digits, joined by \".\", \"_\" or \"-\""
    )]
    Path(String),
    /// The tag is malformed.
    #[error("{0:?} is no tag: up to 128 letters, digits, \"_\", \".\" and \"-\"")]
    Tag(String),
    /// The digest is malformed.
    #[error("{0:?} is no digest: sha256: and 64 hexadecimal digits")]
    Digest(String),
    /// Neither tag nor digest, which would mean whatever is newest.
    #[error("a tag or a digest is missing; without one it would mean whatever is newest")]
    NoVersion,
}

impl ImageReference {
    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageReference {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        if text.is_empty() {
            return Err(InvalidImage::Empty);
        }
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        // A colon after the last slash begins the tag; one before it belongs to the registry's port.
        let name_start = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (path, tag) = rest[name_start..].find(':').map_or((rest, None), |colon| {
            (&rest[..name_start + colon], Some(&rest[name_start + colon + 1..]))
        });
        check_path(path)?;
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        if let Some(digest) = digest {
            check_digest(digest)?;
        }
        if tag.is_none() && digest.is_none() {
            return Err(InvalidImage::NoVersion);
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_path(path: &str) -> Result<(), InvalidImage> {
    let mut parts = path.split('/').peekable();
    if let Some(first) = parts.peek().copied()
        && path.contains('/')
        && (first.contains(['.', ':']) || first == "localhost")
    {
        check_registry(first)?;
        parts.next();
    }
    for part in parts {
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let good = part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|letter| plain(letter) || matches!(letter, '.' | '_' | '-'));
        if !good {
            return Err(InvalidImage::Path(part.to_owned()));
        }
    }
    Ok(())
}

fn check_registry(registry: &str) -> Result<(), InvalidImage> {
    let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
    let alphanumeric = |letter: char| letter.is_ascii_alphanumeric();
    let good_host = host.split('.').all(|label| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|letter| alphanumeric(letter) || letter == '-')
    });
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    if good_host && good_port { Ok(()) } else { Err(InvalidImage::Path(registry.to_owned())) }
}

fn check_tag(tag: &str) -> Result<(), InvalidImage> {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let good = tag.len() <= 128
        && tag.starts_with(word)
        && tag.chars().all(|letter| word(letter) || matches!(letter, '.' | '-'));
    if good { Ok(()) } else { Err(InvalidImage::Tag(tag.to_owned())) }
}

fn check_digest(digest: &str) -> Result<(), InvalidImage> {
    let good = digest
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|digit| digit.is_ascii_hexdigit()));
    if good { Ok(()) } else { Err(InvalidImage::Digest(digest.to_owned())) }
}

impl TryFrom<String> for ImageReference {
    type Error = InvalidImage;

    fn try_from(text: String) -> Result<Self, InvalidImage> {
        text.parse()
    }
}

impl From<ImageReference> for String {
    fn from(image: ImageReference) -> Self {
        image.0
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_references_pass() {
        let digest = format!("registry:5000/a/b@sha256:{}", "0f".repeat(32));
        for text in
            ["localhost/postgres:17", "registry.example.com:5000/a/b_c:v1.2-3", "postgres:17", &digest]
        {
            assert_eq!(text.parse::<ImageReference>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn malformed_references_say_why() {
        let parse = |text: &str| text.parse::<ImageReference>().unwrap_err();
        assert_eq!(parse(""), InvalidImage::Empty);
        assert_eq!(parse("localhost/postgres"), InvalidImage::NoVersion);
        assert_eq!(parse("registry:5000/postgres"), InvalidImage::NoVersion);
        assert_eq!(parse("localhost/Postgres:17"), InvalidImage::Path("Postgres".into()));
        assert_eq!(parse("localhost//postgres:17"), InvalidImage::Path(String::new()));
        assert_eq!(parse("postgres:"), InvalidImage::Tag(String::new()));
        assert_eq!(parse("postgres:1 7"), InvalidImage::Tag("1 7".into()));
        assert_eq!(parse("postgres@sha256:12"), InvalidImage::Digest("sha256:12".into()));
    }
}
