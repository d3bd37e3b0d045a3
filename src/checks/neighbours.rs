//! Others in the same cluster: installations, operators, and whose definitions and names there are.

use futures::{StreamExt as _, stream};
use k8s_openapi::{
    api::apps::v1::Deployment,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams},
};

use super::{Code, Finding, Outcome};
use crate::{
    api::schema,
    inventory::Inventory,
    k8s::{
        self, Doing as _, Kind,
        kinds::{self, ObjectId},
    },
    roles::{
        engine, labels,
        record::{Record, RecordError, records},
    },
};

/// Labels of the Deployments of other operators, and what these are called.
const OPERATORS: [(&str, &str); 3] = [
    ("postgres-operator.crunchydata.com/control-plane", "an operator of 5.x"),
    ("vendor=crunchydata,name=postgres-operator", "an operator of 4.x"),
    ("vendor=crunchydata,pgo-installation-name", "an operator of 4.x"),
];

/// The definition that only the 4.x operator has.
const OLD_DEFINITION: &str = "pgclusters.crunchydata.com";

pub(super) async fn check(client: &Client, inventory: &Inventory, objects: &[DynamicObject]) -> Vec<Finding> {
    let (installations, operators, definitions, names) = tokio::join!(
        installations(client, inventory),
        operators(client),
        definitions(client),
        names(client, inventory, objects),
    );
    [Some(installations), Some(operators), definitions, Some(names)].into_iter().flatten().collect()
}

async fn installations(client: &Client, inventory: &Inventory) -> Finding {
    match records(client, None).await {
        Ok(records) => beside(inventory, &records),
        Err(RecordError::Request(error)) => Finding::unseen(Code::Installations, &error),
        Err(error) => Finding::warning(
            Code::Installations,
            error.to_string(),
            "It may be of a newer pgherd. Look there before you install beside it.",
        ),
    }
}

/// Compares an inventory with the installations that there are.
fn beside(inventory: &Inventory, records: &[Record]) -> Finding {
    let own = &inventory.installation;
    let code = Code::Installations;
    let others: Vec<&Record> = records
        .iter()
        .filter(|record| {
            let other = &record.inventory.installation;
            (&other.name, &other.namespace) != (&own.name, &own.namespace)
        })
        .collect();
    let mut shared = Vec::new();
    for other in &others {
        for namespace in other.inventory.watched() {
            if inventory.watched().contains(namespace) {
                let installation = &other.inventory.installation;
                shared.push(format!("{namespace}: {} in {}", installation.name, installation.namespace));
            }
        }
    }
    if !shared.is_empty() {
        return Finding::failed(
            code,
            "another installation looks after the same namespaces",
            "Take them out of namespaces.watched here or there.",
        )
        .with_details(shared);
    }
    let text = match others.len() {
        0 => "no other installation".to_owned(),
        count => format!("{count} more in this cluster, in other namespaces"),
    };
    Finding::ok(code, text)
}

async fn operators(client: &Client) -> Finding {
    let code = Code::OtherOperator;
    let deployments: Api<Deployment> = Api::all(client.clone());
    let mut found = Vec::new();
    for (selector, what) in OPERATORS {
        let list = deployments.list_metadata(&ListParams::default().labels(selector)).await;
        match list.doing(|| "look for other operators") {
            Ok(list) => found.extend(list.items.iter().map(|deployment| {
                format!(
                    "{what}: deployment {}/{}",
                    deployment.namespace().unwrap_or_default(),
                    deployment.name_any()
                )
            })),
            Err(error) => return Finding::unseen(code, &error),
        }
    }
    found.sort();
    found.dedup();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    if let Ok(Some(_)) = definitions.get_metadata_opt(OLD_DEFINITION).await {
        found.push(format!("definitions of the 4.x operator ({OLD_DEFINITION})"));
    }
    if found.is_empty() {
        return Finding::ok(code, "no operator of another maker");
    }
    Finding::warning(
        code,
        "another operator for PostgreSQL was found",
        "Both must not look after the same cluster: let each have namespaces of its own.",
    )
    .with_details(found)
}

