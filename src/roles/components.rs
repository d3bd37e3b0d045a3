//! All objects of an installation, by role, for one inventory and what the cluster holds already. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::Value;

use super::{Catalogue, Error, Files, certificates, labels, permissions, record, render::render};
use crate::{
    api::schema,
    certificates::Stored,
    desired::network_policy,
    domain::names::{NamespaceName, ObjectName},
    inventory::{Inventory, NamespaceMode, PullPolicy},
};

/// The role with everything that gives rights.
pub const ACCESS: &str = "access";

/// The objects that one role came to.
#[derive(Clone, Debug)]
pub struct Component {
    /// The role's name.
    pub name: String,
    /// Components of a lower wave are applied, and ready, before those of a higher one.
    pub wave: u8,
    /// Its objects.
    pub objects: Vec<DynamicObject>,
    /// What to say about it when it is done, where counting its objects says too little.
    pub summary: Option<String>,
    /// Whether somebody else makes its objects, and the installation only needs them.
    pub external: bool,
}

/// What of the cluster the objects depend on.
#[derive(Debug, Default)]
pub struct Live {
    /// Namespaces of the inventory that don't exist, or that this installation made.
    pub namespaces: Vec<String>,
    /// Ports that the API server says it listens on.
    pub api_server_ports: BTreeSet<u16>,
    /// The certificates there are. None: they are somebody else's business.
    pub certificates: Option<Stored>,
}

impl Live {
    /// Nothing is there, and nothing is known: what files can hold. Keys stay out of files.
    #[must_use]
    pub fn unseen(inventory: &Inventory) -> Self {
        let namespaces = inventory.all_namespaces().into_iter().map(ToString::to_string).collect();
        Self { namespaces, ..Self::default() }
    }
}

/// What templates can refer to.
#[derive(Serialize)]
struct Values<'a> {
    version: &'static str,
    installation: &'a crate::inventory::Installation,
    watched: &'a [NamespaceName],
    namespace_mode: NamespaceMode,
    namespace_label: Label<'a>,
    missing_namespaces: &'a [String],
    names: Names,
    images: Images<'a>,
    permissions: Permissions,
    certificates: Vec<Variable>,
    network: Network,
    selector: std::collections::BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Names {
    deployment: String,
    lease: String,
    service_account: String,
    role: String,
    own_role: String,
    cluster_role: String,
    metrics: String,
    ca: String,
    tls: String,
}

#[derive(Serialize)]
struct Images<'a> {
    operator: &'a str,
    pull_policy: PullPolicy,
    pull_secrets: Vec<Value>,
    pull_secret_names: Vec<ObjectName>,
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    name: String,
    image: &'a str,
}

#[derive(Serialize)]
struct Network {
    policies: bool,
    egress: Vec<NetworkPolicyEgressRule>,
    variables: Vec<Variable>,
}

impl Network {
    fn new(inventory: &Inventory, live: &Live) -> Self {
        let network = &inventory.network;
        let listed = network.api_server_ports.iter().filter_map(|port| u16::try_from(port.get()).ok());
        let ports: BTreeSet<u16> = listed.chain(live.api_server_ports.iter().copied()).collect();
        let mut variables = Vec::new();
        if network.policies {
            let numbers: Vec<String> = ports.iter().map(ToString::to_string).collect();
            variables.push(Variable { name: "PGHERD_NETWORK_POLICIES", value: "true".to_owned() });
            variables.push(Variable { name: "PGHERD_API_SERVER_PORTS", value: numbers.join(",") });
            if let Some(namespaces) = &network.client_namespaces {
                let names: Vec<&str> = namespaces.iter().map(AsRef::as_ref).collect();
                variables.push(Variable { name: "PGHERD_CLIENT_NAMESPACES", value: names.join(",") });
            }
        }
        Self { policies: network.policies, egress: network_policy::kubernetes(&ports), variables }
    }
}

/// A variable of the operator's environment.
#[derive(Serialize)]
struct Variable {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Permissions {
    watched: Vec<Value>,
    own: Vec<Value>,
    cluster: Vec<Value>,
    namespaces: Vec<NamespaceName>,
}

#[derive(Serialize)]
struct Label<'a> {
    key: &'a str,
    value: String,
}

/// Renders every role for an inventory, lowest wave first.
///
/// # Errors
/// When a template can't be rendered or a certificate can't be made.
pub fn components(
    catalogue: &Catalogue,
    inventory: &Inventory,
    files: &Files,
    live: &Live,
    now: Timestamp,
) -> Result<Vec<Component>, Error> {
    let values = Values::new(inventory, files, live);
    let (own, shared) = (labels::own(&inventory.installation), labels::shared());
    let mut components = Vec::new();
    for role in catalogue.iter() {
        let mut objects = render(role, &values)?;
        let mut summary = None;
        match role.name.as_str() {
            "definitions" => {
                for definition in schema::definitions() {
                    objects.push(record::dynamic(&definition)?);
                }
            }
            "certificates" => {
                if let Some(stored) = &live.certificates {
                    let certificates = certificates::prepare(inventory, stored, files.authority(), now)?;
                    objects.extend(certificates.secrets);
                    summary = Some(certificates.summary);
                }
            }
            "pull-secrets" => {
                let namespaces = inventory.all_namespaces();
                objects.extend(files.pull_secrets(namespaces.into_iter().map(AsRef::as_ref))?);
            }
            "namespaces" => {
                for object in &mut objects {
                    let annotations = object.metadata.annotations.get_or_insert_default();
                    annotations.insert(labels::HOME.to_owned(), inventory.installation.namespace.to_string());
                }
                let mut names: Vec<&str> = vec![inventory.installation.namespace.as_str()];
                names.extend(inventory.watched().iter().map(AsRef::as_ref));
                names.dedup();
                summary = Some(names.join(", "));
            }
            _ => {}
        }
        for object in objects.iter_mut().filter(|object| !certificates::is_one(object)) {
            let definition =
                object.types.as_ref().is_some_and(|types| types.kind == "CustomResourceDefinition");
            labels::stamp(object, if definition { &shared } else { &own });
        }
        let external = role.name == ACCESS && !inventory.rbac.create;
        let name = role.name.clone();
        components.push(Component { name, wave: role.wave, objects, summary, external });
    }
    Ok(components)
}

