//! Whether the bucket for backups can be reached, asked from the machine that runs the check.

mod signature;

use std::{path::Path, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use secrecy::SecretString;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use self::signature::Signer;
use super::{Code, Finding, Outcome};
use crate::inventory::{S3, UriStyle};

/// How long connecting, shaking hands and the answer may take, each.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the signed request may be used.
const VALID: u32 = 60;

/// What S3 puts up with between its clock and that of who signs.
const SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The most that an answer's head may have.
const LONGEST_HEAD: usize = 64 << 10;

/// Where requests go.
struct Place<'a> {
    /// The name that is resolved, and that the certificate has to be for.
    name: String,
    port: u16,
    /// The header `Host`: the port only where it isn't the usual one.
    host: String,
    path: String,
    bucket: &'a str,
}

/// Why the bucket wasn't reached.
struct Trouble {
    message: String,
    hint: String,
}

impl Trouble {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

pub(super) async fn check(s3: &S3, folder: &Path) -> Vec<Finding> {
    let Some(place) = Place::of(s3) else { return Vec::new() };
    let code = Code::Bucket;
    if !s3.verify_tls {
        let why = "with s3.verify_tls = false anybody could answer, so nothing is sent there";
        return vec![Finding::new(code, Outcome::Skipped, why)];
    }
    let secret = match s3.secret.as_ref().map(|secret| secret.read(folder)).transpose() {
        Ok(secret) => secret,
        Err(why) => return vec![Finding::new(code, Outcome::Skipped, format!("s3.secret: {why}"))],
    };
    vec![match ask(s3, &place, secret.as_ref(), folder).await {
        Ok((status, head)) => judge(&place, secret.is_some(), status, &head, Timestamp::now()),
        Err(Trouble { message, hint }) => Finding::failed(code, from_here(&message), hint),
    }]
}

/// Pods may see the network otherwise than this machine does.
fn from_here(message: &str) -> String {
    format!("from this machine: {message}")
}

impl<'a> Place<'a> {
    fn of(s3: &'a S3) -> Option<Self> {
        let (bucket, endpoint) = (s3.bucket.as_ref()?.as_str(), s3.endpoint.as_ref()?.as_str());
        let (name, port) = match endpoint.rsplit_once(':') {
            // Colons inside brackets are an address of IPv6.
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
            _ => (endpoint, 443),
        };
        let (name, path) = match s3.uri_style {
            UriStyle::Host => (format!("{bucket}.{name}"), "/".to_owned()),
            UriStyle::Path => (name.to_owned(), format!("/{bucket}")),
        };
        let host = if port == 443 { name.clone() } else { format!("{name}:{port}") };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { name, port, host, path, bucket })
    }
}

