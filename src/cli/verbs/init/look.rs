//! Looks at a cluster, as far as the caller may. Nothing is changed there.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use k8s_openapi::api::{core::v1::Namespace, storage::v1::StorageClass};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use super::seen::{Class, Cluster, Installed, Look};
use crate::{
    inventory::Installation,
    k8s::{
        Doing as _, Error,
        access::{self, Need},
        client::Connection,
        storage_class::is_default,
    },
    roles::{
        record::{Record, RecordError, records},
        watched::Watched,
    },
};

/// How long to look for one kind of thing. The client itself would try again for minutes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an installer does in the whole cluster.
const EVERYWHERE: &[Right] = &[
    Right { group: "", resource: "namespaces", verbs: &["get", "create"] },
    Right {
        group: "apiextensions.k8s.io",
        resource: "customresourcedefinitions",
        verbs: &["get", "create", "patch"],
    },
];

/// What it does there when the operator follows namespaces.
const FOLLOWING: &[Right] = &[
    Right { group: "rbac.authorization.k8s.io", resource: "clusterroles", verbs: &["create", "patch"] },
    Right {
        group: "rbac.authorization.k8s.io",
        resource: "clusterrolebindings",
        verbs: &["create", "patch"],
    },
];

/// What it does in the operator's namespace.
const HOME: &[Right] = &[
    Right { group: "", resource: "secrets", verbs: &["get", "list", "create", "patch"] },
    Right { group: "", resource: "serviceaccounts", verbs: &["create", "patch"] },
    Right { group: "", resource: "services", verbs: &["create", "patch"] },
    Right { group: "apps", resource: "deployments", verbs: &["create", "patch", "watch"] },
    Right { group: "coordination.k8s.io", resource: "leases", verbs: &["create", "update", "patch"] },
];

/// What it does there and in each watched namespace.
const BOTH: &[Right] = &[
    Right { group: "rbac.authorization.k8s.io", resource: "roles", verbs: &["create", "patch"] },
    Right { group: "rbac.authorization.k8s.io", resource: "rolebindings", verbs: &["create", "patch"] },
];

struct Right {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
}

/// Looks at everything that questions and proposals depend on.
pub(super) async fn cluster(connection: &Connection) -> Cluster {
    let client = &connection.client;
    let (openshift, classes, namespaces, installations) =
        tokio::join!(openshift(client), classes(client), namespaces(client), installations(client));
    let Connection { context, cluster, version, user, .. } = connection;
    Cluster {
        name: cluster.clone(),
        context: context.clone(),
        version: version.clone(),
        user: user.clone(),
        openshift,
        classes,
        namespaces,
        installations,
    }
}

/// Rights that an installer needs and the caller doesn't have, in words. More are needed for an operator that follows
/// namespaces.
pub(super) async fn missing_rights(client: &Client, ours: &Installed, follows: bool) -> Look<Vec<String>> {
    let mut asked: Vec<(Option<&str>, &Right, &str)> = Vec::new();
    let mut ask = |namespace, rights: &'static [Right]| {
        for right in rights {
            asked.extend(right.verbs.iter().map(|verb| (namespace, right, *verb)));
        }
    };
    ask(None, EVERYWHERE);
    if follows {
        ask(None, FOLLOWING);
    }
    ask(Some(ours.namespace.as_str()), HOME);
    ask(Some(ours.namespace.as_str()), BOTH);
    for namespace in ours.watched.iter().filter(|namespace| **namespace != ours.namespace) {
        ask(Some(namespace.as_str()), BOTH);
    }
    let answers = asked.iter().map(|(namespace, right, verb)| may(client, *namespace, right, verb));
    let answers = patient(async { Ok(join_all(answers).await) }).await?;
    let mut missing: BTreeMap<(Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for ((namespace, right, verb), answer) in asked.into_iter().zip(answers) {
        if !answer.map_err(|error| error.message())? {
            missing.entry((namespace, right.resource)).or_default().push(verb);
        }
    }
    let told = |((namespace, resource), verbs): ((Option<&str>, &str), Vec<&str>)| {
        let place = namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        format!("{} {resource}{place}", verbs.join(", "))
    };
    Ok(missing.into_iter().map(told).collect())
}

async fn may(client: &Client, namespace: Option<&str>, right: &Right, verb: &str) -> Result<bool, Error> {
    let Right { group, resource, .. } = right;
    let need = Need {
        namespace: namespace.map(str::to_owned),
        group: (*group).to_owned(),
        resource: (*resource).to_owned(),
        verb: verb.to_owned(),
    };
    access::allowed(client, &need).await
}

async fn openshift(client: &Client) -> Look<bool> {
    let groups = patient(async { client.list_api_groups().await.doing(|| "list API groups") }).await?;
    let known = ["route.openshift.io", "config.openshift.io"];
    Ok(groups.groups.iter().any(|group| known.contains(&group.name.as_str())))
}

async fn classes(client: &Client) -> Look<Vec<Class>> {
    let classes: Api<StorageClass> = Api::all(client.clone());
    let all = ListParams::default();
    let list = patient(async { classes.list(&all).await.doing(|| "list storage classes") }).await?;
    let class = |class: StorageClass| Class {
        name: class.name_any(),
        default: is_default(&class),
        expands: class.allow_volume_expansion == Some(true),
        provisioner: class.provisioner,
    };
    Ok(list.items.into_iter().map(class).collect())
}

async fn namespaces(client: &Client) -> Look<Vec<String>> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let all = ListParams::default();
    let list = patient(async { namespaces.list_metadata(&all).await.doing(|| "list namespaces") }).await?;
    Ok(list.items.iter().map(kube::ResourceExt::name_any).collect())
}

async fn installations(client: &Client) -> Look<Vec<Installed>> {
    let look = async {
        let mut found = Vec::new();
        for Record { inventory, .. } in records(client, None).await? {
            let watched = Watched::find(client, &inventory).await?.names.into_iter().collect();
            let Installation { name, namespace, .. } = inventory.installation;
            found.push(Installed { name: name.to_string(), namespace: namespace.to_string(), watched });
        }
        Ok(found)
    };
    let found = tokio::time::timeout(PATIENCE, look).await.map_err(|_| slow())?;
    found.map_err(|error| match error {
        RecordError::Request(error) => error.message(),
        other => other.to_string(),
    })
}

async fn patient<T>(look: impl Future<Output = Result<T, Error>>) -> Look<T> {
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(error.message()),
        Err(_) => Err(slow()),
    }
}

fn slow() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}
