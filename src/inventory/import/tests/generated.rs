//! Inventories of the old installer as somebody could have written them, and what is to become of each setting.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{option::of, prelude::*, sample::Index};
use toml::Value;

use super::{
    super::keys::{Form, Key},
    *,
};

/// What somebody wrote, whatever the quotes.
#[derive(Clone, Debug)]
pub(super) enum Written {
    Text(String),
    List(Vec<String>),
    /// The name of one of the numbered tables.
    One(Index),
}

/// What has to be there afterwards.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    Nothing,
    Value(Value),
    /// However it is written.
    Length(Duration),
    /// A reference to a secret, and the secret where that is kept.
    Secret(&'static str, String),
}

/// A setting.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) key: String,
    pub(super) written: Written,
    /// Where it is to be. With ` → ` in it, the first part names a table that has the second part.
    pub(super) path: String,
    pub(super) expected: Expected,
}

fn text(value: impl Into<String>) -> Expected {
    Expected::Value(Value::String(value.into()))
}

fn same(texts: impl Strategy<Value = String> + 'static) -> BoxedStrategy<(Written, Expected)> {
    texts.prop_map(|value| (Written::Text(value.clone()), text(value))).boxed()
}

fn list(items: impl Strategy<Value = String> + 'static) -> BoxedStrategy<(Written, Expected)> {
    let items = prop::collection::vec(items, 1..4);
    (items, any::<bool>()).prop_map(|(items, listed)| (several(&items, listed), array(&items))).boxed()
}

fn several(items: &[String], listed: bool) -> Written {
    if listed { Written::List(items.to_vec()) } else { Written::Text(items.join(", ")) }
}

fn array(items: &[String]) -> Expected {
    let mut values: Vec<Value> = Vec::new();
    for item in items {
        if !values.contains(&item.as_str().into()) {
            values.push(item.as_str().into());
        }
    }
    Expected::Value(Value::Array(values))
}

const WORD: &str = "[a-z]([a-z0-9-]{0,12}[a-z0-9])?";
/// What makes trouble between quotes is among it. Braces are Ansible's own.
const FREE: &str = "[A-Za-zä0-9]([A-Za-zäß0-9 #'\"\\\\,:;=._/@\\[\\]-]{0,16}[A-Za-z0-9'\"\\\\#])?";
const FILE: &str = "[a-z]{1,6}(/[a-z]{1,6}){0,2}\\.yaml";
const TRUE: [&str; 6] = ["true", "True", "yes", "on", "1", "Y"];
const FALSE: [&str; 6] = ["false", "False", "no", "off", "0", "N"];

fn boolean(inverted: bool) -> BoxedStrategy<(Written, Expected)> {
    (any::<bool>(), 0..TRUE.len())
        .prop_map(move |(value, at)| {
            let words = if value { TRUE } else { FALSE };
            (Written::Text(words[at].to_owned()), Expected::Value(Value::Boolean(value != inverted)))
        })
        .boxed()
}

fn length(numbers: std::ops::Range<i64>, unit: Duration) -> BoxedStrategy<(Written, Expected)> {
    let steps = prop::sample::select(vec![1, 60, 1000, 3600]);
    (numbers, steps)
        .prop_map(move |(number, step)| {
            let number = number / step * step;
            let expected = match u32::try_from(number) {
                Ok(number) => Expected::Length(unit * number),
                Err(_) => text("off"),
            };
            (Written::Text(number.to_string()), expected)
        })
        .boxed()
}

