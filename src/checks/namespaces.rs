//! Namespaces: whether they are there, what pods may do in them, and how much room there is.

use std::collections::BTreeMap;

use futures::future::join_all;
use k8s_openapi::{
    api::core::v1::{LimitRange, Namespace, ResourceQuota},
    apimachinery::pkg::api::resource::Quantity as Written,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams},
};

use super::{Code, Finding, Outcome};
use crate::{
    domain::quantity::Quantity,
    inventory::{Inventory, NamespaceMode},
    k8s::{self, Doing as _, Kind},
};

/// The label that says which level of pod security is enforced.
const ENFORCED: &str = "pod-security.kubernetes.io/enforce";

/// What something asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Demand<'a> {
    cpu: Option<&'a str>,
    memory: Option<&'a str>,
    memory_limit: Option<&'a str>,
    storage: Option<&'a str>,
    pods: u32,
}

impl<'a> Demand<'a> {
    /// What the operator asks for, as its Deployment says.
    fn of_operator(objects: &'a [DynamicObject]) -> Self {
        let is_deployment =
            |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "Deployment");
        let container = objects
            .iter()
            .find(is_deployment)
            .and_then(|deployment| deployment.data.pointer("/spec/template/spec/containers/0"));
        let amount = |path: &str| container.and_then(|container| container.pointer(path)?.as_str());
        Self {
            cpu: amount("/resources/requests/cpu"),
            memory: amount("/resources/requests/memory"),
            memory_limit: amount("/resources/limits/memory"),
            storage: None,
            pods: 1,
        }
    }
}

/// A namespace as it was seen.
struct Seen {
    name: String,
    found: Result<Option<Namespace>, k8s::Error>,
    quotas: Result<Vec<ResourceQuota>, k8s::Error>,
    ranges: Result<Vec<LimitRange>, k8s::Error>,
}

pub(super) async fn check(client: &Client, inventory: &Inventory, objects: &[DynamicObject]) -> Vec<Finding> {
    let names = inventory.all_namespaces().into_iter().map(ToString::to_string);
    let seen = join_all(names.map(|name| look(client, name))).await;
    let mut findings = vec![existence(&seen), security(&seen)];
    findings.extend(room(inventory, Demand::of_operator(objects), &seen));
    findings
}

async fn look(client: &Client, name: String) -> Seen {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), &name);
    let ranges: Api<LimitRange> = Api::namespaced(client.clone(), &name);
    let all = ListParams::default();
    let (found, quotas, ranges) =
        tokio::join!(namespaces.get_opt(&name), quotas.list(&all), ranges.list(&all));
    Seen {
        found: found.doing(|| format!("read namespace {name}")),
        quotas: quotas.doing(|| format!("list the quotas of {name}")).map(|list| list.items),
        ranges: ranges.doing(|| format!("list the limit ranges of {name}")).map(|list| list.items),
        name,
    }
}

fn existence(seen: &[Seen]) -> Finding {
    let (mut there, mut missing, mut going, mut unseen) = (0, Vec::new(), Vec::new(), Vec::new());
    for Seen { name, found, .. } in seen {
        match found {
            Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_some() => {
                going.push(name.clone());
            }
            Ok(Some(_)) => there += 1,
            Ok(None) => missing.push(name.clone()),
            Err(_) => unseen.push(name.clone()),
        }
    }
    let code = Code::Namespaces;
    if !going.is_empty() {
        return Finding::warning(
            code,
            format!("being deleted: {}", going.join(", ")),
            "An installation waits until they are gone, and makes them anew.",
        );
    }
    if !unseen.is_empty() {
        let message = format!("you may not look whether these exist: {}", unseen.join(", "));
        return Finding::new(code, Outcome::Skipped, message)
            .with_hint("An installation takes them for existing, and fails where they don't.");
    }
    match (there, missing.as_slice()) {
        (_, []) => Finding::ok(code, "all namespaces are there"),
        (_, missing) => Finding::ok(code, format!("will be made: {}", missing.join(", "))),
    }
}

