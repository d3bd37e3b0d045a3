//! Reads an old value as what it is now.

use toml::Value;

use super::keys::Form;
use crate::domain::{
    names::{InstallationName, NamespaceName, ObjectName, UserName},
    quantity::Quantity,
};

/// A value that was understood.
#[derive(Debug, PartialEq)]
pub(super) struct Converted {
    /// None when there is nothing to write.
    pub(super) value: Option<Value>,
    /// What a reader of the report should know.
    pub(super) note: Option<String>,
    /// Whether it means something else than it did, so that the report tells of it among what changed.
    pub(super) changed: bool,
}

impl From<Value> for Converted {
    fn from(value: Value) -> Self {
        Self { value: Some(value), note: None, changed: false }
    }
}

/// Reads a text that isn't empty. The error says why it can't be read, and what to do.
pub(super) fn convert(form: Form, text: &str) -> Result<Converted, String> {
    let text = text.trim();
    match form {
        Form::Bool => boolean(text).map(|value| Value::Boolean(value).into()),
        Form::Inverted => boolean(text).map(|value| Value::Boolean(!value).into()),
        Form::Number(least, most) => number(text, least, most).map(|value| Value::Integer(value).into()),
        Form::Seconds => number(text, 0, 8_000_000_000).map(|value| Value::String(seconds(value)).into()),
        Form::Milliseconds => {
            number(text, -1, 2_147_483_647).map(|value| Value::String(milliseconds(value)).into())
        }
        Form::Days => match number(text, 0, 100_000)? {
            0 => Ok(Converted {
                value: None,
                note: Some("0 means that passwords never expire, as without it".to_owned()),
                changed: false,
            }),
            days => Ok(Value::String(format!("{days}d")).into()),
        },
        Form::Text => line(text).map(|text| Value::String(text).into()),
        Form::Path => path(text).map(|text| Value::String(text).into()),
        Form::Address => address(text),
        Form::Namespace => checked::<NamespaceName>(text),
        Form::Installation => checked::<InstallationName>(text),
        Form::Object => checked::<ObjectName>(text),
        Form::User => user(text),
        Form::Database => database(text).map(|text| Value::String(text).into()),
        Form::Bucket => bucket(text).map(|text| Value::String(text).into()),
        Form::Namespaces => list(text, parsed::<NamespaceName>),
        Form::Objects => list(text, parsed::<ObjectName>),
        Form::Paths => list(text, path),
        Form::List => list(text, line),
        Form::Routes => list(text, route),
        Form::Choice(choices) => choice(text, choices).map(|text| Value::String(text).into()),
        Form::Secret(_) | Form::StorageName | Form::ResourceName | Form::Part => {
            Ok(Value::String(text.to_owned()).into())
        }
    }
}

/// True or false, as Ansible's filter `bool` has it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Ok(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Ok(false),
        _ => Err(format!("\"{text}\" is neither true nor false")),
    }
}

/// A whole number within bounds.
pub(super) fn number(text: &str, least: i64, most: i64) -> Result<i64, String> {
    let number: i64 = text.parse().map_err(|_| format!("\"{text}\" is no whole number"))?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{number} is not from {least} to {most}"))
    }
}

/// A quantity.
pub(super) fn quantity(text: &str) -> Result<Quantity, String> {
    let quantity: Quantity =
        text.parse().map_err(|error: crate::domain::quantity::QuantityError| error.to_string())?;
    if text.starts_with('-') { Err(format!("\"{text}\" is negative")) } else { Ok(quantity) }
}

/// One of a few texts.
pub(super) fn choice(text: &str, choices: &[&str]) -> Result<String, String> {
    if choices.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("\"{text}\" is none of {}", choices.join(", ")))
}

/// Texts with commas between, without those that are empty or there twice.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn list(text: &str, item: impl Fn(&str) -> Result<String, String>) -> Result<Converted, String> {
    let mut values = Vec::new();
    for text in items(text) {
        let value = Value::String(item(text)?);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let note = values.is_empty().then(|| "it names nothing".to_owned());
    Ok(Converted { value: (!values.is_empty()).then_some(Value::Array(values)), note, changed: false })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<String, String> {
    text.parse::<T>().map(|_| text.to_owned()).map_err(|error| format!("\"{text}\": {error}"))
}

fn checked<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Converted, String> {
    parsed::<T>(text).map(|text| Value::String(text).into())
}

fn line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        Err("it has more than one line".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn path(text: &str) -> Result<String, String> {
    if text.ends_with('/') { Err(format!("\"{text}\" is a folder and no file")) } else { line(text) }
}

fn route(text: &str) -> Result<String, String> {
    if text.starts_with('/') && !text.contains([' ', '?', '#']) {
        line(text)
    } else {
        Err(format!("\"{text}\" is no path of an address; it begins with /"))
    }
}

fn database(text: &str) -> Result<String, String> {
    if text.len() > 63 || ["template0", "template1"].contains(&text) {
        return Err(format!("no database can be called \"{text}\""));
    }
    line(text)
}

fn bucket(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let good = (3..=63).contains(&text.len())
        && text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|letter| plain(letter) || matches!(letter, '-' | '.'));
    if good {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no name of a bucket: 3 to 63 lowercase letters, digits, \"-\" and \".\""))
    }
}

