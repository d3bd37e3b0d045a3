//! `pgherd render`, which needs no cluster.

use std::collections::BTreeMap;

use crate::sandbox::Sandbox;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file("pgherd.toml", include_str!("../../inventory/minimal.toml"));
    sandbox
}

/// Every file below a folder of the home, with its text.
fn files(sandbox: &Sandbox, folder: &str) -> BTreeMap<String, String> {
    let root = sandbox.home().join(folder);
    let mut found = BTreeMap::new();
    for part in fs_err::read_dir(&root).unwrap() {
        for file in fs_err::read_dir(part.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            found.insert(name, fs_err::read_to_string(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_objects_become_files_and_always_the_same_ones() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["render", "-i", "pgherd.toml", "-o", "out"]);
    insta::assert_snapshot!(ran.to_string());
    let first = files(&sandbox, "out");
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    insta::assert_debug_snapshot!(names);
    for (name, text) in &first {
        assert!(
            !text.contains("PRIVATE KEY") && !text.contains("kind: Secret\n") || name.starts_with("record/")
        );
    }
    let again = sandbox.run(&["render", "-i", "pgherd.toml", "-o", "again/here"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(files(&sandbox, "again/here"), first);
}

#[test]
fn what_is_no_longer_rendered_goes_and_files_of_others_stay() {
    let sandbox = sandbox();
    assert_eq!(sandbox.run(&["render", "-i", "pgherd.toml", "-o", "out"]).code, Some(0));
    sandbox.file("out/access/kustomization.yaml", "resources: []\n");
    let changed =
        include_str!("../../inventory/minimal.toml").replace("\"postgres-operator\"", "\"elsewhere\"");
    sandbox.file("pgherd.toml", &changed);
    let ran = sandbox.run(&["render", "-i", "pgherd.toml", "-o", "out"]);
    assert!(ran.stdout.contains("removed 3 files"), "{ran}");
    let names: Vec<String> = files(&sandbox, "out").into_keys().collect();
    assert!(names.contains(&"access/kustomization.yaml".to_owned()), "{names:?}");
    assert!(names.contains(&"access/role-elsewhere-pgherd.yaml".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("postgres-operator-pgherd")), "{names:?}");
}

#[test]
fn parts_go_to_standard_output() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["render", "-i", "pgherd.toml", "--set", "namespaces.mode=readonly", "access"]);
    insta::assert_snapshot!(ran.to_string());
    let json = sandbox.run(&["render", "-i", "pgherd.toml", "-o", "json", "operator"]);
    let list: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"].as_array().unwrap().len(), 3, "{json}");
    insta::assert_snapshot!(sandbox.run(&["render", "-i", "pgherd.toml", "operators"]).to_string());
}
