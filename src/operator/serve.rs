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

use super::{fence::Fence, metrics::Metrics};

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
    /// Whether this process is the one to act.
    pub fence: Fence,
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
    let all = async {
        tokio::select! {
            biased;
            () = health.fence.lost() => false,
            reached = all => reached,
        }
    };
    if tokio::time::timeout(LONGEST_ANSWER, all).await == Ok(true) {
        return "ok\n".into_response();
    }
    let missing = match health.fence.trouble() {
        Some(why) => format!("{why}\n"),
        None if *health.started.borrow() => "there is no certificate yet\n".to_owned(),
        None => "the watches have not begun yet\n".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, missing).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    match health.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_was_superseded_is_not_ready_and_says_by_whom() {
        let health = |fence| Health {
            started: watch::Sender::new(true),
            certified: watch::Sender::new(true),
            fence,
            metrics: Arc::default(),
        };
        let answer = ready(State(health(Fence::lost_for_test("pgherd-new/2")))).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = axum::body::to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(&body[..], b"another operator has taken over: pgherd-new/2\n");
        let answer = ready(State(health(Fence::none()))).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}