fn security(seen: &[Seen]) -> Finding {
    let mut levels: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for Seen { name, found, .. } in seen {
        if let Ok(Some(namespace)) = found {
            let level = namespace.labels().get(ENFORCED).map_or("privileged", String::as_str);
            levels.entry(level.to_owned()).or_default().push(name);
        }
    }
    let code = Code::PodSecurity;
    if levels.is_empty() {
        return Finding::new(code, Outcome::Skipped, "there is no namespace to look at");
    }
    let texts: Vec<String> =
        levels.iter().map(|(level, names)| format!("{level} in {}", names.join(", "))).collect();
    Finding::ok(code, format!("pods are allowed at the level {}", texts.join("; ")))
}

/// Whether quotas and limit ranges leave room for what will run.
fn room(inventory: &Inventory, operator: Demand<'_>, seen: &[Seen]) -> Vec<Finding> {
    let resources =
        inventory.defaults.resources.container.as_ref().and_then(|name| inventory.resources(name));
    let text = |quantity: Option<&Quantity>| quantity.map(ToString::to_string);
    let cpu = resources.and_then(|it| text(it.requests_cpu.as_ref()));
    let memory = resources.and_then(|it| text(it.requests_memory.as_ref()));
    let memory_limit = resources.and_then(|it| text(it.limits_memory.as_ref()));
    let storage = inventory.primary_storage().size.to_string();
    let database = Demand {
        cpu: cpu.as_deref(),
        memory: memory.as_deref(),
        memory_limit: memory_limit.as_deref(),
        storage: Some(&storage),
        pods: 1,
    };
    let follows = inventory.namespaces.mode != NamespaceMode::Disabled;
    let (mut short, mut narrow, mut blind) = (Vec::new(), Vec::new(), Vec::new());
    for Seen { name, quotas, ranges, .. } in seen {
        let watched = inventory.watched().iter().any(|watched| watched.as_str() == name);
        let demands = [
            (name == inventory.installation.namespace.as_str()).then_some(operator),
            watched.then_some(database),
        ];
        for demand in demands.into_iter().flatten() {
            match quotas {
                Ok(quotas) => short.extend(quotas.iter().flat_map(|quota| lacking(name, quota, demand))),
                Err(error) if error.kind() != Kind::NotFound => {
                    blind.push(Finding::unseen(Code::Quota, error));
                }
                Err(_) => {}
            }
            match ranges {
                Ok(ranges) => narrow.extend(ranges.iter().flat_map(|range| outside(name, range, demand))),
                Err(error) if error.kind() != Kind::NotFound => {
                    blind.push(Finding::unseen(Code::LimitRange, error));
                }
                Err(_) => {}
            }
        }
    }
    if let Some(first) = blind.into_iter().next() {
        return vec![first];
    }
    let further = if follows { "; namespaces that gain the label later are not looked at" } else { "" };
    vec![
        if short.is_empty() {
            Finding::ok(Code::Quota, format!("quotas leave room for the operator and a database{further}"))
        } else {
            Finding::warning(
                Code::Quota,
                "a quota leaves too little room",
                "Raise the quota, or ask for less in the inventory's resource tables.",
            )
            .with_details(short)
        },
        if narrow.is_empty() {
            Finding::ok(Code::LimitRange, "limit ranges allow what is asked for")
        } else {
            Finding::warning(
                Code::LimitRange,
                "a limit range doesn't allow what is asked for",
                "Change the limit range, or the inventory's resource tables.",
            )
            .with_details(narrow)
        },
    ]
}

/// What a quota has too little of.
fn lacking(namespace: &str, quota: &ResourceQuota, demand: Demand<'_>) -> Vec<String> {
    let status = quota.status.clone().unwrap_or_default();
    let (hard, used) = (status.hard.unwrap_or_default(), status.used.unwrap_or_default());
    let pods = demand.pods.to_string();
    let wanted = [
        ("requests.cpu", demand.cpu),
        ("cpu", demand.cpu),
        ("requests.memory", demand.memory),
        ("memory", demand.memory),
        ("limits.memory", demand.memory_limit),
        ("requests.storage", demand.storage),
        ("pods", Some(pods.as_str())),
    ];
    let mut found = Vec::new();
    for (resource, amount) in wanted {
        let (Some(hard), Some(amount)) = (hard.get(resource), amount) else { continue };
        let used = used.get(resource).cloned().unwrap_or_else(|| Written("0".to_owned()));
        if let (Some(all), Some(taken), Some(wanted)) = (milli(&hard.0), milli(&used.0), milli(amount))
            && taken.saturating_add(wanted) > all
        {
            let name = quota.name_any();
            found.push(format!(
                "{namespace}/{name}: {resource} {} of {} used, {amount} wanted",
                used.0, hard.0
            ));
        }
    }
    found
}

