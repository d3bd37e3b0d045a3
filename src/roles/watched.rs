//! In which namespaces an installation looks after databases: those that its inventory lists and, where its mode goes by the
//! label, those that carry it. Whoever looks for clusters of an installation asks here, so that none is overlooked.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::labels;
use crate::{
    inventory::{Inventory, NamespaceMode},
    k8s::{self, Doing as _, Kind},
};

/// The namespaces of an installation, as far as they can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Their names. A listed one needn't exist.
    pub names: BTreeSet<String>,
    /// Why there may be more of them; `None` when these are all.
    pub unseen: Option<String>,
}

impl Watched {
    /// Looks for them. Who may not list namespaces gets those of the inventory.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub async fn find(client: &Client, inventory: &Inventory) -> Result<Self, k8s::Error> {
        let mut names: BTreeSet<String> = inventory.watched().iter().map(ToString::to_string).collect();
        if inventory.namespaces.mode == NamespaceMode::Disabled {
            return Ok(Self { names, unseen: None });
        }
        let selector = format!("{}={}", labels::NAMESPACE, labels::namespace_label(&inventory.installation));
        let api: Api<Namespace> = Api::all(client.clone());
        match api.list_metadata(&ListParams::default().labels(&selector)).await.doing(|| "list namespaces") {
            Ok(found) => {
                names.extend(found.items.iter().map(kube::ResourceExt::name_any));
                Ok(Self { names, unseen: None })
            }
            Err(error) if error.kind() == Kind::Forbidden => {
                let unseen = format!("only listed namespaces are looked at: {}", error.message());
                Ok(Self { names, unseen: Some(unseen) })
            }
            Err(error) => Err(error),
        }
    }
}

/// A namespace, and what it says of who looks after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    name: &'a str,
    label: Option<String>,
}

impl<'a> Place<'a> {
    /// Looks at a namespace. One that isn't there, or that the caller may not look at, has no label as far as can be seen.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub async fn look(client: &Client, name: &'a str) -> Result<Self, k8s::Error> {
        let api: Api<Namespace> = Api::all(client.clone());
        let found = api.get_metadata_opt(name).await.doing(|| format!("look at namespace {name}"));
        let label = match found {
            Ok(found) => found.and_then(|found| found.labels().get(labels::NAMESPACE).cloned()),
            Err(error) if error.kind() == Kind::Forbidden => None,
            Err(error) => return Err(error),
        };
        Ok(Self { name, label })
    }

    /// Whether the operator of an inventory looks after it.
    #[must_use]
    pub fn watched_by(&self, inventory: &Inventory) -> bool {
        let by_label = inventory.namespaces.mode != NamespaceMode::Disabled;
        inventory.watched().iter().any(|watched| watched.as_str() == self.name)
            || by_label && self.label.as_deref() == Some(&labels::namespace_label(&inventory.installation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_counts_where_the_mode_goes_by_it() {
        let watched = |mode: &str, name, label: Option<&str>| {
            let text = include_str!("../../inventory/minimal.toml")
                .replace("[namespaces]", &format!("[namespaces]\nmode = \"{mode}\""));
            let inventory = Inventory::parse("minimal.toml", &text).unwrap();
            Place { name, label: label.map(str::to_owned) }.watched_by(&inventory)
        };
        for mode in ["disabled", "readonly", "dynamic"] {
            assert!(watched(mode, "postgres-operator", None), "{mode}: it is listed");
            assert!(!watched(mode, "orders", None), "{mode}: it is neither listed nor labelled");
            assert!(!watched(mode, "orders", Some("elsewhere.pgherd")), "{mode}: another one's label");
            assert_eq!(watched(mode, "orders", Some("pgherd.pgherd")), mode != "disabled", "{mode}");
        }
    }
}
