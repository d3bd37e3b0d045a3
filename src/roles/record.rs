//! The record of an installation: a Secret in the operator's namespace with the resolved inventory, the version and the
//! list of objects. It is also the parent of the installation's apply set.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Component, certificates, labels, watched::Place};
use crate::{
    inventory::{Installation, Inventory},
    k8s::{self, Doing as _, kinds::ObjectId},
};

const KEY: &str = "record.json";

/// What is known of an installation without its inventory's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version that installed it.
    pub version: String,
    /// The inventory, with all defaults.
    pub inventory: Inventory,
    /// All objects, in the order in which they were applied.
    pub objects: Vec<ObjectId>,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// None there.
    #[error("no installation was found")]
    None,
    /// More than one, and nothing says which.
    #[error("there are several installations")]
    Several(Vec<Installation>),
    /// It can't be understood.
    #[error("the record {secret} can't be read: {reason}")]
    Invalid {
        /// The Secret.
        secret: String,
        /// Why.
        reason: String,
    },
    /// The API server can't be asked.
    #[error(transparent)]
    Request(#[from] k8s::Error),
}

/// The name of an installation's record.
#[must_use]
pub fn secret_name(installation: &Installation) -> String {
    format!("{}-installation", installation.name)
}

/// Which installation is meant. What isn't said matches any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// The operator's namespace.
    pub namespace: Option<&'a str>,
    /// The installation's name.
    pub name: Option<&'a str>,
    /// A namespace that it looks after.
    pub watching: Option<&'a Place<'a>>,
}

impl<'a> Which<'a> {
    /// This installation and no other.
    #[must_use]
    pub fn exactly(installation: &'a Installation) -> Self {
        let Installation { name, namespace, .. } = installation;
        Self { namespace: Some(namespace.as_str()), name: Some(name.as_str()), watching: None }
    }
}

impl Record {
    /// The record of what components come to. The certificates are in it, whoever makes them.
    #[must_use]
    pub fn of(inventory: &Inventory, components: &[Component]) -> Self {
        let own = components.iter().filter(|component| !component.external);
        let mut objects: Vec<ObjectId> =
            own.flat_map(|component| &component.objects).map(ObjectId::of).collect();
        // In the order in which they would be applied: what runs comes last.
        let running = objects.iter().position(|id| id.kind == "Deployment").unwrap_or(objects.len());
        let missing: Vec<ObjectId> =
            certificates::ids(inventory).into_iter().filter(|id| !objects.contains(id)).collect();
        objects.splice(running..running, missing);
        Self { version: crate::VERSION.to_owned(), inventory: inventory.clone(), objects }
    }

    /// The record as an object to apply.
    ///
    /// # Errors
    /// When it can't be written as JSON.
    pub fn object(&self) -> Result<DynamicObject, super::Error> {
        let installation = &self.inventory.installation;
        let name = secret_name(installation);
        let json = serde_json::to_string(self).map_err(|error| unwritable(&name, &error))?;
        let data = json!({KEY: STANDARD.encode(json)});
        let resource = ApiResource::erase::<Secret>(&());
        let mut object = DynamicObject::new(&name, &resource)
            .within(installation.namespace.as_str())
            .data(json!({"type": "Opaque", "data": data}));
        let mut stamps = labels::own(installation);
        stamps.remove(labels::PART_OF);
        stamps.insert(labels::SET_ID.to_owned(), labels::set_id(installation));
        stamps.insert(labels::COMPONENT.to_owned(), labels::RECORD.to_owned());
        labels::stamp(&mut object, &stamps);
        let mut kinds: Vec<String> = self.objects.iter().map(group_kind).collect();
        kinds.sort();
        kinds.dedup();
        let mut namespaces: Vec<&str> =
            self.objects.iter().filter_map(|id| id.namespace.as_deref()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces.retain(|namespace| *namespace != installation.namespace.as_str());
        let annotations = object.metadata.annotations.get_or_insert_default();
        let texts = [
            ("tooling", format!("pgherd/{}", crate::VERSION)),
            ("contains-group-kinds", kinds.join(",")),
            ("additional-namespaces", namespaces.join(",")),
        ];
        annotations.extend(texts.map(|(key, text)| (format!("applyset.kubernetes.io/{key}"), text)));
        Ok(object)
    }

    fn read(secret: &Secret) -> Result<Self, RecordError> {
        let name = format!(
            "{}/{}",
            secret.metadata.namespace.as_deref().unwrap_or_default(),
            secret.metadata.name.as_deref().unwrap_or_default()
        );
        let invalid = |reason: String| RecordError::Invalid { secret: name.clone(), reason };
        let data = secret.data.as_ref().and_then(|data| data.get(KEY));
        let data = data.ok_or_else(|| invalid(format!("it has no {KEY}")))?;
        serde_json::from_slice(&data.0).map_err(|error| invalid(error.to_string()))
    }
}

/// All installations of a cluster, or of one namespace.
///
/// # Errors
/// When the API server can't be asked, or a record can't be understood.
pub async fn records(client: &Client, namespace: Option<&str>) -> Result<Vec<Record>, RecordError> {
    let secrets: Api<Secret> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let selector =
        format!("{}={},{}={}", labels::MANAGED_BY, labels::PGHERD, labels::COMPONENT, labels::RECORD);
    let found = secrets.list(&ListParams::default().labels(&selector)).await;
    let found = found.doing(|| "look for installations")?;
    found.items.iter().map(Record::read).collect()
}

/// The one installation that is meant.
///
/// # Errors
/// When there is none or more than one, or the API server can't be asked.
pub async fn load_record(client: &Client, which: Which<'_>) -> Result<Record, RecordError> {
    let mut found = records(client, which.namespace).await?;
    found.retain(|record| {
        let inventory = &record.inventory;
        which.name.is_none_or(|name| inventory.installation.name.as_str() == name)
            && which.watching.is_none_or(|place| place.watched_by(inventory))
    });
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(RecordError::None),
        (Some(record), true) => Ok(record),
        (Some(record), false) => {
            let all = found.into_iter().chain([record]);
            Err(RecordError::Several(all.map(|record| record.inventory.installation).collect()))
        }
    }
}

/// Any typed object as a dynamic one.
pub(super) fn dynamic<K>(object: &K) -> Result<DynamicObject, super::Error>
where
    K: Serialize + kube::Resource<DynamicType = ()>,
{
    let name = object.meta().name.clone().unwrap_or_default();
    let value = serde_json::to_value(object).map_err(|error| unwritable(&name, &error))?;
    serde_json::from_value(value).map_err(|error| unwritable(&name, &error))
}

fn unwritable(name: &str, error: &serde_json::Error) -> super::Error {
    super::Error::Object { file: name.to_owned(), reason: error.to_string() }
}

fn group_kind(id: &ObjectId) -> String {
    match id.gvk().group.as_str() {
        "" => id.kind.clone(),
        group => format!("{}.{group}", id.kind),
    }
}
