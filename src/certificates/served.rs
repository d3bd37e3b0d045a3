//! What the operator's endpoint really shows, asked through the API server: a Secret says only what it should show.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_rustls::TlsConnector;

use super::Home;
use crate::k8s::{self, Doing as _, port_forward};

/// The port of the operator's endpoint.
pub const PORT: u16 = 8443;

/// How long one look may take.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// How often the endpoint is asked while something is waited for: nothing tells what it shows but itself.
const EVERY: Duration = Duration::from_millis(250);

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// No operator is running that could show anything.
    Nobody,
    /// A certificate that verifies.
    Certificate(Vec<u8>),
    /// Something else, in words.
    Other(String),
}

impl Shown {
    /// Whether it is the first certificate of a PEM text.
    #[must_use]
    pub fn is(&self, certificate_pem: &str) -> bool {
        let wanted = CertificateDer::from_pem_slice(certificate_pem.as_bytes());
        matches!((self, wanted), (Self::Certificate(shown), Ok(wanted)) if *shown == *wanted)
    }
}

/// Looks at the endpoint as a client does that trusts `bundle`. `selector` finds the operator's pods.
///
/// # Errors
/// When pods can't be listed.
pub async fn look(client: &Client, home: &Home, selector: &str, bundle: &str) -> Result<Shown, k8s::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &home.namespace);
    let list = pods.list(&ListParams::default().labels(selector)).await;
    let found = list.doing(|| format!("look for the operator in {}", home.namespace))?;
    let running = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        pod.metadata.deletion_timestamp.is_none() && phase == Some("Running")
    };
    let Some(pod) = found.items.iter().find(running) else { return Ok(Shown::Nobody) };
    let name = pod.name_any();
    let shown = tokio::time::timeout(LONGEST_LOOK, shake_hands(client, home, &name, bundle));
    Ok(match shown.await {
        Ok(Ok(certificate)) => Shown::Certificate(certificate),
        Ok(Err(why)) => Shown::Other(why),
        Err(_) => Shown::Other(format!("no answer within {} s", LONGEST_LOOK.as_secs())),
    })
}

/// Waits until the endpoint shows a certificate, and gives what was seen last.
///
/// # Errors
/// When pods can't be listed.
pub async fn until(
    client: &Client,
    home: &Home,
    selector: &str,
    bundle: &str,
    certificate_pem: &str,
    timeout: Duration,
) -> Result<Shown, k8s::Error> {
    let end = Instant::now() + timeout;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let shown = look(client, home, selector, bundle).await?;
        if shown == Shown::Nobody || shown.is(certificate_pem) || timeout_at(end, ticks.tick()).await.is_err()
        {
            return Ok(shown);
        }
    }
}

async fn shake_hands(client: &Client, home: &Home, pod: &str, bundle: &str) -> Result<Vec<u8>, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.map_err(|error| said(&error))?).map_err(|error| said(&error))?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(format!("{}.{}.svc", home.service(), home.namespace));
    let name = name.map_err(|error| said(&error))?;
    let forwarded =
        port_forward::open(client, &home.namespace, pod, PORT).await.map_err(|error| said(&error))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, forwarded.stream).await;
    let stream = connected.map_err(|error| said(&error))?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first).map(|shown| shown.to_vec());
    shown.ok_or_else(|| "it shows no certificate".to_owned())
}
