//! Ports of pods, reached through the API server. Whoever may use the API needs no way into the pods' network.

use std::{future::Future, io, net::Ipv4Addr, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{Doing as _, Error};

/// How long the reason of a broken connection may take to arrive after it broke.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection to a port of a pod.
pub struct Forwarded {
    /// What is written here arrives at the port.
    pub stream: DuplexStream,
    /// What was wrong, once the connection is broken.
    pub trouble: Trouble,
}

/// What the node had to say about a connection that broke.
pub struct Trouble(futures::future::BoxFuture<'static, Option<String>>);

impl Trouble {
    /// Waits a moment for it.
    pub async fn told(self) -> Option<String> {
        let text = tokio::time::timeout(LAST_WORDS, self.0).await.ok().flatten()?;
        let text = text.trim();
        // The rest of it names the container's network namespace, which helps nobody.
        let text = text.rsplit_once("failed to connect to").map_or(text, |(_, rest)| rest.trim());
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl std::fmt::Debug for Forwarded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Forwarded").finish_non_exhaustive()
    }
}

/// Connects to a port of a pod.
///
/// # Errors
/// When the API server refuses. Whether somebody listens on the port shows on the stream.
pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Forwarded, Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let action = || format!("reach port {port} of pod {namespace}/{pod}");
    let mut forwarder = pods.portforward(pod, &[port]).await.doing(action)?;
    let trouble = forwarder.take_error(port);
    let stream =
        forwarder.take_stream(port).ok_or_else(|| kube::Error::Service("no stream was opened".into()));
    let stream = stream.doing(action)?;
    let trouble: futures::future::BoxFuture<'static, Option<String>> = match trouble {
        Some(trouble) => Box::pin(trouble),
        None => Box::pin(std::future::ready(None)),
    };
    Ok(Forwarded { stream, trouble: Trouble(trouble) })
}

/// A port of this machine that leads to a pod. It is closed, with all connections, when this is dropped.
#[derive(Debug)]
pub struct Listener {
    /// The port on 127.0.0.1.
    pub port: u16,
    accepting: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Listens on a free port of 127.0.0.1 and connects whoever comes with `port` of the pod that `find` names then: after a
/// failover, a client that connects again gets to the new primary.
///
/// # Errors
/// When no port is free.
pub async fn listen<F, P>(client: &Client, namespace: &str, port: u16, find: F) -> io::Result<Listener>
where
    F: Fn() -> P + Clone + Send + Sync + 'static,
    P: Future<Output = Option<String>> + Send,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let local = listener.local_addr()?.port();
    let (client, namespace) = (client.clone(), namespace.to_owned());
    let accepting = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let Ok((incoming, _)) = listener.accept().await else { continue };
            while connections.try_join_next().is_some() {}
            let (client, namespace, find) = (client.clone(), namespace.clone(), find.clone());
            connections.spawn(async move {
                if let Some(pod) = find().await {
                    connect(&client, &namespace, &pod, port, incoming).await;
                }
            });
        }
    });
    Ok(Listener { port: local, accepting })
}

async fn connect(client: &Client, namespace: &str, pod: &str, port: u16, mut incoming: TcpStream) {
    let Forwarded { mut stream, trouble } = match open(client, namespace, pod, port).await {
        Ok(forwarded) => forwarded,
        Err(error) => return tracing::warn!("{error}"),
    };
    // Small messages back and forth; waiting for more to send would only slow them down.
    incoming.set_nodelay(true).ok();
    match tokio::io::copy_bidirectional(&mut incoming, &mut stream).await {
        Ok((_, 0)) | Err(_) => {
            if let Some(text) = trouble.told().await {
                tracing::warn!("port {port} of pod {namespace}/{pod}: {text}");
            }
        }
        Ok(_) => {}
    }
}