/// A database user. It is part of the name of a Secret now, where `_` can't be. Only clusters to come get this user, so another
/// spelling harms nobody, and stopping would: `_` is usual in names of users.
fn user(text: &str) -> Result<Converted, String> {
    let name = text.replace('_', "-");
    if let Err(error) = name.parse::<UserName>() {
        return Err(format!("\"{text}\": {error}"));
    }
    let changed = name != text;
    let note = changed.then(|| {
        "\"-\" stands for \"_\", since the user's Secret has the name too; this is about new clusters only, users that \
         exist keep their names"
            .to_owned()
    });
    Ok(Converted { value: Some(Value::String(name)), note, changed })
}

/// A host. pgBackRest and pgherd speak HTTPS and want no scheme.
fn address(text: &str) -> Result<Converted, String> {
    let host = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
    if host.is_empty()
        || host.contains("://")
        || host.contains(['/', ' ', '@'])
        || host.chars().any(char::is_control)
    {
        return Err(format!("\"{text}\" is no host with or without a port"));
    }
    let note = (host != text).then(|| "without https://, which goes without saying".to_owned());
    Ok(Converted { value: Some(Value::String(host.to_owned())), note, changed: false })
}

/// Seconds, in the largest unit that shows them whole.
fn seconds(seconds: i64) -> String {
    match seconds {
        _ if seconds >= 3_600 && seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        _ if seconds >= 120 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn milliseconds(milliseconds: i64) -> String {
    match milliseconds {
        -1 => "off".to_owned(),
        _ if milliseconds % 1_000 == 0 => seconds(milliseconds / 1_000),
        _ => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, text: &str) -> String {
        match convert(form, text) {
            Ok(converted) => converted.value.map_or_else(|| "-".to_owned(), |value| value.to_string()),
            Err(why) => why,
        }
    }

    #[test]
    fn values_become_what_they_are_now() {
        let cases = [
            (Form::Bool, "Yes", "true"),
            (Form::Inverted, "false", "true"),
            (Form::Bool, "maybe", "\"maybe\" is neither true nor false"),
            (Form::Number(1, 65_535), "8443", "8443"),
            (Form::Number(1, 65_535), "0", "0 is not from 1 to 65535"),
            (Form::Number(1, 65_535), "x", "\"x\" is no whole number"),
            (Form::Seconds, "60", "\"60s\""),
            (Form::Seconds, "3600", "\"1h\""),
            (Form::Seconds, "300", "\"5m\""),
            (Form::Seconds, "0", "\"0s\""),
            (Form::Milliseconds, "60000", "\"60s\""),
            (Form::Milliseconds, "250", "\"250ms\""),
            (Form::Milliseconds, "-1", "\"off\""),
            (Form::Days, "60", "\"60d\""),
            (Form::Days, "0", "-"),
            (Form::Namespaces, "a, b,,a", "[\"a\", \"b\"]"),
            (Form::Namespaces, ",", "-"),
            (Form::Address, "https://s3.example.com:9000/", "\"s3.example.com:9000\""),
            (Form::Address, "http://x", "\"http://x\" is no host with or without a port"),
            (Form::Choice(&["a", "b"]), "c", "\"c\" is none of a, b"),
            (Form::Routes, "health", "\"health\" is no path of an address; it begins with /"),
            (Form::List, "*", "[\"*\"]"),
            (Form::User, "app", "\"app\""),
            (Form::User, "test_user", "\"test-user\""),
            (Form::User, "_app", "\"_app\": a user begins and ends with a lowercase letter or a digit"),
        ];
        for (form, text, expected) in cases {
            assert_eq!(read(form, text), expected, "{form:?} {text}");
        }
        assert!(quantity("1X").is_err() && quantity("-1Gi").is_err() && quantity("300M").is_ok());
    }
}
