//! Counting what the API server is asked for: what an operator costs, and that one at rest changes nothing.

use std::sync::Arc;

use http::{Method, Request, header::UPGRADE};
use kube::{Client, client::Body};

use super::metrics::Metrics;

/// A client that does what `client` does and counts its requests.
pub(super) fn counted(client: Client, metrics: Arc<Metrics>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, metrics) = (client.clone(), Arc::clone(&metrics));
        let verb = verb(&request);
        async move {
            let answer = client.send(request).await;
            metrics.requested(verb, answer.as_ref().ok().map(|answer| answer.status().as_u16()));
            answer
        }
    });
    Client::new(service, namespace)
}

/// What a request asks for. Everything but `get` and `watch` changes something, or begins something in a pod.
fn verb<B>(request: &Request<B>) -> &'static str {
    if request.headers().contains_key(UPGRADE) {
        return "connect";
    }
    let query = request.uri().query().unwrap_or_default();
    match *request.method() {
        Method::GET if query.split('&').any(|part| part == "watch=true") => "watch",
        Method::GET => "get",
        Method::POST => "create",
        Method::PATCH => "patch",
        Method::PUT => "update",
        Method::DELETE => "delete",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use http::Response;
    use k8s_openapi::api::core::v1::Pod;
    use kube::{
        Api,
        api::{DeleteParams, ListParams, Patch, PatchParams, WatchParams},
    };
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn requests_are_counted_by_what_they_ask_for_and_by_their_answer() {
        let metrics = Arc::new(Metrics::default());
        let service = tower::service_fn(|request: Request<Body>| async move {
            let missing = request.uri().path().ends_with("/gone");
            let status = if missing { 404 } else { 200 };
            let body = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a"}, "items": []});
            Response::builder().status(status).body(Body::from(body.to_string().into_bytes()))
        });
        let client = counted(Client::new(service, "zoo"), Arc::clone(&metrics));
        assert_eq!(client.default_namespace(), "zoo");
        let pods: Api<Pod> = Api::default_namespaced(client);
        pods.get("a").await.unwrap();
        pods.get("gone").await.unwrap_err();
        pods.list(&ListParams::default()).await.unwrap();
        pods.watch(&WatchParams::default(), "0").await.map(drop).unwrap();
        pods.patch("a", &PatchParams::default(), &Patch::Merge(json!({}))).await.unwrap();
        pods.delete("a", &DeleteParams::default()).await.unwrap();
        let text = metrics.text().unwrap();
        for (verb, code, count) in
            [("get", 200, 2), ("get", 404, 1), ("watch", 200, 1), ("patch", 200, 1), ("delete", 200, 1)]
        {
            let line = format!("pgherd_api_requests_total{{verb=\"{verb}\",code=\"{code}\"}} {count}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }

    #[test]
    fn a_way_into_a_pod_is_no_question() {
        let request = Request::get("/api/v1/namespaces/zoo/pods/a/exec").header(UPGRADE, "websocket");
        assert_eq!(verb(&request.body(()).unwrap()), "connect");
    }
}
