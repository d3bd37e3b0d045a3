//! From Rust types to definitions that an API server accepts: what the derived schemas still need.

use std::{borrow::Cow, marker::PhantomData};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::postgres_cluster::PostgresCluster;

/// A rule in Kubernetes' expression language that a value must fulfil.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The expression; `self` is the value.
    pub(crate) rule: &'static str,
    /// What to do when it isn't fulfilled.
    pub(crate) message: &'static str,
}

/// The rules as the schema keyword `x-kubernetes-validations` wants them.
pub(crate) fn rules(rules: &[Rule]) -> Value {
    rules.iter().map(|rule| json!({ "rule": rule.rule, "message": rule.message })).collect()
}

/// Stands for an object whose fields are somebody else's business.
pub(crate) struct FreeObject;

impl JsonSchema for FreeObject {
    fn schema_name() -> Cow<'static, str> {
        "FreeObject".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// Stands for `T` in schemas, without its descriptions.
///
/// The descriptions of all embedded core types would make up most of the definition, and anybody can look them up.
/// The description of an enumeration would replace that of an optional field that has its type.
pub(crate) struct Bare<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Bare<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        if let Some(object) = schema.as_object_mut() {
            walk(object, &mut |schema| {
                allow_missing_reference_name(schema);
                schema.remove("description");
            });
        }
        schema
    }
}

/// All definitions, as they are installed.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![definition()]
}

/// The definition of `PostgresCluster`, as it is installed.
#[must_use]
pub fn definition() -> CustomResourceDefinition {
    let mut definition = PostgresCluster::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            finish(schema);
        }
    }
    definition
}

/// A definition as a document for people and for `kubectl apply`: like its serialization, but with whole numbers
/// where it has `1024.0`.
///
/// # Errors
/// When the definition can't be serialized, which takes a number that JSON has no word for.
pub fn manifest(definition: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut manifest = serde_json::to_value(definition)?;
    make_whole(&mut manifest);
    Ok(manifest)
}

/// Turns floating-point numbers without a fraction into whole ones.
fn make_whole(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Number(number) => {
            let text = number.to_string();
            if let Some(whole) = text.strip_suffix(".0").and_then(|whole| whole.parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Makes a derived schema one that an API server takes and a person reads.
///
/// Nothing is `nullable`: the server then drops an explicit `null`, or puts the default in its place, which is what
/// people mean by a key with nothing after it.
fn finish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    // Only the name of the Rust type.
    schema.title = None;
    if let Some(properties) = &mut schema.properties {
        properties.values_mut().for_each(finish);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => finish(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(finish),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        finish(values);
    }
}

/// References to other objects used to be valid without a name, and Kubernetes still takes them; so do we.
fn allow_missing_reference_name(schema: &mut Map<String, Value>) {
    let name = schema.get_mut("properties").and_then(|properties| properties.get_mut("name"));
    let Some(Value::Object(name)) = name else { return };
    let description = name.get("description").and_then(Value::as_str).unwrap_or_default();
    // Nothing but its description tells such a name from others.
    if description.contains("due to backwards compatibility is allowed to be empty") {
        name.insert("default".into(), "".into());
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|field| field != "name");
        }
    }
}

/// Visits a schema and all schemas in it, outer ones first.
fn walk(schema: &mut Map<String, Value>, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    visit(schema);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            walk(property, visit);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(keyword) {
            walk(inner, visit);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