impl<'a> Values<'a> {
    fn new(inventory: &'a Inventory, files: &Files, live: &'a Live) -> Self {
        let installation = &inventory.installation;
        let name = installation.name.to_string();
        let images = &inventory.images;
        let granted = permissions::Granted::of(inventory);
        let home = certificates::home(installation);
        Self {
            version: crate::VERSION,
            installation,
            watched: inventory.watched(),
            namespace_mode: inventory.namespaces.mode,
            namespace_label: Label { key: labels::NAMESPACE, value: labels::namespace_label(installation) },
            missing_namespaces: &live.namespaces,
            names: Names {
                own_role: format!("{name}-own"),
                cluster_role: labels::cluster_wide_name(installation),
                lease: labels::operator_lease(installation),
                metrics: home.service(),
                ca: home.authority_secret(),
                tls: home.leaf_secret(),
                deployment: name.clone(),
                service_account: name.clone(),
                role: name,
            },
            images: Images {
                operator: images.operator.as_str(),
                pull_policy: images.pull_policy,
                pull_secrets: (files.pull_secret_names().iter())
                    .map(|secret| serde_json::json!({"name": secret}))
                    .collect(),
                pull_secret_names: files.pull_secret_names().to_vec(),
                related: (images.postgres.iter())
                    .map(|(version, image)| Related {
                        name: format!("RELATED_IMAGE_POSTGRES_{version}"),
                        image: image.as_str(),
                    })
                    .collect(),
            },
            permissions: Permissions {
                watched: permissions::rules(&granted.watched),
                own: [
                    permissions::rules(&granted.own),
                    vec![permissions::lease_rule(installation)],
                    permissions::secret_rules(inventory, files.pull_secret_names()),
                ]
                .concat(),
                cluster: permissions::rules(&granted.cluster),
                namespaces: granted.namespaces,
            },
            certificates: (certificates::variables(&inventory.tls).into_iter())
                .map(|(name, value)| Variable { name, value })
                .collect(),
            network: Network::new(inventory, live),
            selector: labels::operator_selector(installation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimal_inventory_renders_to_these_objects() {
        let inventory =
            Inventory::parse("minimal.toml", include_str!("../../inventory/minimal.toml")).unwrap();
        let live = Live::unseen(&inventory);
        let catalogue = Catalogue::load(None).unwrap();
        let components =
            components(&catalogue, &inventory, &Files::default(), &live, Timestamp::now()).unwrap();
        let rendered: Vec<_> = (components.into_iter())
            .filter(|component| !["definitions", "certificates"].contains(&component.name.as_str()))
            .map(|component| (component.name, component.objects))
            .collect();
        insta::assert_yaml_snapshot!(rendered);
    }
    #[test]
    fn policies_come_with_their_setting_and_say_the_same_to_the_operator() {
        let minimal = include_str!("../../inventory/minimal.toml");
        let network =
            "[network]\npolicies = true\nclient_namespaces = [\"shop\"]\napi_server_ports = [16443]\n";
        let inventory = Inventory::parse("minimal.toml", &format!("{minimal}\n{network}")).unwrap();
        let live = Live { api_server_ports: [8443].into(), ..Live::unseen(&inventory) };
        let catalogue = Catalogue::load(None).unwrap();
        let components =
            components(&catalogue, &inventory, &Files::default(), &live, Timestamp::now()).unwrap();
        let objects: Vec<_> = components.into_iter().flat_map(|component| component.objects).collect();
        let of_kind = |kind: &str| {
            let found =
                objects.iter().find(|object| object.types.as_ref().is_some_and(|types| types.kind == kind));
            &found.unwrap().data
        };
        let spec = &of_kind("NetworkPolicy")["spec"];
        let pods = &of_kind("Deployment")["spec"]["template"];
        assert_eq!(spec["podSelector"]["matchLabels"], pods["metadata"]["labels"]);
        let ports: Vec<_> =
            spec["egress"][1]["ports"].as_array().unwrap().iter().map(|port| port["port"].clone()).collect();
        assert_eq!(ports, [8443, 16443]);
        let environment = pods["spec"]["containers"][0]["env"].as_array().unwrap();
        let value = |name: &str| {
            environment.iter().find(|variable| variable["name"] == name).map(|variable| &variable["value"])
        };
        assert_eq!(value("PGHERD_NETWORK_POLICIES"), Some(&"true".into()));
        assert_eq!(value("PGHERD_API_SERVER_PORTS"), Some(&"8443,16443".into()));
        assert_eq!(value("PGHERD_CLIENT_NAMESPACES"), Some(&"shop".into()));
    }
}
