//! Certificates that are renewed, and an authority that is replaced, under a running database.

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use pgherd::{
    api::conditions,
    k8s::wait::{self, Look},
    operator::cluster::instances::pod_state,
    pki::{Authority, Facts, LeafRequest, Terms, Usage},
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    super::{
        cluster::{Installation, PATIENCE},
        databases::{PREFIX, condition_is, described},
        writer::Writer,
    },
    rollout::{settled, uids},
};

/// Prints the certificate that PostgreSQL shows, as PEM.
const SHOWN: &str = "import socket, ssl, struct
raw = socket.create_connection(('127.0.0.1', 5432), 5)
raw.sendall(struct.pack('!ii', 8, 80877103))
assert raw.recv(1) == b'S'
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
print(ssl.DER_cert_to_PEM_cert(context.wrap_socket(raw).getpeercert(True)), end='')";

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_lost_connection() {
    let Some(installation) = Installation::new("shown").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    let shown = || {
        let ran =
            installation.kubectl(&["exec", &primary, "-c", "database", "--", "python3", "-c", SHOWN], "");
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stdout
    };
    let before = installation.secret("rhino-cluster-cert", "tls.crt").await;
    assert_eq!(shown().trim(), before.trim());
    let mut writer = Writer::start(&installation, "rhino").await;
    let from = writer.position();

    // Whoever wants another one takes away what there is.
    let none = json!({"data": {"tls.crt": null, "tls.key": null}});
    let secrets = installation.secrets();
    secrets.patch("rhino-cluster-cert", &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
    let renewed = |secret: Option<&Secret>| {
        let data = secret.and_then(|secret| secret.data.as_ref());
        match data.and_then(|data| data.get("tls.crt")) {
            Some(value) if value.0 != before.as_bytes() => {
                Look::Done(String::from_utf8(value.0.clone()).unwrap())
            }
            _ => Look::Waiting("no new certificate".to_owned()),
        }
    };
    let after = wait::until(&secrets, "rhino-cluster-cert", PATIENCE, renewed, |_| {}).await.unwrap();
    let begun = std::time::Instant::now();
    while shown().trim() != after.trim() {
        assert!(begun.elapsed() < 2 * PATIENCE, "PostgreSQL shows the old one");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    writer.goes_on(20).await;
    let written = writer.written(from).await;
    assert!(written.errors.is_empty() && written.missing.is_empty(), "{written:?}");
    writer.stop().await;
    let told = super::rollout::events(&installation).await;
    assert!(
        told.contains("CertificatesRenewed: new certificates or authorities in rhino-cluster-cert"),
        "{told}"
    );
    installation.delete("rhino").await;
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_replaced_while_replicas_poolers_and_clients_connect() {
    let Some(installation) = Installation::new("trust").await else { return };
    installation.succeed(&["install", "-y"]);
    let mut description = described("rhino", 2);
    description["spec"]["proxy"] = json!({"pgBouncer": {}});
    installation.describe(&description).await;
    installation.ready("rhino").await;
    installation
        .until("rhino", |cluster| condition_is(cluster, conditions::PROXY_AVAILABLE, "True").map(drop))
        .await;
    let mut writer = Writer::start_anew(&installation, "rhino", &["rhino-ha", "rhino-pgbouncer"]).await;
    let from = writer.position();
    let rotate = |flags: &[&str]| {
        let base = ["certs", "rotate-ca", "--databases", "-n", &installation.databases, "-y", "-o", "json"];
        installation.run(&[&base[..], flags].concat())
    };
    let step = |flags: &[&str]| -> serde_json::Value {
        let ran = rotate(flags);
        assert_eq!(ran.code, Some(0), "{ran}");
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let early = rotate(&["--reissue"]);
    assert!(early.stderr.contains("no new authority"), "{early}");

    let first = step(&[]);
    assert_eq!((&first["changed"], first["trusted"].as_array().unwrap().len()), (&json!(true), 2), "{first}");
    assert_eq!(step(&[])["changed"], false);
    trusts(&installation, 2).await;
    let issuer = || async { issuer_of(&installation.secret("rhino-cluster-cert", "tls.crt").await) };
    let before = issuer().await;
    assert!(rotate(&["--finish"]).code != Some(0), "the new one doesn't issue yet");
    assert_eq!(step(&["--reissue"])["changed"], true);
    assert_ne!(issuer().await, before);
    // A replica that begins now meets a primary with a certificate of the new authority, and shows one itself.
    let replicas = ListParams::default().labels(&format!("{PREFIX}/cluster=rhino,{PREFIX}/role=replica"));
    let replica = installation.pods().list(&replicas).await.unwrap().items.remove(0);
    let (name, uid) = (replica.name_any(), replica.uid());
    installation.pods().delete(&name, &DeleteParams::default()).await.unwrap();
    let streams = |pod: &Pod| {
        let another = pod.name_any() == name && pod.uid() != uid;
        another && pod_state(pod).replication.as_deref() == Some("streaming")
    };
    installation.until_pod("rhino", streams).await;
    assert_eq!(step(&["--finish"])["trusted"].as_array().unwrap().len(), 1);
    trusts(&installation, 1).await;
    writer.goes_on(20).await;
    let written = writer.written(from).await;
    assert!(written.errors.is_empty() && written.missing.is_empty(), "{written:?}");
    writer.stop().await;

    // Once more, by force: the authority is lost with its key, and there is a new one at once.
    let root = |secret: Option<&Secret>| match secret
        .and_then(|secret| secret.data.as_ref()?.get("root-previous.crt"))
    {
        Some(_) => Look::Done(()),
        None => Look::Waiting("there is no authority that remembers the one before".to_owned()),
    };
    installation.secrets().delete("pgo-root-cacert", &DeleteParams::default()).await.unwrap();
    wait::until(&installation.secrets(), "pgo-root-cacert", PATIENCE, root, |_| {}).await.unwrap();
    assert_eq!(step(&["--reissue"])["changed"], false, "it waits until that has arrived everywhere");
    assert_eq!(step(&["--finish"])["changed"], true);
    installation.ready("rhino").await;
    theirs(&installation).await;
    installation.delete("rhino").await;
    installation.uninstall();
}

/// The user's own certificates take the place of those, once each side trusts the other.
async fn theirs(installation: &Installation) {
    let now = jiff::Timestamp::now();
    let authority = Authority::generate("theirs", now, Terms::days(30)).unwrap();
    let put = async |name: &str, request: LeafRequest, roots: &str| {
        let leaf = authority.issue(&request, now, Terms::days(10)).unwrap();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            "stringData": {"ca.crt": roots, "tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem.expose_secret()},
        });
        let params = PatchParams::apply("user").force();
        installation.secrets().patch(name, &params, &Patch::Apply(secret)).await.unwrap();
    };
    let both = async |roots: &str| {
        let host = format!("rhino-ha.{}.svc", installation.databases);
        let server = LeafRequest { common_name: host.clone(), dns_names: vec![host], usage: Usage::Server };
        put("server", server, roots).await;
        let replication =
            LeafRequest { common_name: "_crunchyrepl".into(), dns_names: Vec::new(), usage: Usage::Client };
        put("replication", replication, roots).await;
    };
    both(authority.certificate_pem()).await;
    let pods = uids(installation, "rhino").await;
    let mut writer = Writer::start(installation, "rhino").await;
    let from = writer.position();
    let change = json!({"spec": {
        "customTLSSecret": {"name": "server"}, "customReplicationTLSSecret": {"name": "replication"},
    }});
    installation.change("rhino", change).await;
    installation
        .until("rhino", |cluster| {
            let message = condition_is(cluster, conditions::PROGRESSING, "True")?;
            if message.contains("does not hold the authority") { Ok(()) } else { Err(message) }
        })
        .await;
    assert_eq!(uids(installation, "rhino").await, pods, "nothing is replaced that could not come back");

    let ours = installation.secret("pgo-root-cacert", "root.crt").await;
    both(&format!("{}{ours}", authority.certificate_pem())).await;
    settled(installation, "rhino").await;
    writer.goes_on(20).await;
    let written = writer.written(from).await;
    assert!(written.missing.is_empty(), "{written:?}");
    writer.stop().await;
    let now = uids(installation, "rhino").await;
    assert!(
        pods.iter().all(|(name, uid)| now.get(name).is_some_and(|other| other != uid)),
        "{pods:?} {now:?}"
    );
}

/// Waits until the client's pod has so many authorities to trust.
async fn trusts(installation: &Installation, count: usize) {
    let begun = std::time::Instant::now();
    loop {
        let ran = installation.kubectl(&["exec", "writer-rhino", "--", "cat", "/trusted/ca.crt"], "");
        let found = ran.stdout.matches("BEGIN CERTIFICATE").count();
        if found == count {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the client has {found} authorities");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

fn issuer_of(pem: &str) -> String {
    Facts::read(pem).unwrap().issuer
}
