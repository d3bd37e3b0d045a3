//! Certificates: who makes them, what the operator shows, and that no client is cut off when they change.

use std::{
    collections::BTreeSet,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use pgherd::{
    certificates::{AUTHORITY_CERTIFICATE, LEAF_CERTIFICATE, decide, entry, served::Shown, settle, store},
    inventory::Inventory,
    k8s::{
        apply::INSTALLER,
        kinds::{self, ObjectId},
        rollout,
        wait::{self, Look},
    },
    pki::{self, Authority, Terms},
    roles,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    sandbox::Ran,
    visitor::Visitor,
};

fn exported(installation: &Installation, more: &[&str]) -> String {
    let ran = installation.succeed(&[&["certs", "export"], more].concat());
    assert!(!ran.stdout.contains("PRIVATE KEY"), "{ran}");
    ran.stdout
}

fn data(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("[PG-CERTS-01]") && ran.stderr.contains(words), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_shows_every_new_certificate_without_a_restart() {
    let Some(installation) = Installation::new("certs").await else { return };
    installation.succeed(&["install", "-y"]);
    let visitor = Visitor::of(&installation);
    let bundle = exported(&installation, &[]);
    let first = visitor.leaf().await;
    visitor.sees(&bundle, &first).await;
    let stranger = Authority::generate("stranger", Timestamp::now(), Terms::days(1)).unwrap();
    let seen = visitor.look(stranger.certificate_pem()).await;
    assert!(matches!(seen, Shown::Other(_)), "whoever trusts another authority is not served: {seen:?}");

    let end = pki::not_after(&first).unwrap().as_second();
    let metrics = visitor.metrics(&bundle).await;
    let line = format!("pgherd_certificate_expiry_seconds{{certificate=\"endpoint\"}} {end}");
    assert!(metrics.contains(&line), "{line}: {metrics}");
    assert!(metrics.contains("pgherd_certificate_expiry_seconds{certificate=\"authority\"}"), "{metrics}");

    // One that somebody deleted comes back, by the same authority.
    let before = visitor.pod().await;
    let name = visitor.home.leaf_secret();
    let lost = visitor.secrets().get(&name).await.unwrap().uid();
    visitor.secrets().delete(&name, &DeleteParams::default()).await.unwrap();
    let look = |found: Option<&Secret>| match found {
        Some(secret) if secret.uid() != lost => Look::Done(()),
        _ => Look::Waiting(format!("{name} isn't back")),
    };
    wait::until(&visitor.secrets(), &name, PATIENCE, look, |_| {}).await.unwrap();
    let second = visitor.leaf().await;
    assert_ne!(first, second);
    visitor.sees(&bundle, &second).await;

    // Renewing waits until it is shown.
    let renewed = data(&installation.succeed(&["certs", "renew", "-o", "json"]));
    assert_eq!((&renewed["served"], &renewed["secret"]), (&json!(true), &json!(name)));
    let third = visitor.leaf().await;
    assert_ne!(second, third);
    assert!(visitor.look(&bundle).await.is(&third));
    assert_eq!(visitor.pod().await, before, "nothing was restarted");

    let rows = data(&installation.succeed(&["certs", "show", "-o", "json"]));
    let kinds: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["authority", "server"]);
    assert!(rows[1]["daysLeft"].as_i64().unwrap() >= 363 && rows[1]["renews"].is_string(), "{rows:#}");
    let unknown = installation.run(&["certs", "renew", "other"]);
    assert_eq!(unknown.code, Some(7), "{unknown}");

    // What the operator wrote is as the installer would have it.
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

/// Connects again and again with the bundle that it has at that time, and remembers what went wrong.
struct Watchman {
    bundle: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<(usize, BTreeSet<String>)>,
}

impl Watchman {
    fn begin(visitor: &Visitor, bundle: String) -> Self {
        let (bundle, stop) = (Arc::new(Mutex::new(bundle)), Arc::new(AtomicBool::new(false)));
        let (trusted, stopped, visitor) = (Arc::clone(&bundle), Arc::clone(&stop), visitor.clone());
        let task = tokio::spawn(async move {
            let (mut good, mut bad) = (0, BTreeSet::new());
            while !stopped.load(Ordering::Relaxed) {
                let bundle = trusted.lock().unwrap().clone();
                match visitor.look(&bundle).await {
                    Shown::Certificate(_) => good += 1,
                    Shown::Nobody => {}
                    Shown::Other(why) => {
                        bad.insert(why);
                    }
                }
            }
            (good, bad)
        });
        Self { bundle, stop, task }
    }

    fn learn(&self, bundle: String) {
        *self.bundle.lock().unwrap() = bundle;
    }

    async fn report(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (good, bad) = self.task.await.unwrap();
        assert!(good > 3 && bad.is_empty(), "{good} connections, and trouble: {bad:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_replaced_step_by_step_and_no_client_is_cut_off() {
    let Some(installation) = Installation::new("rotated").await else { return };
    installation.succeed(&["install", "-y"]);
    let visitor = Visitor::of(&installation);
    let old = exported(&installation, &[]);
    let before = visitor.pod().await;
    let watchman = Watchman::begin(&visitor, old.clone());
    refused(&installation.run(&["certs", "rotate-ca", "--reissue", "-y"]), "no new authority yet");

    let first = installation.succeed(&["certs", "rotate-ca", "-o", "json"]);
    assert_eq!(data(&first)["changed"], true, "{first}");
    let again = installation.succeed(&["certs", "rotate-ca", "-o", "json"]);
    assert_eq!(data(&again)["changed"], false, "{again}");
    assert_eq!(data(&again)["trusted"], data(&first)["trusted"]);
    let both = exported(&installation, &[]);
    assert_eq!(pki::certificates(&both).count(), 2);
    refused(&installation.run(&["certs", "rotate-ca", "--finish"]), "doesn't issue yet");
    watchman.learn(both.clone());

    let unasked = installation.run(&["certs", "rotate-ca", "--reissue"]);
    assert_eq!(unasked.code, Some(6), "it asks whether all clients know: {unasked}");
    let second = installation.succeed(&["certs", "rotate-ca", "--reissue", "-y", "-o", "json"]);
    assert_eq!(data(&second)["changed"], true, "{second}");
    let again = installation.succeed(&["certs", "rotate-ca", "--reissue", "-o", "json"]);
    assert_eq!(data(&again)["changed"], false, "{again}");
    let seen = visitor.look(&old).await;
    assert!(matches!(seen, Shown::Other(_)), "the old authority issues no more: {seen:?}");

    let third = installation.succeed(&["certs", "rotate-ca", "--finish", "-o", "json"]);
    assert_eq!(data(&third)["trusted"].as_array().unwrap().len(), 1, "{third}");
    let new = exported(&installation, &[]);
    assert_eq!(pki::certificates(&new).count(), 1);
    assert!(both.contains(new.trim()) && !old.contains(new.trim()));
    watchman.learn(new.clone());
    visitor.sees(&new, &visitor.leaf().await).await;
    watchman.report().await;
    assert_eq!(visitor.pod().await, before, "nothing was restarted");
    let done = installation.succeed(&["certs", "rotate-ca", "--finish"]);
    assert!(done.stdout.contains("nothing to finish"), "{done}");
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");

    // The key leaves the cluster only when asked for, into a file of its own.
    installation.succeed(&["certs", "export", "--with-key", "--to", "authority.pem"]);
    let file = installation.sandbox.home().join("authority.pem");
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs_err::read_to_string(&file).unwrap().contains("PRIVATE KEY"));
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_rotation_is_completed_by_the_next_run() {
    let Some(installation) = Installation::new("halfway").await else { return };
    installation.succeed(&["install", "-y"]);
    let visitor = Visitor::of(&installation);
    // It would complete it, too, and at once.
    installation.stop_operator().await;
    installation.succeed(&["certs", "rotate-ca"]);

    // As if the run ended after its first write: the new authority issues, and nothing was issued.
    let inventory = Inventory::load(&installation.sandbox.home().join("pgherd.toml")).unwrap();
    let (home, policy) = (&visitor.home, roles::certificates::policy(&inventory.tls));
    let stored = store::read(&visitor.client, home, &policy).await.unwrap();
    let mut set = decide(home, &policy, &stored, None, Timestamp::now()).unwrap().authorities;
    set.switch();
    let decision = settle(home, &policy, set, stored.leaf(), Timestamp::now()).unwrap();
    store::write(&visitor.client, home, &decision.secrets[0], stored.authority.as_ref()).await.unwrap();

    refused(&installation.run(&["certs", "rotate-ca", "--finish"]), "still in use");
    let rest = installation.succeed(&["certs", "rotate-ca", "--reissue", "-o", "json"]);
    assert_eq!(data(&rest)["changed"], true, "{rest}");
    assert!(rest.stderr.contains("no operator is running"), "{rest}");
    let current = visitor.stored(&home.authority_secret(), AUTHORITY_CERTIFICATE).await;
    assert!(pki::issued_by(&visitor.leaf().await, &current));
    installation.succeed(&["certs", "rotate-ca", "--finish"]);
    assert_eq!(pki::certificates(&exported(&installation, &[])).count(), 1);
    installation.uninstall();
}

/// Writes an authority beside the inventory, as its owner would.
fn put(installation: &Installation, authority: &Authority) {
    installation.sandbox.file("company.crt", authority.certificate_pem());
    let key = installation.sandbox.file("company.key", authority.key_pem().expose_secret());
    fs_err::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn tls(installation: &Installation, settings: &str) {
    installation.inventory(|text| format!("{text}\n[tls]\n{settings}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_from_files_issues_and_gives_way_only_when_told() {
    let Some(installation) = Installation::new("company").await else { return };
    tls(
        &installation,
        "authority_certificate = \"company.crt\"\nauthority_key = \"company.key\"\nalgorithm = \"ed25519\"",
    );
    let now = Timestamp::now();
    let expired =
        Authority::generate("expired", now - SignedDuration::from_hours(24 * 20), Terms::days(10)).unwrap();
    put(&installation, &expired);
    let ran = installation.run(&["install", "-y"]);
    assert_eq!(ran.code, Some(3), "{ran}");
    assert!(ran.stderr.contains("[PG-INSTALL-05]") && ran.stderr.contains("expired at"), "{ran}");
    assert!(installation.objects(|_| ()).await.is_empty(), "nothing was written");

    let company = Authority::generate("company", now, Terms::days(100)).unwrap();
    put(&installation, &company);
    installation.succeed(&["install", "-y"]);
    let visitor = Visitor::of(&installation);
    visitor.sees(company.certificate_pem(), &visitor.leaf().await).await;
    assert_eq!(exported(&installation, &[]), company.certificate_pem());
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    refused(&installation.run(&["certs", "rotate-ca"]), "the authority is yours");

    let successor = Authority::generate("successor", now, Terms::days(200)).unwrap();
    put(&installation, &successor);
    let ran = installation.succeed(&["install", "-y"]);
    assert!(ran.stderr.contains("\"successor\" is trusted too"), "{ran}");
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    visitor.sees(company.certificate_pem(), &visitor.leaf().await).await;
    assert_eq!(pki::certificates(&exported(&installation, &[])).count(), 2);
    installation.succeed(&["certs", "rotate-ca", "--reissue", "-y"]);
    visitor.sees(successor.certificate_pem(), &visitor.leaf().await).await;
    installation.succeed(&["certs", "rotate-ca", "--finish"]);
    let again = installation.succeed(&["install"]);
    assert!(again.stderr.contains("Nothing to do"), "{again}");
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_in_a_secret_is_followed_and_never_written() {
    let Some(installation) = Installation::new("theirs").await else { return };
    let client = installation.cluster.client.clone();
    let namespaces: Api<Namespace> = Api::all(client);
    let namespace = json!({"metadata": {"name": installation.home}});
    namespaces.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap()).await.unwrap();
    tls(&installation, "authority_secret = \"company\"");
    let visitor = Visitor::of(&installation);
    let missing = installation.run(&["install", "-y"]);
    assert_eq!(missing.code, Some(3), "{missing}");
    assert!(missing.stderr.contains(&format!("secret {}/company", installation.home)), "{missing}");

    let now = Timestamp::now();
    let describe = |bundle: &str, authority: &Authority| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "company"},
            "stringData": {"ca.crt": bundle, "ca.key": authority.key_pem().expose_secret()},
        })
    };
    let company = Authority::generate("company", now, Terms::days(100)).unwrap();
    let secret = describe(company.certificate_pem(), &company);
    let made = visitor
        .secrets()
        .create(&PostParams::default(), &serde_json::from_value(secret).unwrap())
        .await
        .unwrap();
    installation.succeed(&["install", "-y"]);
    visitor.sees(company.certificate_pem(), &visitor.leaf().await).await;
    assert!(visitor.secrets().get_opt(&visitor.home.authority_secret()).await.unwrap().is_none());
    refused(&installation.run(&["certs", "rotate-ca"]), "your secret company");
    let untouched = visitor.secrets().get("company").await.unwrap();
    assert_eq!(untouched.resource_version(), made.resource_version());

    // Its owner replaces it, with both trusted: the operator follows by itself.
    let before = visitor.leaf().await;
    let successor = Authority::generate("successor", now, Terms::days(100)).unwrap();
    let bundle = format!("{}{}", successor.certificate_pem(), company.certificate_pem());
    let patch = Patch::Merge(describe(&bundle, &successor));
    visitor.secrets().patch("company", &PatchParams::default(), &patch).await.unwrap();
    let name = visitor.home.leaf_secret();
    let look = |found: Option<&Secret>| match found.and_then(|secret| entry(secret, LEAF_CERTIFICATE)) {
        Some(leaf) if leaf != before => Look::Done(leaf),
        _ => Look::Waiting("the operator didn't follow".to_owned()),
    };
    let leaf = wait::until(&visitor.secrets(), &name, PATIENCE, look, |_| {}).await.unwrap();
    visitor.sees(successor.certificate_pem(), &leaf).await;
    assert_eq!(pki::certificates(&exported(&installation, &[])).count(), 2);
    installation.uninstall();
    namespaces.delete(&installation.home, &DeleteParams::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rendered_and_applied_makes_its_certificates_itself() {
    let Some(installation) = Installation::new("gitops").await else { return };
    let client = installation.cluster.client.clone();
    let rendered = installation.succeed(&["render", "-o", "json"]);
    let list = data(&rendered);
    for item in list["items"].as_array().unwrap() {
        let object: kube::api::DynamicObject = serde_json::from_value(item.clone()).unwrap();
        let id = ObjectId::of(&object);
        // Tests of other installations apply the same definition at the same time.
        let manager = if id.kind == "CustomResourceDefinition" { INSTALLER } else { "gitops" };
        let api = kinds::api_of(&client, &id).await.unwrap();
        let params = PatchParams::apply(manager).validation_strict();
        api.patch(&id.name, &params, &Patch::Apply(&object)).await.unwrap();
    }
    let visitor = Visitor::of(&installation);
    let done = rollout::deployment(
        &client,
        &installation.home,
        &installation.name,
        &visitor.selector,
        PATIENCE + Duration::from_mins(1),
        |_| {},
    );
    assert_eq!(done.await.unwrap().ready, 1);
    visitor.sees(&exported(&installation, &[]), &visitor.leaf().await).await;
    for name in [visitor.home.authority_secret(), visitor.home.leaf_secret()] {
        let secret = visitor.secrets().get(&name).await.unwrap();
        assert!(visitor.home.owns(&secret), "{name}: {:?}", secret.labels());
    }
    installation.uninstall();
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}
