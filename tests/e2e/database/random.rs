//! Descriptions that change at random under an operator that is killed at random: what comes out is what a new cluster of the
//! last description is.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use super::super::{
    cluster::{Installation, PATIENCE},
    databases::{PREFIX, described},
    shapes::{generalised, kind},
};

/// Changes in a round, and how many there are without a word on it.
const CHANGES: usize = 10;
const SAMPLE: usize = 3;

/// What of a description changes at random, one at a time.
const FIELDS: [&str; 11] = [
    "sets",
    "wal",
    "labels",
    "memory",
    "parameters",
    "users",
    "pooler",
    "service",
    "synchronous",
    "files",
    "sidecar",
];

/// A description: for each field the number of its choice.
#[derive(Clone, Debug)]
struct Choices(BTreeMap<&'static str, u32>);

impl Choices {
    fn plain() -> Self {
        Self(FIELDS.iter().map(|field| (*field, 0)).collect())
    }

    fn change(&mut self, rng: &mut StdRng) -> &'static str {
        let field = FIELDS[rng.random_range(0..FIELDS.len())];
        let choice = self.0.get_mut(field).unwrap();
        *choice = (*choice + rng.random_range(1..=2)) % 3;
        field
    }

    fn description(&self, name: &str) -> Value {
        let is = |field: &str| self.0[field];
        let mut description = described(name, 1);
        let template = description["spec"]["instances"][0].clone();
        let set = |name: &str, replicas: u32| {
            let mut set = template.clone();
            set["name"] = json!(name);
            set["replicas"] = json!(replicas);
            if is("wal") == 1 {
                set["walVolumeClaimSpec"] = set["dataVolumeClaimSpec"].clone();
            }
            if is("labels") == 2 {
                set["metadata"] = json!({"labels": {"team": "keepers"}});
            }
            if is("memory") > 0 {
                set["resources"] = json!({"limits": {"memory": format!("{}Mi", 256 * (is("memory") + 1))}});
            }
            if is("sidecar") == 1 {
                set["containers"] = json!([{"name": "watcher", "image": "localhost/postgres:17", "command": ["sleep", "1d"]}]);
            }
            set
        };
        let spec = &mut description["spec"];
        spec["instances"] = match is("sets") {
            0 => json!([set("one", 1)]),
            1 => json!([set("one", 2)]),
            _ => json!([set("one", 1), set("two", 1)]),
        };
        if is("labels") == 1 {
            spec["metadata"] =
                json!({"labels": {"place": "zoo"}, "annotations": {"zoo.example/note": "by day"}});
        }
        let mut config = json!({});
        match is("parameters") {
            0 => {}
            1 => config["parameters"] = json!({"work_mem": "6MB"}),
            _ => config["parameters"] = json!({"max_connections": 70, "work_mem": "5MB"}),
        }
        if is("files") == 1 {
            config["files"] = json!([{"configMap": {"name": "files"}}]);
        }
        // Server-side apply makes null of a section that has become empty, which the schema refuses.
        if config != json!({}) {
            spec["config"] = config;
        }
        match is("users") {
            0 => {}
            1 => spec["users"] = json!([{"name": "keeper", "options": "CREATEDB"}]),
            _ => spec["users"] = json!([{"name": "keeper", "databases": ["zoo"]}, {"name": "visitor"}]),
        }
        if is("pooler") > 0 {
            spec["proxy"] = json!({"pgBouncer": {"replicas": is("pooler")}});
        }
        if is("service") > 0 {
            let type_ = ["NodePort", "LoadBalancer"][is("service") as usize - 1];
            spec["replicaService"] = json!({"type": type_});
        }
        if is("synchronous") > 0 {
            spec["patroni"] = json!({"dynamicConfiguration": {"synchronous_mode": is("synchronous") == 1}});
        }
        description
    }
}

