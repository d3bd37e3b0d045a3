//! A way to the API server on which things go wrong as a test wants them to.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes through.
    Pass,
    /// It goes through, and whoever made it is killed before the answer comes.
    Kill,
    /// It doesn't go through, and this status is the answer.
    Answer(u16),
    /// The connection is closed without an answer.
    Close,
    /// It doesn't go through, and there is never an answer.
    Hold,
}

/// A request as a script sees it.
pub(crate) struct Seen {
    /// Such as `PATCH /api/v1/namespaces/x`.
    pub(crate) what: String,
    /// Whether it changes something.
    pub(crate) write: bool,
}

type Script = Box<dyn FnMut(&Seen) -> Fate + Send>;

/// The proxy. It has the rights of the test cluster's administrator.
pub(crate) struct Proxy {
    script: Arc<Mutex<Script>>,
    kills: mpsc::UnboundedReceiver<()>,
    /// Changes when everything that is open is cut.
    cuts: watch::Sender<u32>,
    port: u16,
}

impl Proxy {
    /// Starts it; everything passes.
    pub(crate) async fn start(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(|_: &Seen| Fate::Pass)));
        let (killed, kills) = mpsc::unbounded_channel();
        let cuts = watch::Sender::new(0);
        let cut = cuts.subscribe();
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (client, script, killed) = (client.clone(), Arc::clone(&shared), killed.clone());
                let service = service_fn(move |request| {
                    forward(client.clone(), Arc::clone(&script), killed.clone(), request)
                });
                let mut cut = cut.clone();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        // That a connection ends badly is what this is for.
                        _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { script, kills, cuts, port }
    }

    /// Decides from now on what becomes of requests.
    pub(crate) fn script(&self, script: impl FnMut(&Seen) -> Fate + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Nobody is there any more, also for what was being watched, until there is another script.
    pub(crate) fn cut(&self) {
        self.script(|_| Fate::Close);
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Everything passes from now on, and what is asked for is noted down.
    pub(crate) fn listen(&self) -> Arc<Mutex<Vec<String>>> {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let notes = Arc::clone(&heard);
        self.script(move |seen| {
            notes.lock().unwrap().push(seen.what.clone());
            Fate::Pass
        });
        heard
    }

    /// Waits until somebody is to be killed.
    pub(crate) async fn kill(&mut self) {
        self.kills.recv().await.unwrap();
    }

    /// A kube config that leads here.
    pub(crate) fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
             clusters: [{{name: test, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\nusers: [{{name: test, user: {{}}}}]\n",
            self.port
        )
    }
}

async fn forward(
    client: Client,
    script: Arc<Mutex<Script>>,
    killed: mpsc::UnboundedSender<()>,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let query = request.uri().query().unwrap_or_default();
    let path = request.uri().path();
    let reads = request.method() == "GET" || query.contains("dryRun") || path.ends_with("reviews");
    let seen = Seen { what: format!("{} {path}", request.method()), write: !reads };
    let fate = script.lock().unwrap()(&seen);
    match fate {
        Fate::Hold => std::future::pending().await,
        Fate::Close => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Fate::Answer(code) => {
            let status = format!(
                "{{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"status\": \"Failure\", \"code\": {code}, \
                 \"message\": \"a fault on purpose\"}}"
            );
            let answer = Response::builder().status(code).header("content-type", "application/json");
            return Ok(answer.body(Body::from(status.into_bytes())).unwrap());
        }
        Fate::Pass | Fate::Kill => {}
    }
    let (mut parts, body) = request.into_parts();
    // The client to the real server sets its own.
    for header in ["host", "authorization", "connection"] {
        parts.headers.remove(header);
    }
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let answer = client.send(Request::from_parts(parts, Body::from(body.to_vec()))).await;
    if fate == Fate::Kill {
        killed.send(()).unwrap();
        std::future::pending::<Infallible>().await;
    }
    answer.map_err(std::io::Error::other)
}

/// Every request fails so the first time that it is made, and passes after that. Conflicts are for writes.
pub(crate) fn each_once(fault: Fate) -> impl FnMut(&Seen) -> Fate {
    let mut known = std::collections::BTreeSet::new();
    move |seen| {
        let possible = seen.write || fault != Fate::Answer(409);
        if possible && known.insert((seen.what.clone(), seen.write)) { fault } else { Fate::Pass }
    }
}

/// Nobody is there for a while, from a certain write on.
pub(crate) fn away(from: usize, duration: Duration) -> impl FnMut(&Seen) -> Fate {
    let (mut writes, mut since) = (0, None);
    move |seen| {
        writes += usize::from(seen.write);
        if writes < from {
            return Fate::Pass;
        }
        let since = *since.get_or_insert_with(Instant::now);
        if since.elapsed() < duration { Fate::Close } else { Fate::Pass }
    }
}
