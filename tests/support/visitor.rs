//! A client of the operator's endpoint, as Prometheus is one.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use pgherd::{
    certificates::{
        Home, LEAF_CERTIFICATE, entry,
        served::{self, Shown},
        store,
    },
    inventory::Inventory,
    k8s::port_forward,
    roles,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use crate::cluster::{Installation, PATIENCE};

/// A client of the operator's endpoint.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) client: Client,
    pub(crate) home: Home,
    pub(crate) selector: String,
}

impl Visitor {
    /// One of an installation whose inventory is written.
    pub(crate) fn of(installation: &Installation) -> Self {
        let inventory = Inventory::load(&installation.sandbox.home().join("pgherd.toml")).unwrap();
        let selector = roles::labels::operator_selector(&inventory.installation);
        Self {
            client: installation.cluster.client.clone(),
            home: roles::certificates::home(&inventory.installation),
            selector: roles::labels::selector(&selector),
        }
    }

    /// Secrets of the operator's namespace.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        store::api(&self.client, &self.home)
    }

    /// The text under a key of a Secret.
    pub(crate) async fn stored(&self, name: &str, key: &str) -> String {
        entry(&self.secrets().get(name).await.unwrap(), key).unwrap_or_default()
    }

    /// The operator's certificate as it is stored.
    pub(crate) async fn leaf(&self) -> String {
        self.stored(&self.home.leaf_secret(), LEAF_CERTIFICATE).await
    }

    /// What the endpoint shows to a client that trusts `bundle`.
    pub(crate) async fn look(&self, bundle: &str) -> Shown {
        served::look(&self.client, &self.home, &self.selector, bundle).await.unwrap()
    }

    /// Waits until the endpoint shows a certificate to a client that trusts `bundle`.
    pub(crate) async fn sees(&self, bundle: &str, certificate: &str) {
        let seen =
            served::until(&self.client, &self.home, &self.selector, bundle, certificate, PATIENCE).await;
        let seen = seen.unwrap();
        assert!(seen.is(certificate), "{seen:?}");
    }

    /// The operator's pod and how often it was started.
    pub(crate) async fn pod(&self) -> (String, String, i32) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.home.namespace);
        let list = pods.list(&ListParams::default().labels(&self.selector)).await.unwrap();
        assert_eq!(list.items.len(), 1);
        let status = list.items[0].status.as_ref().unwrap();
        let restarts = status.container_statuses.as_ref().unwrap()[0].restart_count;
        (list.items[0].name_any(), list.items[0].uid().unwrap(), restarts)
    }

    /// The operator's metrics, as Prometheus gets them.
    pub(crate) async fn metrics(&self, bundle: &str) -> String {
        self.ask("/metrics", bundle).await
    }

    /// What the operator answers to a request, with its status and headers.
    pub(crate) async fn ask(&self, path: &str, bundle: &str) -> String {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let (pod, ..) = self.pod().await;
        let stream =
            port_forward::open(&self.client, &self.home.namespace, &pod, served::PORT).await.unwrap().stream;
        let name = ServerName::try_from(format!("{}.{}.svc", self.home.service(), self.home.namespace));
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name.unwrap(), stream).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        // A port that is forwarded ends without the goodbye of TLS.
        stream.read_to_end(&mut text).await.ok();
        String::from_utf8(text).unwrap()
    }
}
