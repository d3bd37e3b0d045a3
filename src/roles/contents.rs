//! What is in namespaces: what others put there, and what clusters left that are gone.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use kube::{
    Api, Client, Discovery, ResourceExt as _,
    api::{DynamicObject, ListParams},
    core::PartialObjectMeta,
    discovery::{Scope, verbs},
};

use super::{
    labels,
    removal::{Found, clusters, object_id},
};
use crate::{
    api::schema,
    k8s::{self, Doing as _, Kind, kinds::ObjectId},
};

/// What else is in a namespace than what the installation and Kubernetes itself put there.
///
/// # Errors
/// When the namespace can't be looked through.
pub async fn belongings(
    client: &Client,
    found: &Found,
    namespace: &str,
) -> Result<Vec<ObjectId>, k8s::Error> {
    let all = contents(client, namespace, |_| false).await?;
    let theirs = all.into_iter().filter(|(id, object)| !expected(found, &id.kind, object));
    Ok(theirs.map(|(id, _)| id).collect())
}

/// What belongs to database clusters that are gone, with the identity of each. Kubernetes removes it, but can't once it no longer
/// knows what a cluster was.
///
/// # Errors
/// When the namespaces can't be looked through. Kinds that may not be seen are left out.
pub async fn orphans(
    client: &Client,
    namespaces: &BTreeSet<String>,
) -> Result<Vec<(ObjectId, String)>, k8s::Error> {
    let (group, kind) = {
        let spec = schema::definition().spec;
        (spec.group, spec.names.kind)
    };
    let living: BTreeSet<String> = (clusters(client, Some(namespaces)).await?.into_iter())
        .map(|id| format!("{}/{}", id.namespace.unwrap_or_default(), id.name))
        .collect();
    let mut found = Vec::new();
    for namespace in namespaces {
        let orphaned = |object: &PartialObjectMeta<DynamicObject>| {
            object.owner_references().iter().any(|owner| {
                let ours = owner.kind == kind && owner.api_version.starts_with(&format!("{group}/"));
                ours && !living.contains(&format!("{namespace}/{}", owner.name))
            })
        };
        let all = contents(client, namespace, |error| error.kind() == Kind::Forbidden).await?;
        let orphans = all.into_iter().filter(|(_, object)| orphaned(object));
        found.extend(orphans.map(|(id, object)| (id, object.uid().unwrap_or_default())));
    }
    Ok(found)
}

/// Everything in a namespace that can be listed and deleted, but for Events. Kinds for which `skip` accepts the error are left
/// out.
async fn contents(
    client: &Client,
    namespace: &str,
    skip: impl Fn(&k8s::Error) -> bool,
) -> Result<Vec<(ObjectId, PartialObjectMeta<DynamicObject>)>, k8s::Error> {
    let discovery = Discovery::new(client.clone()).exclude(&["metrics.k8s.io", "events.k8s.io"]);
    let discovery = discovery.run_aggregated().await.doing(|| "look what kinds there are")?;
    let kinds = discovery.groups().flat_map(|group| {
        group.recommended_resources().into_iter().filter(|(resource, capabilities)| {
            capabilities.scope == Scope::Namespaced
                && capabilities.supports_operation(verbs::LIST)
                && capabilities.supports_operation(verbs::DELETE)
                && resource.kind != "Event"
        })
    });
    let lists = kinds.map(|(resource, _)| async move {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let list = api.list_metadata(&ListParams::default()).await;
        let list = list.doing(|| format!("list {} in {namespace}", resource.plural))?;
        let named = |name: &str| object_id(&resource.api_version, &resource.kind, Some(namespace), name);
        Ok(list.items.into_iter().map(|object| (named(&object.name_any()), object)).collect::<Vec<_>>())
    });
    let lists: Vec<Result<Vec<_>, k8s::Error>> = stream::iter(lists).buffered(16).collect().await;
    let mut all = Vec::new();
    for list in lists {
        match list {
            Ok(found) => all.extend(found),
            // Its definition went away since we asked what kinds there are, and all of the kind with it.
            Err(error) if error.kind() == Kind::NotFound || skip(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// Whether an object is the installation's, or one that Kubernetes puts into every namespace.
fn expected(found: &Found, kind: &str, object: &impl kube::ResourceExt) -> bool {
    let labels = object.labels();
    let name = object.name_any();
    let set = labels::set_id(&found.installation);
    let pod = labels::operator_selector(&found.installation);
    labels.get(labels::PART_OF) == Some(&set)
        || labels.get(labels::SET_ID) == Some(&set)
        || pod.iter().all(|(key, value)| labels.get(key) == Some(value))
        || kind == "Lease" && name.starts_with(&format!("{}-", found.installation.name))
        || matches!((kind, name.as_str()), ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default"))
        || kind == "ConfigMap" && name == "openshift-service-ca.crt"
}
