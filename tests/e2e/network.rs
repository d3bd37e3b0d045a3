//! Namespaces that enforce the strictest pod security and deny all traffic: pgherd's own policies are what is needed, no less
//! and no more.

use std::time::Instant;

use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    networking::v1::NetworkPolicy,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    databases::described,
    sandbox::Ran,
};

const DENY: &str = "deny-everything";

impl Installation {
    fn policies(&self, namespace: &str) -> Api<NetworkPolicy> {
        Api::namespaced(self.cluster.client.clone(), namespace)
    }

    async fn add_policy(&self, namespace: &str, name: &str, spec: Value) {
        let policy = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
        self.policies(namespace).create(&PostParams::default(), &policy).await.unwrap();
    }

    /// Denies all traffic from and to all pods of a namespace.
    async fn deny(&self, namespace: &str) {
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        self.add_policy(namespace, DENY, spec).await;
    }

    async fn allow_again(&self, namespace: &str) {
        self.policies(namespace).delete(DENY, &DeleteParams::default()).await.unwrap();
    }

    /// An application in a namespace, which knows how to connect and waits to be told to.
    async fn visitor(&self, namespace: &str, uri: &str) {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "visitor", "labels": {"app": "visitor"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "visitor",
                    "image": "localhost/postgres:17",
                    "command": ["sleep", "infinity"],
                    "env": [{"name": "URI", "value": uri}, {"name": "PGCONNECT_TIMEOUT", "value": "2"}],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                }],
            },
        }))
        .unwrap();
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        pods.create(&PostParams::default(), &pod).await.unwrap();
        let running = |found: Option<&Pod>| match found.and_then(|pod| pod.status.as_ref()?.phase.as_deref())
        {
            Some("Running") => Look::Done(()),
            phase => Look::Waiting(format!("the visitor is {phase:?}")),
        };
        wait::until(&pods, "visitor", PATIENCE, running, |_| {}).await.unwrap();
    }

    fn connect(&self, namespace: &str) -> Ran {
        self.kubectl(
            &["-n", namespace, "exec", "visitor", "--", "sh", "-c", "psql \"$URI\" -XAtc 'SELECT 1'"],
            "",
        )
    }

    /// Tries until connecting ends as it should; rules follow policies a moment later.
    fn connects(&self, namespace: &str, expected: bool) {
        let begun = Instant::now();
        loop {
            let ran = self.connect(namespace);
            let connected = ran.code == Some(0) && ran.stdout.trim() == "1";
            // Not any failure: what a policy drops is never answered.
            let denied = ran.stderr.contains("timeout expired");
            if if expected { connected } else { denied } {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "from {namespace}, expected {expected}: {ran}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_everything_is_denied_the_policies_of_pgherd_are_enough_and_needed() {
    let Some(installation) = Installation::new("network").await else { return };
    let client = installation.cluster.client.clone();
    let (home, databases) = (installation.home.as_str(), installation.databases.as_str());
    let elsewhere = &format!("{}-elsewhere", installation.name);
    installation.make_namespaces().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    for namespace in [home, databases] {
        namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(&restricted)).await.unwrap();
        installation.deny(namespace).await;
    }

    // Without them the operator doesn't reach the API server.
    let stuck = installation.run(&["install", "-y", "--timeout", "20s"]);
    assert_eq!(stuck.code, Some(5), "{stuck}");

    let network = |more: &str| {
        installation.inventory(|text| format!("{text}\n[network]\npolicies = true\n{more}"));
    };
    network("");
    let plan = installation.run(&["plan"]);
    assert!(plan.stdout.contains("NetworkPolicy") || plan.stdout.contains("networkpolicy"), "{plan}");
    let installed = installation.succeed(&["install", "-y"]);
    assert!(installed.stderr.contains("1 of 1 ready"), "{installed}");
    installation.describe(&described("hippo", 2)).await;
    installation.ready("hippo").await;
    let primary = installation.primary("hippo").await;
    let streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    assert_eq!(installation.sql(&primary, streaming), "1");

    let namespace = serde_json::from_value(json!({"metadata": {"name": elsewhere}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let uri = installation.secret("hippo-pguser-hippo", "uri").await;
    installation.visitor(databases, &uri).await;
    installation.visitor(elsewhere, &uri).await;
    // What the application itself may send is its owner's to say.
    let outwards = json!({
        "podSelector": {"matchLabels": {"app": "visitor"}}, "policyTypes": ["Egress"], "egress": [{}],
    });
    installation.add_policy(databases, "visitor", outwards).await;
    installation.connects(databases, true);
    installation.connects(elsewhere, true);
    // Patroni's port is for instances only.
    let patroni = format!("timeout 3 bash -c 'echo >/dev/tcp/hippo-pods.{databases}.svc/8008'; echo =$?");
    let ran = installation.kubectl(&["-n", elsewhere, "exec", "visitor", "--", "bash", "-c", &patroni], "");
    assert!(ran.stdout.contains("=124"), "{ran}");

    network("client_namespaces = []\n");
    installation.succeed(&["install", "-y"]);
    installation.connects(elsewhere, false);
    installation.connects(databases, true);
    network(&format!("client_namespaces = [\"{elsewhere}\"]\n"));
    installation.succeed(&["install", "-y"]);
    installation.connects(elsewhere, true);

    // Turned off, they go; and where everything is denied, nobody connects any more.
    for namespace in [home, databases] {
        installation.allow_again(namespace).await;
    }
    installation.inventory(|text| text);
    let off = installation.succeed(&["update", "-y"]);
    assert!(off.stderr.contains("1 of 1 ready"), "{off}");
    for (namespace, name) in [(home, installation.name.as_str()), (databases, "hippo-instances")] {
        let gone = |found: Option<&NetworkPolicy>| match found {
            None => Look::Done(()),
            Some(_) => Look::Waiting(format!("{name} is still there")),
        };
        wait::until(&installation.policies(namespace), name, PATIENCE, gone, |_| {}).await.unwrap();
    }
    let left = installation.policies(databases).list(&ListParams::default()).await.unwrap().items;
    let names: Vec<_> = left.into_iter().filter_map(|policy| policy.metadata.name).collect();
    assert_eq!(names, ["visitor"], "a user's own policy stays");
    installation.connects(elsewhere, true);
    installation.deny(databases).await;
    installation.connects(elsewhere, false);
    installation.allow_again(databases).await;

    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data"]);
    namespaces.delete(elsewhere, &DeleteParams::default()).await.unwrap();
    installation.delete_namespaces().await;
}