/// Values of a form.
fn values(form: Form) -> BoxedStrategy<(Written, Expected)> {
    match form {
        Form::Bool => boolean(false),
        Form::Inverted => boolean(true),
        Form::Number(least, most) => (least..=most)
            .prop_map(|number| (Written::Text(number.to_string()), Expected::Value(Value::Integer(number))))
            .boxed(),
        Form::Seconds => length(0..10_000_000, Duration::from_secs(1)),
        Form::Milliseconds => length(-1..10_000_000, Duration::from_millis(1)),
        Form::Days => (0_u32..4000)
            .prop_map(|days| {
                let expected = match days {
                    0 => Expected::Nothing,
                    days => Expected::Length(Duration::from_hours(24) * days),
                };
                (Written::Text(days.to_string()), expected)
            })
            .boxed(),
        Form::Text => same(FREE),
        Form::Address => (WORD, of(1_u16..), any::<bool>())
            .prop_map(|(host, port, scheme)| {
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                let host = format!("{host}.example.com{port}");
                let scheme = if scheme { "https://" } else { "" };
                (Written::Text(format!("{scheme}{host}")), text(host))
            })
            .boxed(),
        Form::Namespace | Form::Installation => same(WORD),
        Form::Object => same("[a-z][a-z0-9]{0,8}(\\.[a-z0-9]{1,5})?"),
        Form::User => "[a-z]([a-z0-9_]{0,10}[a-z0-9])?"
            .prop_map(|user| (Written::Text(user.clone()), text(user.replace('_', "-"))))
            .boxed(),
        Form::Database => same("[A-Za-z][A-Za-z0-9_-]{0,20}"),
        Form::Bucket => same("[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]"),
        Form::Namespaces | Form::Objects => list(WORD),
        Form::Path => same(FILE),
        Form::Paths => list(FILE),
        Form::List => list("[A-Z][A-Za-z]{1,10}"),
        Form::Routes => list("/[a-z]{1,8}"),
        Form::Choice(choices) => same(prop::sample::select(choices).prop_map(ToOwned::to_owned)),
        Form::Secret(name) => FREE
            .prop_map(move |secret| (Written::Text(secret.clone()), Expected::Secret(name, secret)))
            .boxed(),
        Form::StorageName | Form::ResourceName => {
            any::<Index>().prop_map(|index| (Written::One(index), Expected::Nothing)).boxed()
        }
        Form::Part => unreachable!("these are generated together"),
    }
}

/// Settings of something that several make up: what follows its number or name, what was written, what is expected.
type Parts = Vec<(&'static str, Written, &'static str, Expected)>;

fn quantity() -> impl Strategy<Value = (u32, &'static str)> {
    (2_u32..4000, prop::sample::select(vec!["M", "G", "Mi", "Gi", "Ti"]))
}

fn part(name: &'static str, value: String) -> (&'static str, Written, &'static str, Expected) {
    (name, Written::Text(value.clone()), name, text(value))
}

fn mode() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["ReadWriteOnce", "ReadWriteMany"])
}

fn groups() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..70_000, 1..4)
}

/// A part that is numbers of groups.
fn grouped(groups: &[u32]) -> (&'static str, Written, &'static str, Expected) {
    let name = "supplemental_groups";
    let texts: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let mut values: Vec<Value> = Vec::new();
    for group in groups {
        let value = Value::Integer((*group).into());
        if !values.contains(&value) {
            values.push(value);
        }
    }
    (name, several(&texts, false), name, Expected::Value(Value::Array(values)))
}

/// A storage but for its name.
fn storage() -> impl Strategy<Value = Parts> {
    let labels = prop::collection::btree_map("[a-z]{1,5}", "[a-z]{1,5}", 1..3);
    (quantity(), of(mode()), 0..4_usize, of(WORD), of(0_u32..70_000), of(groups()), labels).prop_map(
        |((size, unit), mode, kind, class, group, groups, labels)| {
            let mut parts = vec![part("size", format!("{size}{unit}"))];
            parts.extend(mode.map(|mode| part("access_mode", mode.to_owned())));
            parts.extend(group.map(|group| {
                let expected = Expected::Value(Value::Integer(group.into()));
                ("fs_group", Written::Text(group.to_string()), "fs_group", expected)
            }));
            parts.extend(groups.as_deref().map(grouped));
            let (old, new) =
                [("", ""), ("dynamic", "dynamic"), ("create", "dynamic"), ("create", "static")][kind];
            if !old.is_empty() {
                parts.push(("type", Written::Text(old.to_owned()), "type", text(new)));
            }
            if let Some(class) = class {
                let expected = if old == "create" { Expected::Nothing } else { text(class.clone()) };
                parts.push(("class", Written::Text(class), "class", expected));
            }
            if new == "static" {
                let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let table = labels.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
                let expected = Expected::Value(Value::Table(table));
                parts.push(("match_labels", several(&pairs, false), "match_labels", expected));
            }
            parts
        },
    )
}

