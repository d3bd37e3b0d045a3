//! Plans components against the cluster, applies what differs, and waits until it is ready.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, ResourceExt as _, api::DynamicObject};

use super::{
    Catalogue, Component, Files, Live, certificates, components, labels,
    record::{Record, RecordError, Which, load_record},
};
use crate::{
    certificates::{Stored, store},
    inventory::Inventory,
    k8s::{
        self, Doing as _, Kind, api_server,
        apply::{Apply, INSTALLER},
        clusters,
        kinds::{self, ObjectId},
        plan::{self, Change},
        rollout,
        wait::{self, Look, WaitError},
    },
};

/// Requests that are under way at once. More would only queue up in the API server.
const PARALLEL: usize = 16;

/// How long after a role was made the server may say to a binding that there is none, and how soon it is asked again.
const ROLE_KNOWN_WITHIN: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Why an object can't be planned or applied.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The API server said no.
    #[error("{id}: {}", error.message())]
    Request {
        /// The object.
        id: ObjectId,
        /// What it said.
        error: k8s::Error,
    },
    /// A definition of another version of pgherd: objects are stored in a form that this one doesn't know.
    #[error("{id} has objects stored as {version}, which this version of pgherd doesn't know")]
    StoredVersion {
        /// The definition.
        id: ObjectId,
        /// The version of its kind.
        version: String,
    },
    /// It exists, and this installation didn't make it.
    #[error("{id} exists, and {owner}")]
    NotOurs {
        /// The object.
        id: ObjectId,
        /// Whose it seems to be.
        owner: String,
    },
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be carried out: what the caller may not do is an error, and a namespace that is going away is waited for.
    Apply,
    /// To be looked at: where the caller lacks rights, the plan says as much as can be seen.
    Show,
}

/// What is to be planned, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The roles.
    pub catalogue: &'a Catalogue,
    /// The inventory.
    pub inventory: &'a Inventory,
    /// Files that it names.
    pub files: &'a Files,
    /// How objects are applied.
    pub apply: Apply,
    /// What the plan is for.
    pub purpose: Purpose,
    /// Whether an installation of a newer version may be changed.
    pub downgrade: bool,
    /// How long something that goes away is waited for.
    pub timeout: Duration,
}

/// An object, and what applying it would do.
#[derive(Clone, Debug)]
pub struct Item {
    /// The object as it should be.
    pub object: DynamicObject,
    /// What would change.
    pub change: Change,
    /// Whether that was found out without the API server's word, for want of rights.
    pub compared: bool,
    /// The object there is.
    pub live: Option<DynamicObject>,
}

/// A component, planned.
#[derive(Clone, Debug)]
pub struct PlannedComponent {
    /// The role's name.
    pub name: String,
    /// Its wave.
    pub wave: u8,
    /// Its objects.
    pub items: Vec<Item>,
    /// What to say about it when it is done.
    pub summary: Option<String>,
}

/// Everything an installation is to consist of, and what is to be done for that.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Components, lowest wave first.
    pub components: Vec<PlannedComponent>,
    /// The record of it all.
    pub record: Item,
    /// Objects of the last record that are no longer wanted.
    pub removed: Vec<ObjectId>,
    /// Whether the operator's namespace exists already.
    pub home_exists: bool,
    /// The version that installed what is there, if anything is.
    pub installed: Option<String>,
    /// Where the caller's rights were not enough to look as usual, in words.
    pub blind: Vec<String>,
}

