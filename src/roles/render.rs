//! From templates to objects.

use kube::api::DynamicObject;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use tera::{Kwargs, State, Tera};

use super::{Error, Role};

/// Renders every template of a role. A template may hold several documents, or none.
///
/// # Errors
/// When a template can't be rendered, or renders to something else than objects.
pub(super) fn render(role: &Role, values: &impl Serialize) -> Result<Vec<DynamicObject>, Error> {
    let mut tera = Tera::new();
    // Escaping is for HTML; here the filter quotes.
    tera.autoescape_on(Vec::<&str>::new());
    // Any value as YAML on one line: JSON is YAML that leaves no doubt.
    tera.register_filter("yaml", |value: tera::Value, _: Kwargs, _: &State<'_>| {
        if value.is_undefined() {
            return Err(tera::Error::message("there is no such value"));
        }
        serde_json::to_string(&value).map_err(|error| tera::Error::message(error.to_string()))
    });
    let context =
        tera::Context::from_serialize(values).map_err(|error| template_error(&role.name, &error))?;
    let mut objects = Vec::new();
    for (file, text) in &role.templates {
        tera.add_raw_template(file, text).map_err(|error| template_error(file, &error))?;
        let yaml = tera.render(file, &context).map_err(|error| template_error(file, &error))?;
        objects.extend(parse(file, &yaml)?);
    }
    Ok(objects)
}

fn parse(file: &str, yaml: &str) -> Result<Vec<DynamicObject>, Error> {
    let wrong = |reason: String| Error::Object { file: file.to_owned(), reason };
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| wrong(error.to_string()))?;
    (documents.into_iter().filter(|document| !document.is_null()))
        .map(|document| {
            let object = DynamicObject::deserialize(document).map_err(|error| wrong(error.to_string()))?;
            match (&object.types, &object.metadata.name) {
                (Some(_), Some(_)) => Ok(object),
                _ => Err(wrong("apiVersion, kind or metadata.name is missing".to_owned())),
            }
        })
        .collect()
}

fn template_error(file: &str, error: &tera::Error) -> Error {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    Error::Template { file: file.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(text: &str) -> Role {
        Role {
            name: "test".into(),
            description: String::new(),
            wave: 1,
            templates: vec![("test.yaml".into(), text.into())],
        }
    }

    #[test]
    fn values_that_look_like_something_else_stay_text() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: {{ a | yaml }}}\n";
        for value in ["yes", "1e3", "a: b\n- c", "\"'", "{{ x }}", "# no"] {
            let objects = render(&role(text), &json!({"a": value})).unwrap();
            assert_eq!(objects[0].data["data"]["a"], json!(value));
        }
    }

    #[test]
    fn mistakes_in_templates_are_told_with_their_file() {
        let unknown = render(&role("a: {{ missing | yaml }}"), &json!({})).unwrap_err();
        assert!(unknown.to_string().starts_with("test.yaml: "), "{unknown}");
        let nameless = render(&role("apiVersion: v1\nkind: ConfigMap\n"), &json!({})).unwrap_err();
        assert!(nameless.to_string().contains("metadata"), "{nameless}");
    }
}
