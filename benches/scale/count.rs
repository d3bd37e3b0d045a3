//! A way to the API server that counts what goes through. Towards the operator it speaks TLS, as the server does, so that the
//! operator's memory is what it would be without it.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Requests by what they do and to which kind, such as `list pods`.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The proxy. It has the rights of whoever runs the benchmark.
pub(crate) struct Proxy {
    tally: Tally,
    kubeconfig: String,
}

#[derive(Clone)]
struct Tally {
    counts: Arc<Mutex<Counts>>,
    /// Requests besides watches.
    busy: watch::Sender<u64>,
}

impl Proxy {
    /// Starts it; it ends with the runtime.
    pub(crate) async fn start(client: Client) -> anyhow::Result<Self> {
        let identity = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let tally = Tally { counts: Arc::default(), busy: watch::Sender::default() };
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "counted",
            "contexts": [{"name": "counted", "context": {"cluster": "counted", "user": "counted"}}],
            "clusters": [{"name": "counted", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": STANDARD.encode(identity.cert.pem()),
            }}],
            "users": [{"name": "counted", "user": {}}],
        });
        let shared = tally.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), client.clone(), shared.clone()));
            }
        });
        Ok(Self { tally, kubeconfig: kubeconfig.to_string() })
    }

    /// A kube config that leads here.
    pub(crate) fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// What has come since the last call.
    pub(crate) fn take(&self) -> Counts {
        std::mem::take(&mut *self.tally.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nothing but watches has come for a while.
    pub(crate) async fn quiet(&self, length: std::time::Duration) {
        let mut busy = self.tally.busy.subscribe();
        while tokio::time::timeout(length, busy.changed()).await.is_ok() {}
    }
}

impl Tally {
    fn note(&self, what: String) {
        if !what.starts_with("watch ") {
            self.busy.send_modify(|count| *count += 1);
        }
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, client: Client, tally: Tally) {
    stream.set_nodelay(true).ok();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| forward(client.clone(), tally.clone(), request));
    // The operator is killed at the end; that its connections end badly then is no news.
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await.ok();
}

async fn forward(
    client: Client,
    tally: Tally,
    mut request: Request<Incoming>,
) -> anyhow::Result<Response<Body>> {
    tally.note(described(request.method().as_str(), request.uri()));
    let upgrades = request.headers().contains_key("upgrade");
    let inner = upgrades.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    // The client to the real server sets its own.
    for header in ["host", "authorization"] {
        parts.headers.remove(header);
    }
    if !upgrades {
        parts.headers.remove("connection");
    }
    let body = body.collect().await?.to_bytes();
    let answer = client.send(Request::from_parts(parts, Body::from(body.to_vec()))).await;
    let mut answer = answer.context("the API server doesn't answer")?;
    if let Some(inner) = inner.filter(|_| answer.status() == 101) {
        let outer = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            let (inner, outer) = tokio::try_join!(inner, outer)?;
            tokio::io::copy_bidirectional(&mut TokioIo::new(inner), &mut TokioIo::new(outer)).await?;
            anyhow::Ok(())
        });
    }
    Ok(answer)
}

/// What a request does, and to which kind.
fn described(method: &str, uri: &hyper::Uri) -> String {
    let path: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let query = uri.query().unwrap_or_default();
    // Behind the version of the API, and the namespace where there is one.
    let rest = match path.first() {
        Some(&"api") => path.get(2..),
        Some(&"apis") => path.get(3..),
        _ => None,
    };
    let rest = rest.unwrap_or_default();
    let rest = if rest.len() > 2 && rest[0] == "namespaces" { &rest[2..] } else { rest };
    let (kind, name, part) = (rest.first(), rest.get(1), rest.get(2));
    let verb = match (method, name) {
        (_, _) if part == Some(&"exec") => "exec in",
        ("GET", _) if query.contains("watch=") => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        // What is only asked for is sent like something new.
        ("POST", _) if kind.is_some_and(|kind| kind.ends_with("reviews")) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "replace",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        _ => "other",
    };
    let kind = kind.copied().unwrap_or(uri.path());
    match part {
        Some(&"exec") | None => format!("{verb} {kind}"),
        Some(part) => format!("{verb} {kind}/{part}"),
    }
}

/// Requests that ask only for being told of changes.
pub(crate) fn watches(counts: &Counts) -> u64 {
    counts.iter().filter(|(what, _)| what.starts_with("watch ")).map(|(_, count)| count).sum()
}

/// All other requests.
pub(crate) fn besides_watches(counts: &Counts) -> u64 {
    counts.values().sum::<u64>() - watches(counts)
}

/// Requests that change something.
pub(crate) fn writes(counts: &Counts) -> u64 {
    let writing = ["create ", "replace ", "patch ", "delete "];
    counts
        .iter()
        .filter(|(what, _)| writing.iter().any(|verb| what.starts_with(verb)))
        .map(|(_, count)| count)
        .sum()
}