/// `PGHERD_ROUNDS` rounds of ten changes each; without a word one round of three.
#[tokio::test(flavor = "multi_thread")]
async fn soak_of_random_changes() {
    let Some(installation) = Installation::new("random").await else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("PGHERD_SEED").unwrap_or(1);
    let rounds = number("PGHERD_ROUNDS");
    let changes = if rounds.is_some() { CHANGES } else { SAMPLE };
    let mut rng = StdRng::seed_from_u64(seed);
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;
    let config_maps: Api<ConfigMap> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let files = json!({"metadata": {"name": "files"}, "data": {"note": "read me"}});
    config_maps.create(&PostParams::default(), &serde_json::from_value(files).unwrap()).await.unwrap();

    for round in 0..rounds.unwrap_or(1) {
        let name = format!("zebra{round}");
        let mut choices = Choices::plain();
        let mut operator = installation.start_operator();
        installation.describe(&choices.description(&name)).await;
        installation.ready(&name).await;
        for change in 0..changes {
            let field = choices.change(&mut rng);
            let pause = Duration::from_millis(rng.random_range(0..6000));
            let killed = rng.random_bool(0.5);
            let tale =
                format!("seed {seed}, round {round}, change {change}: {field}, {pause:?}, killed: {killed}");
            writeln!(std::io::stderr(), "{tale}").unwrap();
            installation.describe(&choices.description(&name)).await;
            // Some moment of what follows, whatever it is.
            tokio::time::sleep(pause).await;
            if killed {
                operator.kill();
                operator = installation.start_operator();
            }
        }
        let fresh = format!("quagga{round}");
        installation.describe(&choices.description(&fresh)).await;
        for cluster in [&name, &fresh] {
            installation.ready(cluster).await;
            super::rollout::settled(&installation, cluster).await;
        }
        let begun = std::time::Instant::now();
        loop {
            let (one, other) = (shapes(&installation, &name).await, shapes(&installation, &fresh).await);
            if one == other {
                break;
            }
            if begun.elapsed() > PATIENCE {
                let without = |all: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
                    let mut all = all.clone();
                    all.retain(|id, shape| others.get(id) != Some(shape));
                    all
                };
                let (ours, theirs) = (without(&one, &other), without(&other, &one));
                assert_eq!(ours, theirs, "seed {seed}, round {round}: {choices:?}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for cluster in [&name, &fresh] {
            installation.delete(cluster).await;
            installation.nothing_left_of(cluster).await;
        }
        operator.kill();
    }
    config_maps.delete("files", &DeleteParams::default()).await.unwrap();
    installation.uninstall();
}

/// All objects of a cluster, pods included, without what is random or assigned. Instances go by their sets and a number.
async fn shapes(installation: &Installation, name: &str) -> BTreeMap<String, Value> {
    let all = installation.belongings(name).await;
    let mut instances: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (id, object) in &all {
        if kind(id) == "StatefulSet" {
            let set = object.labels()[&format!("{PREFIX}/instance-set")].clone();
            instances.entry(set).or_default().push(object.name_any());
        }
    }
    let numbered: Vec<(String, String)> = instances
        .into_iter()
        .flat_map(|(set, mut names)| {
            names.sort();
            names.into_iter().enumerate().map(move |(index, name)| (name, format!("INSTANCE-{set}-{index}")))
        })
        .collect();
    let general = |text: &str| {
        let text = numbered.iter().fold(text.to_owned(), |text, (name, number)| text.replace(name, number));
        text.replace(name, "NAME")
    };
    let theirs = ["Pod", "EndpointSlice", "ControllerRevision", "ReplicaSet"];
    // What Patroni remembers of what a cluster has been through.
    let remembered = ["ha-sync", "ha-failover"].map(|end| format!("{name}-{end}"));
    let mut shapes = BTreeMap::new();
    for (id, object) in &all {
        // Pods are as their owners say; what counts is that none is left over.
        if kind(id) == "Pod" {
            let owner = object.labels().get(&format!("{PREFIX}/instance")).map_or("pooler", String::as_str);
            let count = shapes.entry(format!("pods of {}", general(owner))).or_insert(json!(0));
            *count = json!(count.as_i64().unwrap() + 1);
        } else if !theirs.contains(&kind(id)) && !remembered.contains(&object.name_any()) {
            let id = format!("{} {}", kind(id), general(&object.name_any()));
            shapes.insert(id, generalised(&serde_json::to_value(object).unwrap(), &general));
        }
    }
    shapes
}
