//! A certificate that is renewed under a running database.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use pgherd::k8s::wait::{self, Look};
use serde_json::json;

use super::super::{
    cluster::{Installation, PATIENCE},
    databases::described,
    writer::Writer,
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
    assert!(told.contains("CertificatesRenewed: made anew: rhino-cluster-cert"), "{told}");
    installation.delete("rhino").await;
    installation.uninstall();
}
