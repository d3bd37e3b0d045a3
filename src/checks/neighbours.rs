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
    inventory::{Installation, Inventory},
    k8s::{
        self, Doing as _, Kind,
        kinds::{self, ObjectId},
    },
    roles::{
        engine, labels,
        record::{Record, RecordError, records},
        watched::Watched,
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
        Ok(records) => match places(client, inventory, records).await {
            Ok((own, others)) => beside(&own, &others),
            Err(error) => Finding::unseen(Code::Installations, &error),
        },
        Err(RecordError::Request(error)) => Finding::unseen(Code::Installations, &error),
        Err(error) => Finding::warning(
            Code::Installations,
            error.to_string(),
            "It may be of a newer pgherd. Look there before you install beside it.",
        ),
    }
}

/// Where an inventory's operator looks after databases, and where each of the others does.
async fn places(
    client: &Client,
    inventory: &Inventory,
    records: Vec<Record>,
) -> Result<(Watched, Vec<(Installation, Watched)>), k8s::Error> {
    let own = &inventory.installation;
    let mut others = Vec::new();
    for Record { inventory: other, .. } in records {
        if (&other.installation.name, &other.installation.namespace) != (&own.name, &own.namespace) {
            others.push((other.installation.clone(), Watched::find(client, &other).await?));
        }
    }
    Ok((Watched::find(client, inventory).await?, others))
}

/// Compares an inventory's namespaces with those of the other installations.
fn beside(own: &Watched, others: &[(Installation, Watched)]) -> Finding {
    let code = Code::Installations;
    let mut shared = Vec::new();
    for (Installation { name, namespace: home, .. }, other) in others {
        shared.extend(
            other.names.intersection(&own.names).map(|namespace| format!("{namespace}: {name} in {home}")),
        );
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

    fn watched(names: &[&str]) -> Watched {
        Watched { names: names.iter().map(ToString::to_string).collect(), unseen: None }
    }

    fn other(watching: &[&str]) -> (Installation, Watched) {
        let (name, namespace) = ("b".parse().unwrap(), "elsewhere".parse().unwrap());
        (Installation { name, namespace, debug: false }, watched(watching))
    }

    #[test]
    fn another_installation_matters_where_namespaces_overlap() {
        let own = watched(&["orders", "shop"]);
        assert_eq!(beside(&own, &[]).outcome, Outcome::Ok);
        assert_eq!(beside(&own, &[other(&["billing"])]).outcome, Outcome::Ok);
        let overlap = beside(&own, &[other(&["billing", "orders"])]);
        assert_eq!(overlap.outcome, Outcome::Failed);
        assert_eq!(overlap.details, ["orders: b in elsewhere"]);
    }
}