/// Sends a `HEAD` for the bucket, signed if there is a key.
async fn ask(
    s3: &S3,
    place: &Place<'_>,
    secret: Option<&SecretString>,
    folder: &Path,
) -> Result<(StatusCode, HeaderMap), Trouble> {
    let Place { name, port, host, path, .. } = place;
    let tls = TlsConnector::from(Arc::new(trust(s3, folder)?));
    let addresses = tokio::net::lookup_host((name.as_str(), *port)).await.map_err(|error| {
        Trouble::new(
            format!("{name} doesn't resolve: {error}"),
            "Look at s3.endpoint, and s3.uri_style: \"host\" puts the bucket in front of the name.",
        )
    })?;
    let addresses: Vec<_> = addresses.collect();
    let slow = |what: &str| {
        let message = format!("{what} {host} takes longer than {} s", PATIENCE.as_secs());
        Trouble::new(message, "A firewall may be in between.")
    };
    let stream = timeout(PATIENCE, TcpStream::connect(addresses.as_slice()))
        .await
        .map_err(|_| slow("connecting to"))?
        .map_err(|error| {
            Trouble::new(
                format!("can't connect to {host}: {error}"),
                "Look at the port in s3.endpoint, and at firewalls.",
            )
        })?;
    let server = ServerName::try_from(name.clone())
        .map_err(|error| Trouble::new(format!("{name}: {error}"), "s3.endpoint has to be a host."))?;
    let stream = timeout(PATIENCE, tls.connect(server, stream))
        .await
        .map_err(|_| slow("shaking hands with"))?
        .map_err(|error| {
            let hint =
                "An authority of its own is named in s3.ca. Without that, those of this machine count.";
            Trouble::new(format!("no TLS with {host}: {error}"), hint)
        })?;
    let target = match (&s3.key, secret, &s3.region) {
        (Some(key), Some(secret), Some(region)) => {
            let signer = Signer { key: key.as_str(), secret, region: region.as_str() };
            signer.target("HEAD", host, path, Timestamp::now(), VALID)
        }
        _ => path.clone(),
    };
    let request = format!("HEAD {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = timeout(PATIENCE, exchange(stream, &request)).await.map_err(|_| slow("the answer of"))?;
    answer.map_err(|why| {
        Trouble::new(format!("{host} doesn't speak as S3 does: {why}"), "Look at s3.endpoint.")
    })
}

fn trust(s3: &S3, folder: &Path) -> Result<ClientConfig, Trouble> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &s3.ca {
        let path = folder.join(file.as_str());
        let hint = "s3.ca names a file with certificates as PEM.";
        let pem = fs_err::read(&path).map_err(|error| Trouble::new(error.to_string(), hint))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let added = certificate.map_err(|error| error.to_string());
            added
                .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()))
                .map_err(|error| Trouble::new(format!("{}: {error}", path.display()), hint))?;
        }
        if roots.is_empty() {
            return Err(Trouble::new(format!("{} has no certificate", path.display()), hint));
        }
    } else {
        // One that can't be read is missed where it is needed, and then the handshake says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// The answer's status and headers. A `HEAD` has nothing behind them.
async fn exchange<S>(mut stream: S, request: &str) -> Result<(StatusCode, HeaderMap), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let words = |error: std::io::Error| error.to_string();
    stream.write_all(request.as_bytes()).await.map_err(words)?;
    stream.flush().await.map_err(words)?;
    let mut lines = BufReader::new(tokio::io::AsyncReadExt::take(stream, LONGEST_HEAD as u64)).lines();
    let first = lines.next_line().await.map_err(words)?.unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| "the answer isn't HTTP".to_owned())?;
    let mut head = HeaderMap::new();
    while let Some(line) = lines.next_line().await.map_err(words)?.filter(|line| !line.is_empty()) {
        let pair = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        if let Some((name, value)) = pair
            && let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse())
        {
            head.insert(name, value);
        }
    }
    Ok((status, head))
}

/// What an answer means.
fn judge(place: &Place<'_>, signed: bool, status: StatusCode, head: &HeaderMap, now: Timestamp) -> Finding {
    let Place { bucket, host, .. } = place;
    let code = Code::Bucket;
    let text = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
    let failed = |message: String, hint: &str| Finding::failed(code, from_here(&message), hint);
    let theirs = text("date").and_then(|date| rfc2822::parse(date).ok());
    let apart = theirs.map(|date| now.duration_since(date.timestamp()).abs());
    match status.as_u16() {
        200..=299 => {
            Finding::ok(code, from_here(&format!("{host} answers, and the bucket \"{bucket}\" can be used")))
        }
        403 if !signed => {
            let message =
                format!("{host} answers; whether pods may use \"{bucket}\" depends on their own identity");
            Finding::ok(code, from_here(&message))
        }
        403 if apart.is_some_and(|apart| apart > SKEW) => failed(
            format!(
                "{host} refuses the signature, and its clock is {} s apart from this machine's",
                apart.unwrap_or_default().as_secs()
            ),
            "Set the clock that is wrong, best by NTP. S3 accepts 15 minutes.",
        ),
        403 => failed(
            format!("{host} refuses the key for the bucket \"{bucket}\" (403)"),
            "The key is unknown, its secret is wrong, or it may not list the bucket. See s3.key and s3.secret.",
        ),
        404 => failed(
            format!("{host} has no bucket \"{bucket}\" (404)"),
            "Make it, or look at s3.bucket and s3.uri_style.",
        ),
        301 | 307 | 400 => {
            let region =
                text("x-amz-bucket-region").map_or_else(String::new, |region| format!("; it is in {region}"));
            failed(
                format!("{host} doesn't take requests for \"{bucket}\" in this form ({status}){region}"),
                "Look at s3.region, s3.endpoint and s3.uri_style.",
            )
        }
        _ => failed(format!("{host} answers {status}"), "What it means, the store's own log tells."),
    }
}

#[cfg(test)]
mod tests;
