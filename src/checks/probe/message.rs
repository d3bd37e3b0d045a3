//! What a kubelet or a registry says, without what must not be shown.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::roles::Files;

/// Texts that are never shown: what pull secrets consist of.
#[derive(Default)]
pub(super) struct Hidden(Vec<String>);

impl Hidden {
    /// The passwords and tokens in the Secrets of an inventory's manifests.
    pub(super) fn of(files: &Files) -> Self {
        let mut texts = Vec::new();
        for data in files.given_secrets().iter().filter_map(|secret| secret.data.as_ref()) {
            for value in data.values() {
                if let Ok(value) = serde_json::from_slice(&value.0) {
                    collect(&value, &mut texts);
                }
            }
        }
        // The longest first: one may contain another.
        texts.sort_by_key(|text: &String| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    /// A message as it may be shown, on one line.
    pub(super) fn shown(&self, message: &str) -> String {
        let mut text = message.split_whitespace().map(without_credentials).collect::<Vec<_>>().join(" ");
        for hidden in &self.0 {
            text = text.replace(hidden.as_str(), "***");
        }
        text
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        match (key.as_str(), value) {
            ("password" | "identitytoken" | "registrytoken", Value::String(text)) if !text.is_empty() => {
                texts.push(text.clone());
            }
            ("auth", Value::String(text)) if !text.is_empty() => {
                texts.push(text.clone());
                let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let password = decoded.as_deref().and_then(|pair| Some(pair.split_once(':')?.1.to_owned()));
                texts.extend(password.filter(|password| !password.is_empty()));
            }
            (_, inner) => collect(inner, texts),
        }
    }
}

/// An address in a word loses its user, its password and its query, which may be a signature.
fn without_credentials(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '"', '\'']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match path.split_once('?') {
        Some((path, query)) => {
            let after = query.find(['"', '\'']).map_or("", |quote| &query[quote..]);
            format!("{scheme}://{host}{path}?***{after}")
        }
        None => format!("{scheme}://{host}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_left_of_a_message() {
        let config = r#"{"auths": {"registry.example.com": {"username": "puller", "password": "hunter2",
            "auth": "cHVsbGVyOmh1bnRlcjI="}}}"#;
        let mut texts = Vec::new();
        collect(&serde_json::from_str(config).unwrap(), &mut texts);
        let hidden = Hidden(texts);
        let message = "failed to pull \"https://puller:hunter2@registry.example.com/v2/x?token=abc\": \
                       401, sent cHVsbGVyOmh1bnRlcjI= and hunter2\nagain";
        assert_eq!(
            hidden.shown(message),
            "failed to pull \"https://registry.example.com/v2/x?***\": 401, sent *** and *** again"
        );
    }
}
