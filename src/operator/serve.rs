//! The operator's HTTPS endpoint: health for the kubelet, metrics for Prometheus.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use tokio::sync::watch;

use super::metrics::Metrics;

/// Content type of the text format of `OpenMetrics`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a question whether the operator is ready stays unanswered before the answer is no. The kubelet waits for a
/// second.
const LONGEST_ANSWER: Duration = Duration::from_millis(700);

/// What the endpoint answers from.
#[derive(Clone)]
pub(super) struct Health {
    /// Set once the watches have begun.
    pub started: watch::Sender<bool>,
    /// Set once the certificate that clients trust is shown.
    pub certified: watch::Sender<bool>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Serves until `handle` is told to stop. What certificate is shown may change at any time.
///
/// # Errors
/// When the address is taken.
pub(super) async fn serve(
    address: SocketAddr,
    tls: RustlsConfig,
    health: Health,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    axum_server::bind_rustls(address, tls).handle(handle).serve(router(health).into_make_service()).await
}

fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// The kubelet asks as soon as the container runs, and again only a second later. So the answer waits for the watches a
/// little, rather than being no.
async fn ready(State(health): State<Health>) -> Response {
    let reached = async |state: &watch::Sender<bool>| {
        let mut state = state.subscribe();
        state.wait_for(|reached| *reached).await.is_ok()
    };
    let all = async { reached(&health.started).await && reached(&health.certified).await };
    if tokio::time::timeout(LONGEST_ANSWER, all).await == Ok(true) {
        return "ok\n".into_response();
    }
    let missing = if *health.started.borrow() {
        "there is no certificate yet\n"
    } else {
        "the watches have not begun yet\n"
    };
    (StatusCode::SERVICE_UNAVAILABLE, missing).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