/// A set of resources but for its name.
fn resource() -> impl Strategy<Value = Parts> {
    let pair = || (quantity(), 0_u32..9, any::<(bool, bool)>());
    (pair(), pair()).prop_map(|(memory, cpu)| {
        let mut parts = Vec::new();
        let memory = (memory, ["requests_memory", "limits_memory"]);
        // A CPU has no bytes.
        let cpu = ((((cpu.0).0, "m"), cpu.1, cpu.2), ["requests_cpu", "limits_cpu"]);
        for (((number, unit), more, (request, limit)), [requests, limits]) in [memory, cpu] {
            parts.extend(request.then(|| part(requests, format!("{number}{unit}"))));
            parts.extend(limit.then(|| part(limits, format!("{}{unit}", number + more))));
        }
        parts
    })
}

/// Up to six of them, with gaps between their numbers. Numbers keep names apart.
fn numbered(parts: impl Strategy<Value = Parts> + 'static) -> BoxedStrategy<BTreeMap<u32, (String, Parts)>> {
    prop::collection::btree_map(1_u32..50, ("[a-z][a-z0-9]{0,6}", parts), 1..6)
        .prop_map(|tables| {
            let named = |(number, (name, parts))| (number, (format!("{name}-{number}"), parts));
            tables.into_iter().map(named).collect()
        })
        .boxed()
}

/// What one part of the metrics has: an image, a volume.
fn metrics(component: &'static str) -> BoxedStrategy<Vec<Line>> {
    let image = of(("[a-z]{1,6}", "[a-z]{1,6}", "[a-z0-9]{1,6}"));
    let volume = of((quantity(), of(mode()), of(WORD), groups()));
    (image, volume)
        .prop_map(move |(image, volume)| {
            let mut lines = Vec::new();
            if let Some((prefix, name, tag)) = image {
                let whole = format!("registry.example.com/{prefix}/{name}:{tag}");
                let prefix = format!("registry.example.com/{prefix}");
                for (key, value) in [("prefix", prefix), ("name", name), ("tag", tag)] {
                    lines.push(Line {
                        key: format!("{component}_image_{key}"),
                        written: Written::Text(value),
                        path: format!("images.{component}"),
                        expected: text(whole.clone()),
                    });
                }
            }
            if let Some(((size, unit), mode, class, groups)) = volume {
                let size = format!("{size}{unit}");
                let mut parts = vec![("volume_size", Written::Text(size.clone()), "size", text(size))];
                parts.extend(mode.map(|mode| {
                    ("storage_access_mode", Written::Text(mode.to_owned()), "access_mode", text(mode))
                }));
                parts.extend(
                    class.map(|class| {
                        ("storage_class_name", Written::Text(class.clone()), "class", text(class))
                    }),
                );
                parts.push(grouped(&groups));
                lines.extend(parts.into_iter().map(|(key, written, field, expected)| Line {
                    key: format!("{component}_{key}"),
                    written,
                    path: format!("metrics.{component}.storage → {field}"),
                    expected,
                }));
            }
            lines
        })
        .boxed()
}

/// Memory of containers, as 4.4 and later had it.
const MEMORY: [(&str, &str); 4] = [
    ("default_instance_memory", "container"),
    ("default_pgbouncer_memory", "pgbouncer"),
    ("default_pgbackrest_memory", "pgbackrest"),
    ("default_exporter_memory", "exporter"),
];

