use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    inventory::Inventory,
    pki::{Authority, LeafRequest, Terms, Usage},
};

const SECRET: &str = "correct horse battery staple";

/// What the request has to be signed with, worked out from the request itself by whoever gets it.
fn expected_signature(request: &str, host: &str) -> String {
    let target = request.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap();
    let (signed, _) = query.split_once("&X-Amz-Signature=").unwrap();
    let value = |name: &str| {
        signed.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap().replace("%2F", "/")
    };
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let digit = |number: u8| char::from_digit(u32::from(number), 16).unwrap();
    let hex = |bytes: &[u8]| -> String {
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    };
    let canonical =
        ["HEAD", path, signed, &format!("host:{host}"), "", "host", "UNSIGNED-PAYLOAD"].join("\n");
    let credential = value("X-Amz-Credential");
    let (_, scope) = credential.split_once('/').unwrap();
    let parts: Vec<&str> = scope.split('/').collect();
    let date = value("X-Amz-Date");
    let text = ["AWS4-HMAC-SHA256", &date, scope, &hex(&Sha256::digest(&canonical))].join("\n");
    let day = mac(format!("AWS4{SECRET}").as_bytes(), parts[0]);
    hex(&mac(&mac(&mac(&mac(&day, parts[1]), parts[2]), parts[3]), &text))
}

/// A store with one bucket `backups` in the path. Answers once, with a clock that is off by `skew`.
async fn store(authority: &Authority, skew: SignedDuration) -> u16 {
    let request = LeafRequest {
        common_name: "localhost".to_owned(),
        dns_names: vec!["localhost".to_owned()],
        usage: Usage::Server,
    };
    let leaf = authority.issue(&request, Timestamp::now(), Terms::LEAF).unwrap();
    let certificates =
        CertificateDer::pem_slice_iter(leaf.certificate_pem.as_bytes()).map(Result::unwrap).collect();
    let key = secrecy::ExposeSecret::expose_secret(&leaf.key_pem).as_bytes().to_vec();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(&key).unwrap();
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that doesn't trust the certificate goes away.
        let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            request.push(char::from(stream.read_u8().await.unwrap()));
        }
        let host = format!("localhost:{port}");
        let status =
            if !request.contains(&format!("&X-Amz-Signature={} ", expected_signature(&request, &host))) {
                "403 Forbidden"
            } else if request.starts_with("HEAD /backups?") {
                "200 OK"
            } else {
                "404 Not Found"
            };
        let date = rfc2822::to_string(&(Timestamp::now() + skew).to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        stream.write_all(format!("HTTP/1.1 {status}\r\nDate: {date}\r\n\r\n").as_bytes()).await.unwrap();
        stream.shutdown().await.ok();
    });
    port
}

/// The one finding about a store at `port`, with what else the inventory says.
async fn found(port: u16, bucket: &str, secret: &str, authority: Option<&Authority>) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
    let mut text = format!(
        "{}\n[s3]\nbucket = \"{bucket}\"\nendpoint = \"localhost:{port}\"\nregion = \"eu-1\"\nkey = \"KEY\"\n\
         secret = {{ file = \"secret\" }}\nuri_style = \"path\"\n",
        include_str!("../../../inventory/minimal.toml")
    );
    if let Some(authority) = authority {
        fs_err::write(folder.path().join("ca.crt"), authority.certificate_pem()).unwrap();
        text.push_str("ca = \"ca.crt\"\n");
    }
    let inventory = Inventory::parse("pgherd.toml", &text).unwrap();
    let findings = check(&inventory.s3, folder.path()).await;
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(!format!("{finding:?}").contains(SECRET));
    (finding.outcome, finding.message.clone())
}

fn authority() -> Authority {
    rustls::crypto::ring::default_provider().install_default().ok();
    Authority::generate("a store", Timestamp::now(), Terms::AUTHORITY).unwrap()
}

#[tokio::test]
async fn a_bucket_that_can_be_used_and_every_way_that_it_cannot() {
    let own = authority();
    let (none, hour) = (SignedDuration::ZERO, SignedDuration::from_hours(1));
    let failed = async |port, bucket: &str, secret: &str, trusted: &Authority, words: &str| {
        let (outcome, message) = found(port, bucket, secret, Some(trusted)).await;
        assert!(outcome == Outcome::Failed && message.contains(words), "{words}: {outcome:?} {message}");
    };
    let (outcome, message) = found(store(&own, none).await, "backups", SECRET, Some(&own)).await;
    assert_eq!(outcome, Outcome::Ok, "{message}");
    assert!(message.starts_with("from this machine: "), "{message}");

    failed(store(&own, none).await, "backups", "wrong", &own, "refuses the key").await;
    failed(store(&own, hour).await, "backups", "wrong", &own, "clock").await;
    failed(store(&own, none).await, "nothing", SECRET, &own, "has no bucket").await;
    failed(store(&own, none).await, "backups", SECRET, &authority(), "no TLS").await;
    // The port of a listener that is gone again.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    failed(port, "backups", SECRET, &own, "can't connect").await;
}

#[tokio::test]
async fn without_a_bucket_there_is_nothing_to_say_and_an_unknown_name_is_told() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let minimal = include_str!("../../../inventory/minimal.toml");
    let s3 = |text: &str| Inventory::parse("pgherd.toml", &format!("{minimal}\n{text}")).unwrap().s3;
    assert!(check(&s3(""), Path::new("")).await.is_empty());
    let unknown = s3("[s3]\nbucket = \"backups\"\nendpoint = \"store.invalid\"\nregion = \"eu-1\"\n");
    let findings = check(&unknown, Path::new("")).await;
    assert_eq!(findings[0].outcome, Outcome::Failed);
    assert!(findings[0].message.contains("backups.store.invalid doesn't resolve"), "{findings:?}");
}
