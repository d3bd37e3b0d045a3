//! What the inventories that come with pgherd render to.

use std::{collections::BTreeSet, path::Path};

use jiff::Timestamp;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{
    Catalogue,
    components::{Live, components},
    files::Files,
};
use crate::inventory::{Inventory, NamespaceMode};

/// An example and its objects as they are in an empty cluster.
struct Example {
    inventory: Inventory,
    objects: Vec<DynamicObject>,
}

impl Example {
    fn load(path: &Path) -> Self {
        let inventory = Inventory::load(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let files = Files::read(&inventory, Path::new(FOLDER)).unwrap();
        let live = Live::unseen(&inventory);
        let catalogue = Catalogue::load(None).unwrap();
        let components = components(&catalogue, &inventory, &files, &live, Timestamp::now()).unwrap();
        Self { inventory, objects: components.into_iter().flat_map(|component| component.objects).collect() }
    }

    fn named(name: &str) -> Self {
        Self::load(&Path::new(FOLDER).join(name))
    }

    /// The namespaces that belong to it.
    fn namespaces(&self) -> BTreeSet<String> {
        let own = self.inventory.installation.namespace.to_string();
        self.inventory.watched().iter().map(ToString::to_string).chain([own]).collect()
    }

    fn kind(&self, kind: &str) -> impl Iterator<Item = &DynamicObject> {
        self.objects.iter().filter(move |object| kind_of(object) == kind)
    }

    /// The pod of the operator.
    fn pod(&self) -> &Value {
        let deployments: Vec<_> = self.kind("Deployment").collect();
        assert_eq!(deployments.len(), 1);
        &deployments[0].data["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    fn variable(&self, name: &str) -> &Value {
        let variables = self.container()["env"].as_array().unwrap();
        let found = variables.iter().find(|variable| variable["name"] == name);
        &found.unwrap_or_else(|| panic!("{name}: {variables:#?}"))["value"]
    }
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/inventory");

fn kind_of(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

fn id(object: &DynamicObject) -> String {
    let metadata = &object.metadata;
    let [namespace, name] =
        [&metadata.namespace, &metadata.name].map(|text| text.clone().unwrap_or_default());
    format!("{} {namespace}/{name}", kind_of(object))
}

#[test]
fn every_example_renders_to_an_operator_with_rights_in_its_namespaces_only() {
    let mut seen = 0;
    for entry in fs_err::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let example = Example::load(&path);
        let file = path.display();
        let inventory = &example.inventory;
        let namespaces = example.namespaces();
        for object in &example.objects {
            match kind_of(object) {
                "CustomResourceDefinition" => {}
                "ClusterRole" | "ClusterRoleBinding" => {
                    assert_ne!(inventory.namespaces.mode, NamespaceMode::Disabled, "{file}: {}", id(object));
                }
                "Namespace" => {
                    assert!(namespaces.contains(object.metadata.name.as_deref().unwrap()), "{file}");
                }
                _ => {
                    let namespace = object.metadata.namespace.as_deref();
                    assert!(
                        namespace.is_some_and(|name| namespaces.contains(name)),
                        "{file}: {}",
                        id(object)
                    );
                }
            }
        }
        assert_eq!(example.kind("Namespace").count(), namespaces.len(), "{file}");
        for namespace in inventory.watched() {
            let binding = format!("RoleBinding {namespace}/{}", inventory.installation.name);
            assert!(example.objects.iter().any(|object| id(object) == binding), "{file}: {binding}");
        }
        let watched: Vec<_> = inventory.watched().iter().map(AsRef::as_ref).collect();
        assert_eq!(example.variable("PGHERD_WATCH_NAMESPACES"), &json!(watched.join(",")), "{file}");
        assert_eq!(example.container()["image"], inventory.images.operator.as_str(), "{file}");
        for (version, image) in &inventory.images.postgres {
            let variable = format!("RELATED_IMAGE_POSTGRES_{version}");
            assert_eq!(example.variable(&variable), image.as_str(), "{file}");
        }
        let debug = example.container()["command"].as_array().unwrap().contains(&json!("-v"));
        assert_eq!(debug, inventory.installation.debug, "{file}");
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn images_are_complete_in_the_operators_pod() {
    let production = Example::named("production.toml");
    assert_eq!(production.container()["image"], "registry.example.com/databases/pgherd:0.1.0");
    assert_eq!(
        production.variable("RELATED_IMAGE_POSTGRES_16"),
        "registry.example.com/databases/postgres:16.10"
    );
    assert_eq!(production.pod()["imagePullSecrets"], json!([{"name": "registry"}]));
    let openshift = Example::named("openshift.toml");
    assert_eq!(
        openshift.container()["image"],
        "image-registry.openshift-image-registry.svc:5000/pgherd/pgherd:0.1.0"
    );
    let laptop = Example::named("laptop.toml");
    assert_eq!(laptop.container()["image"], "localhost/pgherd:dev");
    assert_eq!(laptop.container()["command"], json!(["pgherd", "operator", "-v"]));
}

#[test]
fn in_the_air_gap_every_image_comes_from_inside_and_is_pinned() {
    let example = Example::named("air-gap.toml");
    let images = [&example.container()["image"], example.variable("RELATED_IMAGE_POSTGRES_17")]
        .map(|image| image.as_str().unwrap());
    let inside = "registry.inside.example.com:5000/from-outside/databases/";
    assert_eq!(
        images,
        [
            format!(
                "{inside}pgherd:0.1.0@sha256:ed9522b5a990b0f165738c230064668863effab1fa7b2905f7c5d04e270be0ba"
            ),
            format!(
                "{inside}postgres:17.6@sha256:ddd7d9932735b64c53d70ca75185f82f0a6d27dd6e35e372f4c466a9436c213e"
            ),
        ]
    );
    // Nothing else says where images are.
    for object in &example.objects {
        let text = object.data.to_string();
        assert!(!text.contains("registry.example.com/"), "{}", id(object));
    }
}

#[test]
fn several_installations_have_nothing_in_common_but_the_definitions() {
    let (one, other) = (Example::named("several-orders.toml"), Example::named("several-billing.toml"));
    assert_ne!(one.inventory.installation.name, other.inventory.installation.name);
    let ids = |example: &Example| example.objects.iter().map(id).collect::<BTreeSet<_>>();
    let shared: Vec<String> = ids(&one).intersection(&ids(&other)).cloned().collect();
    assert!(
        !shared.is_empty() && shared.iter().all(|id| id.starts_with("CustomResourceDefinition ")),
        "{shared:?}"
    );
    assert!(one.namespaces().is_disjoint(&other.namespaces()));
}
