use super::*;

fn inventory() -> Inventory {
    Inventory::parse("minimal.toml", include_str!("../../../../inventory/minimal.toml")).unwrap()
}

fn wish() -> Wish {
    Wish {
        name: "hippo".parse().unwrap(),
        namespace: "orders".into(),
        replicas: None,
        postgres_version: None,
        image: None,
        storage: None,
        resources: None,
        user: None,
        database: None,
        labels: BTreeMap::new(),
    }
}

#[test]
fn a_cluster_that_asks_for_nothing_gets_the_defaults() {
    insta::assert_snapshot!(serde_saphyr::to_string(&build(wish(), &inventory()).unwrap().resource).unwrap());
}

#[test]
fn what_is_asked_for_wins() {
    let wish = Wish {
        replicas: Some(2),
        postgres_version: Some(16),
        image: Some("registry.example.com/pg:16.1".parse().unwrap()),
        user: Some("app".parse().unwrap()),
        database: Some("orders".into()),
        labels: BTreeMap::from([("team".into(), "a".into())]),
        ..wish()
    };
    let manifest = build(wish, &inventory()).unwrap();
    assert_eq!(manifest.instances, 3);
    insta::assert_snapshot!(serde_saphyr::to_string(&manifest.resource).unwrap());
}

#[test]
fn a_user_or_a_database_alone_gets_the_other_by_the_clusters_name() {
    let one = |user: Option<&str>, database: Option<&str>| {
        let wish = Wish {
            user: user.map(|user| user.parse().unwrap()),
            database: database.map(str::to_owned),
            ..wish()
        };
        let users = build(wish, &inventory()).unwrap().resource.spec.users.unwrap();
        (users[0].name.clone(), users[0].databases.clone())
    };
    assert_eq!(one(Some("app"), None), ("app".into(), vec!["hippo".into()]));
    assert_eq!(one(None, Some("orders")), ("hippo".into(), vec!["orders".into()]));
}

#[test]
fn what_the_installation_does_not_have_is_told_with_what_it_has() {
    let name = |text: &str| text.parse::<SettingName>().ok();
    let unmet = |wish| build(wish, &inventory()).unwrap_err();
    let storage = unmet(Wish { storage: name("fasst"), ..wish() });
    assert_eq!((storage.flag(), storage.known()), ("--storage", &["standard".to_owned()][..]));
    let resources = unmet(Wish { resources: name("large"), ..wish() });
    assert_eq!(resources.to_string(), "no resources are called \"large\"");
    let version = unmet(Wish { postgres_version: Some(15), ..wish() });
    assert_eq!(
        (version.to_string().as_str(), version.known()),
        ("there is no image for PostgreSQL 15", &["17".to_owned()][..])
    );
}

#[test]
fn how_images_are_pulled_is_the_installations_choice() {
    let mut inventory = inventory();
    inventory.images.pull_policy = inventory::PullPolicy::Never;
    inventory.images.pull_secrets = vec!["registry".parse().unwrap()];
    let spec = build(wish(), &inventory).unwrap().resource.spec;
    assert_eq!(spec.image_pull_policy, Some(PullPolicy::Never));
    assert_eq!(spec.image_pull_secrets[0].name, "registry");
}
