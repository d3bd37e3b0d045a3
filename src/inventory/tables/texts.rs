//! Texts of a certain form that only an inventory has.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        duration::WrittenDuration,
        image::{ImageReference, InvalidImage},
        names::{InstallationName, NamespaceName, ObjectName, SettingName, UserName},
        quantity::Quantity,
        schedule::Schedule,
    },
    inventory::{
        code::Code,
        notes::Notes,
        setting::Kind,
        source::At,
        value::{Found, Key, Value, text_values},
    },
};

text_values! {
    InstallationName: Name, "a name of up to 40 lowercase letters, digits and `-`, beginning with a letter", "pgherd";
    NamespaceName: Name, "the name of a namespace", "pgo";
    ObjectName: Name, "the name of a Kubernetes object", "fast";
    SettingName: Name, "a name of lowercase letters, digits and `-`", "standard";
    UserName: Name, "the name of a database user: lowercase letters, digits and `-`", "app";
    Quantity: Quantity, "a quantity", "1Gi";
    WrittenDuration: Duration, "a duration", "90s";
    Schedule: Schedule, "a schedule in the five fields of cron", "0 1 * * 0";
    Line: Text, "a text of one line", "prod-admin";
    FilePath: Text, "the path of a file, relative to the inventory's folder", "certs/ca.crt";
    DatabaseName: Text, "the name of a database", "orders";
    Digest: Text, "`sha256:` and 64 hexadecimal digits", "sha256:2c26…";
    Endpoint: Text, "a host with or without a port, without a scheme", "s3.example.com:9000";
    Route: Text, "a path that begins with `/`", "/metrics";
    Bucket: Text, "the name of a bucket: 3 to 63 lowercase letters, digits, `-` and `.`", "backups";
    LabelValue: Text, "the value of a label", "red";
    ImageName: Image, "an image; what it lacks of registry, prefix and tag comes from this table", "registry.example.com/postgres:17";
    Registry: Text, "a registry: a host with or without a port, without a path", "registry.example.com:5000";
    ImagePrefix: Text, "a path in a registry", "databases/postgres";
    ImageTag: Text, "a tag", "0.1.0";
}

impl Value for ipnet::IpNet {
    const KIND: Kind =
        Kind::Text { what: "a network: an address and a prefix length", example: "10.0.0.0/8" };

    fn read(found: &Found<'_>, notes: &Notes) -> Option<Self> {
        let text = found.text(notes)?;
        let refuse = |why: String| {
            notes.add(Code::Network, found.place.clone(), format!("{} can't be \"{text}\"", found.path), why);
        };
        match text.parse::<Self>() {
            // An address inside would be a network to PostgreSQL and a mistake to most people who wrote it.
            Ok(network) if network.trunc() != network => {
                refuse(format!("the network of this address is {}", network.trunc()));
                None
            }
            Ok(network) => Some(network),
            Err(_) => {
                refuse("write an address and a prefix length, such as 10.0.0.0/8 or fd00::/8".to_owned());
                None
            }
        }
    }
}

/// Why a text doesn't do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(&'static str);