/// Whose the definitions are. None when there is nothing to say: they aren't there.
async fn definitions(client: &Client) -> Option<Finding> {
    let code = Code::Definitions;
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut others = Vec::new();
    for definition in schema::definitions() {
        let name = definition.name_any();
        match api.get_metadata_opt(&name).await.doing(|| format!("read the definition {name}")) {
            Ok(Some(found)) => {
                let ours = found.labels().get(labels::MANAGED_BY).is_some_and(|by| by == labels::PGHERD);
                if !ours {
                    others.push(name);
                }
            }
            Ok(None) => return Some(Finding::ok(code, "will be made")),
            Err(error) => return Some(Finding::unseen(code, &error)),
        }
    }
    if others.is_empty() {
        return Some(Finding::ok(code, "the definitions are pgherd's"));
    }
    Some(
        Finding::warning(
            code,
            "the definitions are somebody else's",
            "An installation changes them for everybody; fields that others manage need `--force-conflicts`.",
        )
        .with_details(others),
    )
}

/// Objects of others that have the names of ours.
async fn names(client: &Client, inventory: &Inventory, objects: &[DynamicObject]) -> Finding {
    let code = Code::Names;
    let set = labels::set_id(&inventory.installation);
    let looks = objects.iter().map(|object| {
        let (id, set) = (ObjectId::of(object), set.clone());
        async move {
            // A namespace that is there already is used, and stays somebody else's.
            if id.kind == "Namespace" {
                return Ok::<_, k8s::Error>(None);
            }
            let api = kinds::api_of(client, &id).await?;
            let live = api.get_opt(&id.name).await.doing(|| format!("read {id}"))?;
            Ok(live.and_then(|live| engine::foreign(&live, &set)).map(|owner| format!("{id}: {owner}")))
        }
    });
    let (mut taken, mut unseen): (Vec<String>, Vec<k8s::Error>) = (Vec::new(), Vec::new());
    for result in stream::iter(looks).buffered(16).collect::<Vec<_>>().await {
        match result {
            Ok(found) => taken.extend(found),
            Err(error) if matches!(error.kind(), Kind::NotFound) => {}
            Err(error) => unseen.push(error),
        }
    }
    if !taken.is_empty() {
        return Finding::failed(
            code,
            "names are taken",
            "Choose another installation.name or namespace, or remove what is in the way.",
        )
        .with_details(taken);
    }
    match unseen.first() {
        Some(error) => Finding::unseen(code, error),
        None => Finding::new(code, Outcome::Ok, "no name is taken"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(name: &str, home: &str, watched: &str) -> Inventory {
        let text = include_str!("../../inventory/minimal.toml")
            .replace("name = \"pgherd\"", &format!("name = \"{name}\""))
            .replace("namespace = \"pgherd\"", &format!("namespace = \"{home}\""))
            .replace("\"postgres-operator\"", &format!("\"{watched}\""));
        Inventory::parse("x", &text).unwrap()
    }

    fn record(name: &str, home: &str, watched: &str) -> Record {
        Record { version: "0.1.0".into(), inventory: inventory(name, home, watched), objects: Vec::new() }
    }

    #[test]
    fn another_installation_matters_where_namespaces_overlap() {
        let own = inventory("a", "home", "orders");
        let outcome = |records: &[Record]| beside(&own, records).outcome;
        assert_eq!(outcome(&[]), Outcome::Ok);
        assert_eq!(outcome(&[record("a", "home", "orders")]), Outcome::Ok, "it is this one");
        assert_eq!(outcome(&[record("b", "elsewhere", "billing")]), Outcome::Ok);
        let overlap = beside(&own, &[record("b", "elsewhere", "orders")]);
        assert_eq!(overlap.outcome, Outcome::Failed);
        assert_eq!(overlap.details, ["orders: b in elsewhere"]);
    }
}