/// A whole inventory, its lines in any order.
pub(super) fn inventory() -> impl Strategy<Value = Vec<Line>> {
    let keys: Vec<(&'static Key, keys::Target)> = (catalogue::SCALARS.iter())
        .filter_map(|key| Some((key, key.fate.target()?)))
        .filter(|(_, target)| !matches!(target.form, Form::Part))
        .collect();
    let each: Vec<_> = keys.iter().map(|(_, target)| (any::<bool>(), values(target.form))).collect();
    let memory = prop::collection::vec(of(quantity()), MEMORY.len());
    let metrics = ["prometheus", "grafana", "alertmanager"].map(metrics).to_vec();
    (each, numbered(storage()), numbered(resource()), memory, metrics)
        .prop_map(move |(each, storages, resources, memory, metrics)| {
            let mut lines = BTreeMap::new();
            for ((key, target), (chosen, (written, expected))) in keys.iter().zip(each) {
                let needed = ["pgo_operator_namespace", "primary_storage"].contains(&key.name);
                if !chosen && !needed {
                    continue;
                }
                let tables = if matches!(target.form, Form::ResourceName) { &resources } else { &storages };
                let (written, expected) = match written {
                    Written::One(index) => {
                        let names: Vec<&String> = tables.values().map(|(name, _)| name).collect();
                        let name = (*index.get(&names)).clone();
                        (Written::Text(name.clone()), text(name))
                    }
                    other => (other, expected),
                };
                let path = target.path.to_owned();
                lines.insert(key.name.to_owned(), Line { key: key.name.to_owned(), written, path, expected });
            }
            for ((key, purpose), quantity) in MEMORY.iter().zip(memory) {
                let Some((number, unit)) = quantity else { continue };
                let value = format!("{number}{unit}");
                let path = format!("defaults.resources.{purpose} → requests_memory");
                let (written, expected) = (Written::Text(value.clone()), text(value));
                lines.insert((*key).to_owned(), Line { key: (*key).to_owned(), written, path, expected });
            }
            agree(&mut lines);
            let mut lines: Vec<Line> = lines.into_values().chain(metrics.into_iter().flatten()).collect();
            for (word, tables) in [("storage", storages), ("resource", resources)] {
                for (number, (name, parts)) in tables {
                    for (key, written, field, expected) in parts.into_iter().chain([part("name", name)]) {
                        let (key, path) =
                            (format!("{word}{number}_{key}"), format!("{word}{number}.{field}"));
                        lines.push(Line { key, written, path, expected });
                    }
                }
            }
            lines
        })
        .prop_shuffle()
}

/// Takes out what contradicts the rest; an inventory like that is a mistake, and another test's matter.
fn agree(lines: &mut BTreeMap<String, Line>) {
    let value = |lines: &BTreeMap<String, Line>, key: &str| {
        lines.get(key).and_then(|line| match &line.expected {
            Expected::Value(value) => Some(value.clone()),
            _ => None,
        })
    };
    let remove = |lines: &mut BTreeMap<String, Line>, keys: &[&str]| {
        lines.retain(|key, _| !keys.contains(&key.as_str()));
    };
    // Two names of one setting.
    if lines.contains_key("reconcile_rbac") {
        remove(lines, &["dynamic_rbac"]);
    }
    if lines.contains_key("auto_failover") {
        remove(lines, &["disable_auto_failover"]);
    }
    for (_, purpose) in MEMORY {
        if lines.contains_key(&format!("default_{purpose}_resources")) {
            lines.retain(|_, line| line.path != format!("defaults.resources.{purpose} → requests_memory"));
        }
    }
    // One way to the cluster.
    if value(lines, "kubernetes_in_cluster") == Some(Value::Boolean(true))
        || lines.contains_key("kubernetes_context")
    {
        remove(lines, &["openshift_host"]);
    }
    if value(lines, "kubernetes_in_cluster") == Some(Value::Boolean(true)) {
        remove(lines, &["kubernetes_context"]);
    }
    if !lines.contains_key("openshift_host") {
        remove(lines, &["openshift_token", "openshift_user", "openshift_password"]);
    }
    if lines.contains_key("openshift_token")
        || !(lines.contains_key("openshift_user") && lines.contains_key("openshift_password"))
    {
        remove(lines, &["openshift_user", "openshift_password"]);
    }
    // Stores need all of what they need.
    for needed in [
        &["backrest_aws_s3_bucket", "backrest_aws_s3_endpoint", "backrest_aws_s3_region"][..],
        &["backrest_aws_s3_key", "backrest_aws_s3_secret"],
    ] {
        if !needed.iter().all(|key| lines.contains_key(*key)) {
            remove(lines, needed);
        }
    }
    if !lines.contains_key("backrest_gcs_bucket")
        || value(lines, "backrest_gcs_key_type") == Some("auto".into())
    {
        remove(lines, &["backrest_gcs_key"]);
    }
    if value(lines, "archive_mode") == Some(Value::Boolean(false)) {
        remove(lines, &["backrest"]);
    }
    let mut ports = BTreeSet::new();
    for key in ["db_port", "exporterport", "pgbadgerport", "backrest_port"] {
        if value(lines, key).is_some_and(|port| !ports.insert(port.to_string())) {
            remove(lines, &[key]);
        }
    }
}
