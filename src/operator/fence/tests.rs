use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, service_fn};

use super::*;

const ME: &str = "pgherd-0/1";

fn lease(holder: Option<&str>, version: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "pgherd-operator", "namespace": "pgherd", "resourceVersion": version},
        "spec": {"holderIdentity": holder, "leaseTransitions": 4},
    })
}

fn refusal(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": "no",
        "metadata": {},
    })
}

/// Requests, as method and body.
type Requests = Arc<Mutex<Vec<(String, Value)>>>;

/// A server that gives these answers, one after the other, and none after that.
fn server(answers: &[Value]) -> (Client, Requests) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let service = service_fn(move |request: http::Request<Body>| {
        let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
        async move {
            let method = request.method().to_string();
            let body = request.into_body().collect_bytes().await?;
            let said = serde_json::from_slice(&body).unwrap_or_default();
            seen.lock().unwrap_or_else(PoisonError::into_inner).push((method, said));
            let answer = answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let answer = answer.ok_or("the server is away")?;
            let code = answer["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
            let body = Body::from(answer.to_string().into_bytes());
            Ok::<_, BoxError>(http::Response::builder().status(code).body(body).unwrap())
        }
    });
    (Client::new(service, "default"), requests)
}

fn fence(answers: &[Value]) -> (Fence, Requests) {
    let (client, requests) = server(answers);
    let claim = Claim {
        leases: Api::namespaced(client, "pgherd"),
        namespace: "pgherd".into(),
        name: "pgherd-operator".into(),
        me: ME.into(),
    };
    (Fence { claim: Some(Arc::new(claim)), state: watch::Sender::new(State::Waiting(None)) }, requests)
}

fn methods(requests: &Requests) -> Vec<String> {
    let requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
    requests.iter().map(|(method, _)| method.clone()).collect()
}

#[tokio::test]
async fn a_new_process_takes_the_lease_from_whoever_has_it() {
    let answers = [lease(Some("pgherd-old/7"), "12"), lease(Some(ME), "13"), lease(Some(ME), "13")];
    let (fence, requests) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    fence.confirm().await.unwrap();
    assert_eq!(methods(&requests), ["GET", "PATCH", "GET"]);
    let written = requests.lock().unwrap()[1].1.clone();
    assert_eq!(written["metadata"]["resourceVersion"], "12", "only what was looked at is changed");
    assert_eq!(written["spec"]["holderIdentity"], ME);
    assert_eq!(written["spec"]["leaseTransitions"], 5);
    assert!(written["spec"].get("renewTime").is_none(), "{written}");
}

#[tokio::test]
async fn of_two_that_come_at_once_the_last_one_has_it() {
    let other = Some("pgherd-other/9");
    let answers = [lease(None, "1"), refusal(409, "Conflict"), lease(other, "2"), lease(Some(ME), "3")];
    let (fence, requests) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    assert_eq!(methods(&requests), ["GET", "PATCH", "GET", "PATCH"]);
    assert_eq!(fence.trouble(), None);
}

#[tokio::test]
async fn whoever_is_superseded_asks_no_more_and_stays_so() {
    let newer = lease(Some("pgherd-new/2"), "20");
    let answers = [lease(None, "1"), lease(Some(ME), "2"), newer, lease(Some(ME), "21")];
    let (fence, requests) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    let refused = fence.confirm().await.unwrap_err();
    assert_eq!(refused.to_string(), "another operator has taken over: pgherd-new/2");
    let asked = methods(&requests).len();
    assert!(matches!(fence.confirm().await, Err(FenceError::Superseded(_))));
    assert_eq!(methods(&requests).len(), asked, "there is nothing left to find out");
    fence.lost().await;
    assert_eq!(fence.lost_to().as_deref(), Some("pgherd-new/2"));
}

#[tokio::test]
async fn without_an_answer_nothing_is_done_and_nothing_is_lost() {
    let answers = [lease(None, "1"), lease(Some(ME), "2")];
    let (fence, _) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    assert!(matches!(fence.confirm().await, Err(FenceError::Request(_))));
    assert_eq!(fence.lost_to(), None);
}

#[tokio::test]
async fn without_the_lease_nobody_acts_until_it_is_made_anew() {
    let anew = lease(None, "31");
    let answers = [
        lease(None, "1"),
        lease(Some(ME), "2"),
        refusal(404, "NotFound"),
        anew.clone(),
        anew,
        lease(Some(ME), "32"),
    ];
    let (fence, requests) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    let missing = fence.confirm().await.unwrap_err().to_string();
    assert!(missing.contains("pgherd/pgherd-operator") && missing.contains("pgherd install"), "{missing}");
    fence.confirm().await.unwrap();
    assert_eq!(methods(&requests).last().map(String::as_str), Some("PATCH"), "it is taken again");
}

#[tokio::test]
async fn it_is_tried_again_until_there_is_a_lease() {
    let answers = [refusal(404, "NotFound"), lease(None, "1"), lease(Some(ME), "2")];
    let (fence, requests) = fence(&answers);
    fence.take(&CancellationToken::new()).await;
    fence.settled().await;
    assert_eq!(methods(&requests), ["GET", "GET", "PATCH"]);
}

#[tokio::test]
async fn an_operator_without_an_installation_has_no_fence() {
    let (client, requests) = server(&[]);
    let fence = Fence::new(&client, None);
    fence.take(&CancellationToken::new()).await;
    fence.settled().await;
    fence.confirm().await.unwrap();
    assert!(methods(&requests).is_empty());
}
