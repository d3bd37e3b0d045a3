//! Files beside the inventory that objects are made of.

use std::{path::Path, sync::Arc};

use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;
use serde::Deserialize as _;
use serde_json::Value;

use super::record::dynamic;
use crate::{domain::names::ObjectName, inventory::Inventory, pki::Authority};

/// Types of Secrets that images are pulled with.
const PULL_TYPES: [&str; 2] = ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"];

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// It is no manifest of Secrets to pull images with.
    #[error("{file}: {reason}")]
    Manifest {
        /// The file.
        file: String,
        /// Why; without anything of its contents.
        reason: String,
    },
}

/// What was read.
#[derive(Clone, Default)]
pub struct Files {
    names: Vec<ObjectName>,
    secrets: Vec<Secret>,
    authority: Option<Arc<Authority>>,
}

impl Files {
    /// Reads every file that an inventory names. Their paths are relative to `folder`, where the inventory is.
    ///
    /// # Errors
    /// When one can't be read, or isn't what it should be.
    pub fn read(inventory: &Inventory, folder: &Path) -> Result<Self, FileError> {
        let mut files = Self { names: inventory.images.pull_secrets.clone(), ..Self::default() };
        for manifest in &inventory.images.written.pull_secret_manifests {
            let path = folder.join(manifest.as_str());
            let text = fs_err::read_to_string(&path).map_err(FileError::Read)?;
            for secret in pull_secrets(&path.display().to_string(), &text)? {
                let name: Option<ObjectName> =
                    secret.metadata.name.as_deref().and_then(|name| name.parse().ok());
                if let Some(name) = name.filter(|name| !files.names.contains(name)) {
                    files.names.push(name);
                }
                files.secrets.push(secret);
            }
        }
        Ok(files)
    }

    /// The same without anything secret.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { names: self.names, ..Self::default() }
    }

    /// The same with an authority of the user's.
    #[must_use]
    pub fn with_authority(self, authority: Option<Arc<Authority>>) -> Self {
        Self { authority, ..self }
    }

    /// The authority of the user's.
    pub(super) fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    /// Names of all Secrets that images are pulled with.
    #[must_use]
    pub fn pull_secret_names(&self) -> &[ObjectName] {
        &self.names
    }

    /// The Secrets of the manifests.
    #[must_use]
    pub fn given_secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The Secrets of the manifests, once for each namespace.
    pub(super) fn pull_secrets<'a>(
        &self,
        namespaces: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<DynamicObject>, super::Error> {
        let mut objects = Vec::new();
        for namespace in namespaces {
            for secret in &self.secrets {
                let mut secret = secret.clone();
                secret.metadata.namespace = Some(namespace.to_owned());
                objects.push(dynamic(&secret)?);
            }
        }
        Ok(objects)
    }
}

/// What it holds stays out of logs.
impl std::fmt::Debug for Files {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Files").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The Secrets in a manifest, reduced to what makes them what they are.
fn pull_secrets(file: &str, text: &str) -> Result<Vec<Secret>, FileError> {
    let wrong = |reason: &str| FileError::Manifest { file: file.to_owned(), reason: reason.to_owned() };
    // What a parser says of a mistake may quote the line, and with it the password.
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|_| wrong("it isn't YAML"))?;
    let mut secrets = Vec::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        if document.get("kind").and_then(Value::as_str) != Some("Secret") {
            return Err(wrong("it holds something else than Secrets"));
        }
        let found = Secret::deserialize(document).map_err(|_| wrong("a Secret in it is malformed"))?;
        let name = found.metadata.name.ok_or_else(|| wrong("a Secret in it has no name"))?;
        if name.parse::<ObjectName>().is_err() {
            return Err(wrong("a Secret in it has a name that Kubernetes doesn't accept"));
        }
        let kind = found.type_.unwrap_or_default();
        if !PULL_TYPES.contains(&kind.as_str()) {
            return Err(wrong(&format!("the Secret {name} isn't of type {}", PULL_TYPES.join(" or "))));
        }
        let mut data = found.data.unwrap_or_default();
        for (key, value) in found.string_data.unwrap_or_default() {
            data.insert(key, k8s_openapi::ByteString(value.into_bytes()));
        }
        let mut secret = Secret { type_: Some(kind), data: Some(data), ..Secret::default() };
        secret.metadata.name = Some(name);
        secrets.push(secret);
    }
    if secrets.is_empty() {
        return Err(wrong("it holds nothing"));
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: pull, namespace: elsewhere, labels: {a: b}}\n\
                        type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{}'}\n";

    #[test]
    fn a_manifest_is_reduced_to_name_type_and_data() {
        let secrets = pull_secrets("pull.yaml", GOOD).unwrap();
        let [secret] = secrets.as_slice() else { panic!("{secrets:?}") };
        assert_eq!(secret.metadata.namespace, None);
        assert_eq!(secret.metadata.labels, None);
        assert_eq!(secret.data.as_ref().unwrap()[".dockerconfigjson"].0, b"{}");
    }

    #[test]
    fn what_isnt_a_pull_secret_is_refused_without_showing_it() {
        let cases = [
            ("kind: ConfigMap\nmetadata: {name: x}\n", "something else than Secrets"),
            (
                "kind: Secret\ntype: Opaque\nmetadata: {name: x}\nstringData: {password: hunter2}\n",
                "isn't of type",
            ),
            ("kind: Secret\nstringData: [hunter2\n", "it isn't YAML"),
            ("kind: Secret\ntype: Opaque\n", "has no name"),
            ("\n", "it holds nothing"),
        ];
        for (text, expected) in cases {
            let error = pull_secrets("pull.yaml", text).unwrap_err().to_string();
            assert!(error.starts_with("pull.yaml: ") && error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
