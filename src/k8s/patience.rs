//! Trying again while the API server is too busy, not well, or away. What is tried again changes nothing the second time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Sleep;
use tower::{BoxError, retry::Policy};

use super::error::innermost;

/// How long one request is tried again after it failed for the first time.
const LONGEST: Duration = Duration::from_secs(40);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often the user is told that it goes on.
const SILENCE: Duration = Duration::from_secs(5);

/// Whom to tell why it takes long.
#[derive(Clone)]
pub struct Notice(Arc<dyn Fn(&str) + Send + Sync>);

impl Notice {
    /// Tells through this function.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl std::fmt::Debug for Notice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Notice")
    }
}

/// When a request is tried again. One for each request; what was told is shared by all.
#[derive(Clone)]
pub(super) struct Patience {
    notice: Notice,
    told: Arc<Mutex<Option<Instant>>>,
    since: Option<Instant>,
    pause: Duration,
    /// Whether there has to be an answer at least.
    answered: bool,
}

impl Patience {
    pub(super) fn new(notice: Notice) -> Self {
        Self { notice, told: Arc::default(), since: None, pause: SHORTEST_PAUSE, answered: false }
    }

    /// For the first request of all: trying again helps against a busy server, and hides for long one that isn't there.
    pub(super) fn first(notice: Notice) -> Self {
        Self { answered: true, ..Self::new(notice) }
    }

    fn tell(&self, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= SILENCE) {
            *told = Some(Instant::now());
            (self.notice.0)(&format!("the API server {why}; trying again"));
        }
    }
}

/// Whether a request can be made twice: whoever lost the answer to the first one can't tell whether it was carried out.
fn repeatable(request: &Request<Body>) -> bool {
    // A review creates nothing.
    request.method() != Method::POST || request.uri().path().ends_with("reviews")
}

/// Why an answer asks for another try, if it does, and whether the request was certainly not carried out.
fn trouble<B>(result: &Result<Response<B>, BoxError>) -> Option<(String, bool)> {
    match result {
        Ok(response) => match response.status() {
            StatusCode::TOO_MANY_REQUESTS => Some(("is too busy".to_owned(), true)),
            StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Some((format!("answers HTTP {}", response.status().as_u16()), false))
            }
            _ => None,
        },
        Err(error) => Some((format!("doesn't answer ({})", innermost(error.as_ref())), false)),
    }
}

/// What the server asks for in seconds, if it does.
fn retry_after<B>(result: &Result<Response<B>, BoxError>) -> Option<Duration> {
    let header = result.as_ref().ok()?.headers().get(http::header::RETRY_AFTER)?;
    Some(Duration::from_secs(header.to_str().ok()?.parse().ok()?).min(LONGEST))
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Patience {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Sleep> {
        let (why, untouched) = trouble(result)?;
        if !untouched && !repeatable(request) || self.answered && result.is_err() {
            return None;
        }
        if self.since.get_or_insert_with(Instant::now).elapsed() > LONGEST {
            return None;
        }
        self.tell(&why);
        let pause = retry_after(result).unwrap_or(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some(tokio::time::sleep(pause))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried_again(method: Method, path: &str, result: Result<u16, &str>) -> bool {
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let mut result: Result<Response<()>, BoxError> = match result {
            Ok(status) => Ok(Response::builder().status(status).body(()).unwrap()),
            Err(error) => Err(error.into()),
        };
        let mut patience = Patience::new(Notice::new(|_| {}));
        patience.retry(&mut request, &mut result).is_some()
    }

    #[tokio::test]
    async fn what_may_have_been_carried_out_is_repeated_only_where_that_changes_nothing() {
        assert!(tried_again(Method::PATCH, "/api/v1/namespaces/x", Err("connection reset")));
        assert!(tried_again(Method::DELETE, "/api/v1/namespaces/x", Ok(500)));
        assert!(!tried_again(Method::POST, "/api/v1/namespaces", Err("connection reset")));
        assert!(tried_again(Method::POST, "/api/v1/namespaces", Ok(429)), "it was certainly not");
        assert!(tried_again(Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Ok(503)));
        for answer in [200, 403, 404, 409, 422] {
            assert!(!tried_again(Method::GET, "/version", Ok(answer)), "{answer}");
        }
    }

    #[tokio::test]
    async fn it_is_told_once_and_not_for_each_request() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        let patience = Patience::new(Notice::new(move |text| notes.lock().unwrap().push(text.to_owned())));
        for _ in 0..3 {
            let mut request = Request::builder().uri("/version").body(Body::empty()).unwrap();
            let mut result: Result<Response<()>, BoxError> = Err("connection refused".into());
            patience.clone().retry(&mut request, &mut result);
        }
        assert_eq!(
            *told.lock().unwrap(),
            ["the API server doesn't answer (connection refused); trying again"]
        );
    }
}