/// What a limit range doesn't allow a container or a claim.
fn outside(namespace: &str, range: &LimitRange, demand: Demand<'_>) -> Vec<String> {
    let limits = range.spec.as_ref().map(|spec| spec.limits.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    for limit in limits {
        let wanted: &[(&str, Option<&str>)] = match limit.type_.as_str() {
            "Container" | "Pod" => &[("cpu", demand.cpu), ("memory", demand.memory_limit.or(demand.memory))],
            "PersistentVolumeClaim" => &[("storage", demand.storage)],
            _ => &[],
        };
        for (resource, amount) in wanted {
            let Some(amount) = amount else { continue };
            let bound = |bounds: &Option<BTreeMap<String, Written>>| {
                bounds.as_ref().and_then(|bounds| bounds.get(*resource)).map(|bound| bound.0.clone())
            };
            let name = range.name_any();
            let (least, most) = (bound(&limit.min), bound(&limit.max));
            let asked = milli(amount);
            if let Some(most) = most.filter(|most| milli(most) < asked) {
                found.push(format!("{namespace}/{name}: at most {most} of {resource}, {amount} wanted"));
            }
            if let Some(least) = least.filter(|least| milli(least) > asked) {
                found.push(format!("{namespace}/{name}: at least {least} of {resource}, {amount} wanted"));
            }
        }
    }
    found
}

/// A quantity in thousandths, so that fractions of processors compare with whole ones.
fn milli(text: &str) -> Option<u64> {
    text.parse::<Quantity>().ok()?.as_milli().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::roles::{Catalogue, Files, Live, components};

    #[test]
    fn what_the_operator_asks_for_is_what_its_deployment_says() {
        let inventory = Inventory::parse("x", include_str!("../../inventory/minimal.toml")).unwrap();
        let components = components(
            &Catalogue::load(None).unwrap(),
            &inventory,
            &Files::default(),
            &Live::unseen(&inventory),
            jiff::Timestamp::UNIX_EPOCH,
        );
        let objects: Vec<_> =
            components.unwrap().into_iter().flat_map(|component| component.objects).collect();
        let Demand { cpu, memory, memory_limit, .. } = Demand::of_operator(&objects);
        assert_eq!((cpu, memory, memory_limit), (Some("20m"), Some("32Mi"), Some("128Mi")));
    }

    #[test]
    fn a_quota_without_room_is_told_with_its_numbers() {
        let quota: ResourceQuota = serde_json::from_value(json!({
            "metadata": {"name": "team"},
            "status": {"hard": {"requests.memory": "1Gi", "pods": "3"}, "used": {"requests.memory": "1000Mi", "pods": "1"}},
        }))
        .unwrap();
        let demand = Demand { memory: Some("128Mi"), pods: 1, ..Demand::default() };
        assert_eq!(
            lacking("orders", &quota, demand),
            ["orders/team: requests.memory 1000Mi of 1Gi used, 128Mi wanted"]
        );
        assert!(
            lacking("orders", &quota, Demand { memory: Some("24Mi"), pods: 1, ..Demand::default() })
                .is_empty()
        );
    }

    #[test]
    fn a_limit_range_is_a_lower_and_an_upper_bound() {
        let range: LimitRange = serde_json::from_value(json!({
            "metadata": {"name": "sizes"},
            "spec": {"limits": [
                {"type": "Container", "max": {"memory": "256Mi"}, "min": {"cpu": "100m"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "1Ti"}},
            ]},
        }))
        .unwrap();
        let demand = Demand {
            cpu: Some("0.05"),
            memory_limit: Some("512Mi"),
            storage: Some("1Gi"),
            ..Demand::default()
        };
        assert_eq!(
            outside("orders", &range, demand),
            [
                "orders/sizes: at least 100m of cpu, 0.05 wanted",
                "orders/sizes: at most 256Mi of memory, 512Mi wanted"
            ]
        );
    }
}
