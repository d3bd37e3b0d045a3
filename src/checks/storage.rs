//! Storage classes.

use std::collections::BTreeSet;

use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, Client, ResourceExt, api::ListParams};

use super::{Code, Finding};
use crate::{
    inventory::{Inventory, StorageType},
    k8s::{Doing as _, storage_class::is_default},
};

pub(super) async fn check(client: &Client, inventory: &Inventory) -> Vec<Finding> {
    let classes: Api<StorageClass> = Api::all(client.clone());
    match classes.list(&ListParams::default()).await.doing(|| "list storage classes") {
        Ok(list) => judge(inventory, &list.items),
        Err(error) => vec![Finding::unseen(Code::StorageClass, &error)],
    }
}

fn judge(inventory: &Inventory, classes: &[StorageClass]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let names = || classes.iter().map(ResourceExt::name_any).collect::<Vec<_>>().join(", ");
    for (id, storage) in &inventory.storages {
        let who = format!("storage{id} \"{}\"", storage.name);
        if storage.r#type == StorageType::Static {
            continue;
        }
        let class = match &storage.class {
            Some(class) => classes.iter().find(|known| known.name_any() == class.as_str()),
            None => classes.iter().find(|known| is_default(known)),
        };
        match (class, &storage.class) {
            (Some(class), _) => {
                used.insert(class.name_any());
            }
            (None, Some(name)) => findings.push(Finding::failed(
                Code::StorageClass,
                format!("{who}: there is no class \"{name}\""),
                format!("The cluster has {}.", if classes.is_empty() { "none".to_owned() } else { names() }),
            )),
            (None, None) => findings.push(Finding::failed(
                Code::StorageClass,
                format!("{who} names no class, and the cluster has no default class"),
                format!(
                    "Name one with storage{id}.class: {}.",
                    if classes.is_empty() { "there is none".to_owned() } else { names() }
                ),
            )),
        }
    }
    if findings.is_empty() {
        let all: Vec<&str> = used.iter().map(String::as_str).collect();
        let text = if all.is_empty() {
            "no class is needed".to_owned()
        } else {
            format!("classes are there: {}", all.join(", "))
        };
        findings.push(Finding::ok(Code::StorageClass, text));
    }
    let fixed: Vec<String> = classes
        .iter()
        .filter(|class| used.contains(&class.name_any()) && class.allow_volume_expansion != Some(true))
        .map(|class| format!("\"{}\"", class.name_any()))
        .collect();
    if !fixed.is_empty() {
        let noun = if fixed.len() == 1 { "class" } else { "classes" };
        findings.push(Finding::warning(
            Code::VolumeExpansion,
            format!("{noun} {} can't grow volumes", fixed.join(", ")),
            "Volumes of new clusters can't be resized. Set allowVolumeExpansion on the class if its provisioner can.",
        ));
    } else if !used.is_empty() {
        findings.push(Finding::ok(Code::VolumeExpansion, "volumes can grow"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Outcome, *};

    fn class(name: &str, default: bool, grows: bool) -> StorageClass {
        serde_json::from_value(json!({
            "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default.to_string()}},
            "provisioner": "example.com/disks", "allowVolumeExpansion": grows,
        }))
        .unwrap()
    }

    fn inventory(storage: &str) -> Inventory {
        let minimal = include_str!("../../inventory/minimal.toml");
        Inventory::parse("x", &minimal.replace("[storage1]", &format!("[storage1]\n{storage}"))).unwrap()
    }

    fn outcomes(inventory: &Inventory, classes: &[StorageClass]) -> Vec<(Code, Outcome)> {
        judge(inventory, classes).into_iter().map(|finding| (finding.code, finding.outcome)).collect()
    }

    #[test]
    fn a_storage_without_a_class_needs_a_default_one() {
        let inventory = inventory("");
        assert_eq!(outcomes(&inventory, &[class("a", false, true)]), [(Code::StorageClass, Outcome::Failed)]);
        let good = [(Code::StorageClass, Outcome::Ok), (Code::VolumeExpansion, Outcome::Ok)];
        assert_eq!(outcomes(&inventory, &[class("a", true, true)]), good);
    }

    #[test]
    fn a_class_that_isnt_there_or_cant_grow_is_told() {
        let inventory = inventory("class = \"fast\"");
        let missing = judge(&inventory, &[class("slow", true, true)]);
        assert_eq!(missing[0].message, "storage1 \"standard\": there is no class \"fast\"");
        assert_eq!(missing[0].hint.as_deref(), Some("The cluster has slow."));
        let fixed = [(Code::StorageClass, Outcome::Ok), (Code::VolumeExpansion, Outcome::Warning)];
        assert_eq!(outcomes(&inventory, &[class("fast", false, false)]), fixed);
    }
}