impl Plan {
    /// Everything, the record last.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.components.iter().flat_map(|component| &component.items).chain([&self.record])
    }

    /// Objects for which `wanted` holds.
    #[must_use]
    pub fn count(&self, wanted: impl Fn(&Change) -> bool) -> usize {
        self.items().filter(|item| wanted(&item.change)).count()
    }

    /// Objects that could not be planned as usual, by kind of blindness.
    fn blindness(&self) -> Vec<String> {
        let named = |wanted: fn(&Item) -> bool, what: &str| {
            let found: Vec<String> = self
                .items()
                .filter(|item| wanted(item))
                .map(|item| ObjectId::of(&item.object).to_string())
                .collect();
            (!found.is_empty()).then(|| format!("{what}: {}", found.join(", ")))
        };
        let hidden =
            named(|item| item.change == Change::Hidden, "may not be read, so whether they change is unknown");
        let compared = named(|item| item.compared, "the API server could not be asked what it would make of");
        hidden.into_iter().chain(compared).collect()
    }

    /// Whether nothing has to be written.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.removed.is_empty() && self.count(|change| *change != Change::Unchanged) == 0
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The roles can't be rendered.
    #[error(transparent)]
    Roles(#[from] super::Error),
    /// The cluster can't be read.
    #[error(transparent)]
    Request(#[from] k8s::Error),
    /// A record that is there already can't be understood.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A namespace that is going away didn't.
    #[error("a namespace is still being deleted: {0}")]
    Namespace(WaitError),
    /// Objects that somebody else has to make are not there, or say something else than they should.
    #[error("{} missing or different", .0.len())]
    Missing(Vec<String>),
    /// A newer version installed what is there.
    #[error("{0} is installed, which is newer than this program")]
    Newer(String),
    /// Some objects would be refused.
    #[error("{} would be refused", .0.len())]
    Objects(Vec<ObjectError>),
}

/// Reads the cluster, renders the roles, and asks the API server what applying them would do. Writes nothing.
///
/// # Errors
/// When that can't be found out, or some objects would be refused; all of them are named.
pub async fn plan(client: &Client, wanted: &Wanted<'_>, tell: impl Fn(&str)) -> Result<Plan, PlanError> {
    let Wanted { catalogue, inventory, files, apply, purpose, downgrade, timeout } = *wanted;
    let mut blind = Vec::new();
    let (live, home_exists) = look(client, inventory, purpose, timeout, tell, &mut blind).await?;
    let components = components(catalogue, inventory, files, &live, Timestamp::now())?;
    let (external, components): (Vec<_>, Vec<_>) =
        components.into_iter().partition(|component| component.external);
    let missing = missing(client, &external).await?;
    match purpose {
        Purpose::Apply if !missing.is_empty() => return Err(PlanError::Missing(missing)),
        Purpose::Show if !missing.is_empty() => {
            blind.push(format!("somebody else has to create or correct: {}", missing.join(", ")));
        }
        _ => {}
    }
    let mut record = Record::of(inventory, &components);
    let installation = &inventory.installation;
    let mut installed = None;
    let previous = match load_record(client, Which::exactly(installation)).await {
        Ok(previous) if !downgrade && newer(&previous.version, crate::VERSION) => {
            return Err(PlanError::Newer(previous.version));
        }
        Ok(previous) => {
            installed = Some(previous.version);
            previous.objects
        }
        Err(RecordError::None) => Vec::new(),
        Err(RecordError::Request(error)) if purpose == Purpose::Show && error.kind() == Kind::Forbidden => {
            blind.push(format!(
                "what was installed before is unknown, and so is what would be removed: {}",
                error.message()
            ));
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let mut removed = Vec::new();
    for old in previous {
        if record.objects.iter().any(|id| id.same_object(&old)) {
            continue;
        }
        // These may hold data; only `uninstall` looks whether they do.
        if matches!(old.kind.as_str(), "Namespace" | "CustomResourceDefinition") {
            record.objects.push(old);
        } else {
            removed.push(old);
        }
    }
    let parts =
        components.into_iter().map(|component| plan_component(client, component, inventory, apply, purpose));
    let planned: Vec<_> = stream::iter(parts).buffered(PARALLEL).collect().await;
    let mut errors = Vec::new();
    let mut components = Vec::new();
    for (component, refused) in planned {
        errors.extend(refused);
        // A role that came to nothing has nothing to tell of.
        if !component.items.is_empty() || component.summary.is_some() {
            components.push(component);
        }
    }
    let record = record.object()?;
    let record = match plan_object(client, record, &labels::set_id(installation), apply, purpose).await {
        Ok(record) if errors.is_empty() => record,
        Ok(_) => return Err(PlanError::Objects(errors)),
        Err(error) => {
            errors.push(error);
            return Err(PlanError::Objects(errors));
        }
    };
    let plan = Plan { components, record, removed, home_exists, installed, blind: Vec::new() };
    blind.extend(plan.blindness());
    Ok(Plan { blind, ..plan })
}

/// Whether a version is later than another one. What isn't a number of three parts is not compared.
fn newer(one: &str, other: &str) -> bool {
    let parts = |version: &str| -> Option<[u64; 3]> {
        let plain = version.split(['-', '+']).next()?;
        let numbers: Vec<u64> = plain.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    matches!((parts(one), parts(other)), (Some(one), Some(other)) if one > other)
}

/// Objects of somebody else that are missing or say something else, in words. Those that can't be seen are not counted.
async fn missing(client: &Client, external: &[Component]) -> Result<Vec<String>, k8s::Error> {
    let mut missing = Vec::new();
    for object in external.iter().flat_map(|component| &component.objects) {
        let id = ObjectId::of(object);
        let mut object = object.clone();
        // Whose they are is theirs to say.
        object.metadata.labels = None;
        let api = kinds::api_of(client, &id).await?;
        match plan::compare(&api, &object).await?.change {
            Change::Create => missing.push(format!("{id} (isn't there)")),
            Change::Change(fields) => {
                let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
                missing.push(format!("{id} (differs in {})", paths.join(", ")));
            }
            Change::Unchanged | Change::Hidden => {}
        }
    }
    Ok(missing)
}

/// What the objects depend on. A namespace that is going away is waited for, or it would take the new objects with it.
async fn look(
    client: &Client,
    inventory: &Inventory,
    purpose: Purpose,
    timeout: Duration,
    tell: impl Fn(&str),
    blind: &mut Vec<String>,
) -> Result<(Live, bool), PlanError> {
    let installation = &inventory.installation;
    let set = labels::set_id(installation);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let (mut live, mut home_exists) = (Live::default(), true);
    for name in inventory.all_namespaces().into_iter().map(AsRef::<str>::as_ref) {
        let found = match namespaces.get_opt(name).await.doing(|| format!("read namespace {name}")) {
            Ok(found) => found,
            // Who may not see namespaces works with those there are.
            Err(error) if error.kind() == Kind::Forbidden => continue,
            Err(error) => return Err(error.into()),
        };
        let found = match found {
            Some(going) if going.metadata.deletion_timestamp.is_some() && purpose == Purpose::Show => {
                blind.push(format!("namespace {name} is being deleted; an installation would wait for that"));
                None
            }
            Some(going) if going.metadata.deletion_timestamp.is_some() => {
                let uid = going.uid().unwrap_or_default();
                wait::gone(&namespaces, name, &uid, timeout, &tell).await.map_err(PlanError::Namespace)?;
                None
            }
            other => other,
        };
        let ours = found.as_ref().is_none_or(|it| it.labels().get(labels::PART_OF) == Some(&set));
        if ours {
            live.namespaces.push(name.to_owned());
        }
        if found.is_none() && name == installation.namespace.as_str() {
            home_exists = false;
        }
    }
    if inventory.network.policies {
        match api_server::ports(client).await {
            Ok(ports) => live.api_server_ports = ports,
            Err(error) if error.kind() == Kind::Forbidden => blind.push(format!(
                "the API server's own ports can't be seen, so only network.api_server_ports are let through: {}",
                error.message()
            )),
            Err(error) => return Err(error.into()),
        }
    }
    let mut certificates = Stored::default();
    if home_exists {
        let (home, policy) = (certificates::home(installation), certificates::policy(&inventory.tls));
        certificates = match store::read(client, &home, &policy).await {
            Err(error) if purpose == Purpose::Show && error.kind() == Kind::Forbidden => {
                blind.push(format!("certificates can't be seen: {}", error.message()));
                return Ok((live, home_exists));
            }
            other => other?,
        };
    }
    live.certificates = Some(certificates);
    Ok((live, home_exists))
}

async fn plan_component(
    client: &Client,
    component: Component,
    inventory: &Inventory,
    apply: Apply,
    purpose: Purpose,
) -> (PlannedComponent, Vec<ObjectError>) {
    let Component { name, wave, objects, summary, external: _ } = component;
    let set = labels::set_id(&inventory.installation);
    let plans = objects.into_iter().map(|object| plan_object(client, object, &set, apply, purpose));
    let planned: Vec<_> = stream::iter(plans).buffered(PARALLEL).collect().await;
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    for result in planned {
        match result {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    (PlannedComponent { name, wave, items, summary }, errors)
}

async fn plan_object(
    client: &Client,
    object: DynamicObject,
    set: &str,
    apply: Apply,
    purpose: Purpose,
) -> Result<Item, ObjectError> {
    let id = ObjectId::of(&object);
    let refused = |error| ObjectError::Request { id: id.clone(), error };
    let api = kinds::api_of(client, &id).await.map_err(refused)?;
    let mut compared = false;
    let planned = match plan::plan(&api, &object, as_manager(&object, apply)).await {
        Err(error) if purpose == Purpose::Show && error.kind() == Kind::Forbidden => {
            let planned = plan::compare(&api, &object).await.map_err(refused)?;
            compared = planned.change != Change::Hidden;
            planned
        }
        // Who looks after a few namespaces only may not see definitions, but that there is one.
        Err(error) if id.kind == "CustomResourceDefinition" && error.kind() == Kind::Forbidden => {
            if !clusters::defined(client).await.map_err(refused)? {
                return Err(refused(error));
            }
            compared = true;
            plan::Planned { change: Change::Unchanged, live: None }
        }
        other => other.map_err(refused)?,
    };
    if let Some(version) = planned.live.as_ref().and_then(|live| dropped_version(live, &object)) {
        return Err(ObjectError::StoredVersion { id, version });
    }
    match planned.live.as_ref().and_then(|live| foreign(live, set)) {
        Some(owner) => Err(ObjectError::NotOurs { id, owner }),
        None => Ok(Item { object, change: planned.change, compared, live: planned.live }),
    }
}

/// A version that objects of a definition are stored in, and that would be dropped from it.
fn dropped_version(live: &DynamicObject, wanted: &DynamicObject) -> Option<String> {
    let stored = live.data.pointer("/status/storedVersions")?.as_array()?;
    let described = wanted.data.pointer("/spec/versions").and_then(|versions| versions.as_array());
    let kept = |version: &str| described.is_some_and(|all| all.iter().any(|one| one["name"] == version));
    stored.iter().filter_map(|version| version.as_str()).find(|version| !kept(version)).map(str::to_owned)
}

/// Whose an object is, if it isn't this installation's. Definitions belong to everybody.
#[must_use]
pub fn foreign(live: &DynamicObject, set: &str) -> Option<String> {
    let kind = live.types.as_ref().map(|types| types.kind.as_str());
    let found = live.labels();
    let own_set = found.get(labels::PART_OF).or_else(|| found.get(labels::SET_ID));
    match (own_set, found.get(labels::INSTANCE)) {
        _ if kind == Some("CustomResourceDefinition") => None,
        (Some(found), _) if found == set => None,
        (Some(_), Some(instance)) => Some(format!("belongs to another installation called {instance}")),
        _ => Some("was not made by this installation".to_owned()),
    }
}

/// Applies what differs of a component, all objects at once; bindings after the roles that they refer to.
///
/// # Errors
/// Every object that was refused.
pub async fn apply(client: &Client, items: &[Item], how: Apply) -> Result<usize, Vec<ObjectError>> {
    let changes = items.iter().filter(|item| item.change != Change::Unchanged);
    let (bindings, first): (Vec<&Item>, Vec<&Item>) = changes.partition(|item| is_binding(&item.object));
    let mut count = 0;
    for batch in [first, bindings] {
        let writes = batch.into_iter().map(|item| write(client, item, how));
        let results: Vec<Result<(), ObjectError>> =
            stream::iter(writes).buffer_unordered(PARALLEL).collect().await;
        count += results.len();
        let errors: Vec<ObjectError> = results.into_iter().filter_map(Result::err).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
    }
    Ok(count)
}

fn is_binding(object: &DynamicObject) -> bool {
    object.types.as_ref().is_some_and(|types| types.kind.ends_with("RoleBinding"))
}

async fn write(client: &Client, item: &Item, how: Apply) -> Result<(), ObjectError> {
    let id = ObjectId::of(&item.object);
    let attempt = || async {
        let api = kinds::api_of(client, &id).await?;
        as_manager(&item.object, how)
            .run::<DynamicObject>(&api, &item.object.name_any(), &item.object)
            .await
            .map(drop)
    };
    let begun = std::time::Instant::now();
    let mut pause = SHORTEST_PAUSE;
    let result = loop {
        match attempt().await {
            // The server looks at a binding's role in a memory of its own, which is a moment behind.
            Err(error)
                if error.kind() == Kind::NotFound
                    && is_binding(&item.object)
                    && begun.elapsed() < ROLE_KNOWN_WITHIN =>
            {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => break result,
        }
    };
    result.map_err(|error| ObjectError::Request { id: id.clone(), error })
}

/// Certificates are the operator's from the first moment on, which renews them; two managers would fight over them.
fn as_manager(object: &DynamicObject, how: Apply) -> Apply {
    if certificates::is_one(object) { store::APPLY } else { how }
}

/// How the installer applies.
#[must_use]
pub fn installer(force: bool) -> Apply {
    Apply { manager: INSTALLER, force }
}

/// Waits until what a component consists of works: definitions are served, Deployments are rolled out. Gives a sentence
/// about it, if there is something to say.
///
/// # Errors
/// When time is up, with what was seen.
pub async fn ready(
    client: &Client,
    component: &PlannedComponent,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<Option<String>, WaitError> {
    let mut said = None;
    for item in &component.items {
        let id = ObjectId::of(&item.object);
        match id.kind.as_str() {
            "CustomResourceDefinition" if item.compared => {}
            "CustomResourceDefinition" => served(client, &id.name, timeout, &tell).await?,
            "Deployment" => {
                let namespace = id.namespace.as_deref().unwrap_or_default();
                let selector = pod_selector(&item.object);
                let done =
                    rollout::deployment(client, namespace, &id.name, &selector, timeout, &tell).await?;
                said = Some(format!("{id}: {} of {} ready", done.ready, done.desired));
            }
            _ => {}
        }
    }
    Ok(said)
}

fn pod_selector(deployment: &DynamicObject) -> String {
    let labels = deployment.data.pointer("/spec/selector/matchLabels").and_then(|labels| labels.as_object());
    let pairs = labels.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect::<Vec<_>>().join(",")
}

/// Established says that the API server took the definition in; the kind is there when it can be listed.
async fn served(
    client: &Client,
    name: &str,
    timeout: Duration,
    tell: impl Fn(&str),
) -> Result<(), WaitError> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let look = |found: Option<&CustomResourceDefinition>| {
        let conditions = found
            .and_then(|found| found.status.as_ref())
            .and_then(|status| status.conditions.as_deref())
            .unwrap_or_default();
        let holds = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
        match (holds("Established"), holds("NamesAccepted")) {
            (Some(established), _) if established.status == "True" => Look::Done(()),
            (_, Some(names)) if names.status == "False" => {
                Look::Waiting(format!("{name}: {}", names.message.as_deref().unwrap_or("names not accepted")))
            }
            _ => Look::Waiting(format!("{name}: not served yet")),
        }
    };
    wait::until(&definitions, name, timeout, look, tell).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(labels: &serde_json::Value) -> DynamicObject {
        let object =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "labels": labels}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn only_objects_with_the_installations_label_are_its_own() {
        assert_eq!(foreign(&live(&json!({labels::PART_OF: "mine"})), "mine"), None);
        let other = foreign(&live(&json!({labels::PART_OF: "other", labels::INSTANCE: "b"})), "mine");
        assert_eq!(other.as_deref(), Some("belongs to another installation called b"));
        assert!(foreign(&live(&json!({})), "mine").is_some());
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(newer("0.10.0", "0.9.9") && newer("1.0.0", "0.9.9-rc.1"));
        assert!(!newer("0.1.0", "0.1.0") && !newer("0.1.0-rc.1", "0.1.0") && !newer("unknown", "0.1.0"));
    }

    #[test]
    fn a_version_that_objects_are_stored_in_is_never_dropped() {
        let definition = |data: serde_json::Value| {
            let mut object = live(&json!({}));
            object.data = data;
            object
        };
        let stored = definition(json!({"status": {"storedVersions": ["v1beta1", "v1"]}}));
        let wanted = definition(json!({"spec": {"versions": [{"name": "v1beta1"}]}}));
        assert_eq!(dropped_version(&stored, &wanted).as_deref(), Some("v1"));
        assert_eq!(dropped_version(&live(&json!({})), &wanted), None);
    }

    #[test]
    fn definitions_belong_to_everybody() {
        let mut definition = live(&json!({}));
        definition.types.as_mut().unwrap().kind = "CustomResourceDefinition".into();
        assert_eq!(foreign(&definition, "mine"), None);
    }
}
