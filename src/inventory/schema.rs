//! The JSON Schema of inventories, by which editors complete keys and show help.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{
    catalogue,
    setting::{Kind, Need, Setting},
};

/// The whole schema. Draft 7 is what editors of TOML understand.
#[must_use]
pub fn schema() -> Value {
    let mut schema = table(&catalogue::tables());
    let about = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Inventory of pgherd",
        "description": "Describes one installation of pgherd.",
    });
    if let (Value::Object(schema), Value::Object(about)) = (&mut schema, about) {
        schema.extend(about);
    }
    schema
}

fn table(settings: &[Setting]) -> Value {
    let (mut properties, mut patterns, mut required) = (Map::new(), Map::new(), Vec::new());
    for setting in settings {
        let schema = one(setting);
        match setting.key.strip_suffix("<ID>") {
            Some(stem) => patterns.insert(format!("^{stem}[1-9][0-9]*$"), schema),
            None => properties.insert(setting.key.to_owned(), schema),
        };
        let inner_required = match setting.kind {
            Kind::Table(inner) => inner.iter().any(|inner| inner.need == Need::Required),
            _ => false,
        };
        if setting.need == Need::Required || inner_required && !setting.key.ends_with("<ID>") {
            required.push(setting.key);
        }
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    if let Value::Object(schema) = &mut schema {
        let parts = [("properties", properties), ("patternProperties", patterns)];
        for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            schema.insert(name.to_owned(), Value::Object(part));
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
    }
    schema
}

fn one(setting: &Setting) -> Value {
    let mut schema = kind(&setting.kind);
    if let Value::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), json!(help(setting)));
        let default =
            setting.default().and_then(|text| toml::from_str::<toml::Table>(&format!("value = {text}")).ok());
        if let Some(default) = default.and_then(|mut table| table.remove("value")) {
            fields.insert("default".to_owned(), json!(default));
        }
    }
    schema
}

/// What an editor shows on a key.
fn help(setting: &Setting) -> String {
    let mut help = setting.meaning.trim().to_owned();
    match setting.need {
        Need::Optional(without) if !matches!(setting.kind, Kind::Table(_)) => {
            let _ = write!(help, " Without it: {without}.");
        }
        _ => {}
    }
    if !setting.old.is_empty() {
        let _ = write!(help, " In 4.x: {}.", setting.old.join(", "));
    }
    if !setting.effective {
        help.push_str(" This version does nothing with it yet.");
    }
    help
}

fn kind(kind_of: &Kind) -> Value {
    match kind_of {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Text { example, .. } => json!({ "type": "string", "minLength": 1, "examples": [example] }),
        Kind::Choice(choices) => {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let meanings: Vec<&str> = choices.iter().map(|(_, meaning)| meaning.trim()).collect();
            json!({ "type": "string", "enum": names, "x-taplo": { "docs": { "enumValues": meanings } } })
        }
        Kind::List(inner) => json!({ "type": "array", "uniqueItems": true, "items": kind(inner) }),
        Kind::Map { value, .. } => json!({ "type": "object", "additionalProperties": kind(value) }),
        Kind::Secret => json!({
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": false, "required": ["file"],
                  "properties": { "file": { "type": "string", "description": "A file that holds the secret." } } },
                { "type": "object", "additionalProperties": false, "required": ["env"],
                  "properties": { "env": { "type": "string", "description": "A variable that holds the secret." } } },
            ]
        }),
        Kind::Table(inner) => table(inner),
    }
}