macro_rules! texts {
    ($($(#[doc = $doc:literal])* $type:ident: $why:literal, $check:expr;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> bool = $check;
                check(text).then(|| Self(text.to_owned())).ok_or(InvalidText($why))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    )*};
}

texts! {
    /// Any text of one line.
    Line: "it has to have characters, and none that can't be seen", line;
    /// The path of a file. A relative one is relative to the inventory's folder.
    FilePath: "it has to be a path of a file", |text| line(text) && !text.ends_with('/');
    /// The name of a database.
    DatabaseName: "a database has 1 to 63 bytes of name, and template0 and template1 are taken",
        |text| line(text) && text.len() <= 63 && !["template0", "template1"].contains(&text);
    /// The digest of an image.
    Digest: "write sha256: and 64 hexadecimal digits", |text| text
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
    /// A host, with or without a port.
    Endpoint: "write a host, with or without a port, and without https:// in front", endpoint;
    /// A path of the operator's endpoint.
    Route: "it begins with / and has neither blanks nor ? nor #",
        |text| text.starts_with('/') && line(text) && !text.contains([' ', '?', '#']);
    /// The name of a bucket.
    Bucket: "a bucket has 3 to 63 lowercase letters, digits, \"-\" and \".\", and begins and ends with a letter or digit",
        |text| (3..=63).contains(&text.len()) && edges(text, alphanumeric)
            && text.chars().all(|letter| alphanumeric(letter) || matches!(letter, '-' | '.'));
    /// The value of a label.
    LabelValue: "a label's value has up to 63 letters, digits, \"-\", \"_\" and \".\", and begins and ends with a letter or digit",
        label_value;
    /// A registry.
    Registry: "write a host, with or without a port; a path belongs into images.prefix", |text| endpoint(text);
    /// A path in a registry.
    ImagePrefix: "lowercase letters, digits, \".\", \"_\" and \"-\", with / between", |text| format!("{text}/x:x").parse::<ImageReference>().is_ok();
    /// The tag of an image.
    ImageTag: "a tag has up to 128 letters, digits, \"_\", \".\" and \"-\"", |text| format!("x:{text}").parse::<ImageReference>().is_ok();
}

fn line(text: &str) -> bool {
    !text.trim().is_empty() && text.trim() == text && !text.chars().any(char::is_control)
}

fn alphanumeric(letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit()
}

fn edges(text: &str, good: impl Fn(char) -> bool + Copy) -> bool {
    text.starts_with(good) && text.ends_with(good)
}

fn endpoint(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // Colons inside brackets are an address of IPv6.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good_host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            let plain = |letter: char| letter.is_ascii_alphanumeric();
            label.len() <= 63
                && edges(label, plain)
                && label.chars().all(|letter| plain(letter) || matches!(letter, '-' | '_'))
        }),
    };
    good_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn label_value(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric();
    text.is_empty()
        || text.len() <= 63
            && edges(text, plain)
            && text.chars().all(|letter| plain(letter) || matches!(letter, '-' | '_' | '.'))
}

/// The key of a label: a name, with or without a domain and `/` in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelKey(String);

impl LabelKey {
    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key for LabelKey {
    const WHAT: &'static str = "the key of a label";

    fn read(key: &At<String>, path: &str, notes: &Notes) -> Option<Self> {
        let (domain, name) =
            key.value.rsplit_once('/').map_or((None, &*key.value), |(domain, name)| (Some(domain), name));
        let good = !name.is_empty()
            && label_value(name)
            && domain.is_none_or(|domain| domain.parse::<ObjectName>().is_ok());
        if !good {
            let message = format!("{path} can't have the key \"{}\"", key.value);
            notes.add(Code::Name, key.place.clone(), message, "it is no key of a label");
        }
        good.then(|| Self(key.value.clone()))
    }
}

/// A reference to an image that may lack a registry and a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageName(String);

impl ImageName {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it says which registry it is in. The first part of a path is a registry when it can't be a folder of one.
    #[must_use]
    pub fn has_registry(&self) -> bool {
        self.0.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) || first == "localhost")
    }

    /// Whether it says which version it is.
    #[must_use]
    pub fn has_version(&self) -> bool {
        self.0.parse::<ImageReference>().is_ok()
    }
}

impl FromStr for ImageName {
    type Err = InvalidImage;

    fn from_str(text: &str) -> Result<Self, InvalidImage> {
        match text.parse::<ImageReference>() {
            Ok(_) | Err(InvalidImage::NoVersion) => Ok(Self(text.to_owned())),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_urls() {
        for text in ["s3.eu.example.com", "minio:9000", "10.0.0.1:443", "[fd00::1]:9000", "localhost"] {
            assert!(text.parse::<Endpoint>().is_ok(), "{text}");
        }
        for text in ["https://s3.example.com", "host/path", "host:", "host:99999", "a..b", "", "[::1", "a b"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_image_knows_what_it_lacks() {
        let image = |text: &str| text.parse::<ImageName>().unwrap();
        assert!(image("localhost/postgres:17").has_registry());
        assert!(!image("databases/postgres:17").has_registry());
        assert!(!image("registry:5000/postgres").has_version());
        assert!("Postgres:17".parse::<ImageName>().is_err());
    }
}
