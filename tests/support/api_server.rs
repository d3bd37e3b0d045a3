//! A small API server with fixed answers, for what looks at a cluster before there is one to test on. It shows what the program
//! does with an answer, not that a real server answers so: that is for the tests on a real cluster.

use std::{net::TcpListener, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, Uri, header},
    response::IntoResponse as _,
};
use serde_json::{Value, json};

/// What the server has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// What it says its version is.
    pub(crate) version: Option<&'static str>,
    pub(crate) storage_classes: Vec<Value>,
    pub(crate) namespaces: Vec<&'static str>,
    pub(crate) api_groups: Vec<&'static str>,
    /// Resources that the caller may do nothing with.
    pub(crate) forbidden: Vec<&'static str>,
}

/// A storage class.
pub(crate) fn storage_class(name: &str, default: bool, expands: bool) -> Value {
    let annotations = json!({"storageclass.kubernetes.io/is-default-class": default.to_string()});
    json!({
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": "disk.example.com",
        "allowVolumeExpansion": expands,
    })
}

/// Starts the server, and gives a kube config for it with contexts of these names; the first one is the current one. It ends with the
/// process.
pub(crate) fn start(contents: Contents, names: &[&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let contents = Arc::new(contents);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let app = Router::new().fallback(move |uri: Uri, body: Bytes| {
                let contents = Arc::clone(&contents);
                async move {
                    let (code, answer) = contents.answer(uri.path(), &body);
                    (code, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
                }
            });
            axum::serve(listener, app).await.unwrap();
        });
    });
    let entry = |name: &&str| format!("{{name: {name}, context: {{cluster: test, user: me}}}}");
    let entries: Vec<String> = names.iter().map(entry).collect();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {}\ncontexts: [{}]\n\
         clusters: [{{name: test, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: me, user: {{token: t}}}}]\n",
        names[0],
        entries.join(", ")
    )
}

impl Contents {
    fn answer(&self, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let last = path.rsplit('/').next().unwrap_or_default();
        if self.forbidden.contains(&last) {
            return forbidden(last);
        }
        let named = |names: &[&'static str]| -> Vec<Value> {
            names.iter().map(|name| json!({"metadata": {"name": name}})).collect()
        };
        let answer = match last {
            "version" => {
                json!({"major": "1", "minor": "34", "gitVersion": self.version.unwrap_or("v1.34.4"), "gitCommit": "", "gitTreeState": "",
                "buildDate": "", "goVersion": "", "compiler": "", "platform": ""})
            }
            "selfsubjectreviews" => {
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
                    "metadata": {}, "status": {"userInfo": {"username": "somebody"}}})
            }
            "selfsubjectaccessreviews" => self.access(body),
            "apis" => {
                let group = |name: &&str| {
                    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
                    json!({"name": name, "versions": [version], "preferredVersion": version})
                };
                let groups: Vec<Value> = self.api_groups.iter().map(group).collect();
                json!({"apiVersion": "v1", "kind": "APIGroupList", "groups": groups})
            }
            "storageclasses" => list("storage.k8s.io/v1", "StorageClassList", &self.storage_classes),
            "namespaces" => list("meta.k8s.io/v1", "PartialObjectMetadataList", &named(&self.namespaces)),
            "secrets" => list("v1", "SecretList", &[]),
            other => {
                return (StatusCode::NOT_FOUND, status(404, "NotFound", &format!("there is no {other}")));
            }
        };
        (StatusCode::OK, answer)
    }

    fn access(&self, body: &[u8]) -> Value {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let resource = asked["spec"]["resourceAttributes"]["resource"].as_str().unwrap();
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {},
            "spec": asked["spec"], "status": {"allowed": !self.forbidden.contains(&resource)}})
    }
}

fn list(version: &str, kind: &str, items: &[Value]) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {}, "items": items})
}

fn forbidden(resource: &str) -> (StatusCode, Value) {
    (StatusCode::FORBIDDEN, status(403, "Forbidden", &format!("{resource} is forbidden for somebody")))
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message,
        "metadata": {}})
}
