//! Database clusters in a test's own namespace: describing them, waiting for them, looking at what they consist of.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Pod, Secret},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams},
    runtime::{WatchStreamExt as _, reflector, watcher},
};
use pgherd::{
    api::{conditions, postgres_cluster::PostgresCluster},
    k8s::wait::{self, Look},
};
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    sandbox::Ran,
};

pub(crate) const PREFIX: &str = "postgres-operator.crunchydata.com";

/// A description with one set of `replicas` instances, in the words of the resource's users.
pub(crate) fn described(name: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "postgres-operator.crunchydata.com/v1beta1",
        "kind": "PostgresCluster",
        "metadata": {"name": name},
        "spec": {
            "postgresVersion": 17,
            "instances": [{
                "name": "instance1",
                "replicas": replicas,
                "dataVolumeClaimSpec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }],
        },
    })
}

impl Installation {
    /// Clusters in the watched namespace.
    pub(crate) fn clusters(&self) -> Api<PostgresCluster> {
        Api::namespaced(self.cluster.client.clone(), &self.databases)
    }

    /// Pods in the watched namespace.
    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.databases)
    }

    /// Secrets in the watched namespace.
    pub(crate) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.cluster.client.clone(), &self.databases)
    }

    /// Applies a description as its user would.
    pub(crate) async fn describe(&self, description: &Value) {
        let name = description["metadata"]["name"].as_str().unwrap();
        let params = PatchParams::apply("a-user").force().validation_strict();
        self.clusters().patch(name, &params, &Patch::Apply(description)).await.unwrap();
    }

    /// Changes a cluster by a merge patch.
    pub(crate) async fn change(&self, name: &str, patch: Value) {
        self.clusters().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Waits until `look` finds in a cluster what it looks for.
    pub(crate) async fn until<T: Send>(
        &self,
        name: &str,
        look: impl Fn(&PostgresCluster) -> Result<T, String> + Send + Sync,
    ) -> T {
        let see = |found: Option<&PostgresCluster>| match found.map(&look) {
            Some(Ok(value)) => Look::Done(value),
            Some(Err(seen)) => Look::Waiting(seen),
            None => Look::Waiting("it isn't there".to_owned()),
        };
        wait::until(&self.clusters(), name, PATIENCE, see, |_| {}).await.unwrap()
    }

    /// Waits until a cluster is ready and its status speaks of its present description.
    pub(crate) async fn ready(&self, name: &str) {
        self.until(name, |cluster| condition_is(cluster, conditions::READY, "True")).await;
    }

    /// Waits until a pod of a cluster is as `look` wants it.
    pub(crate) async fn until_pod(&self, name: &str, look: impl Fn(&Pod) -> bool) {
        let watched = watcher::Config::default().labels(&format!("{PREFIX}/cluster={name}"));
        let pods = watcher(self.pods(), watched).applied_objects();
        let mut found = std::pin::pin!(pods.filter_map(async |pod| pod.ok().filter(|pod| look(pod))));
        let found = tokio::time::timeout(PATIENCE, found.next()).await;
        assert!(found.is_ok(), "no pod of {name} is as it should be");
    }

    /// Waits until the namespace holds as many volumes as it should.
    pub(crate) async fn until_volumes(&self, count: usize) {
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.cluster.client.clone(), &self.databases);
        let (reader, writer) = reflector::store();
        let changes = watcher(claims, watcher::Config::default()).reflect(writer);
        let mut settled = std::pin::pin!(changes.filter(|event| {
            let ready = !matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)));
            std::future::ready(ready && reader.len() == count)
        }));
        let seen = tokio::time::timeout(PATIENCE, settled.next()).await;
        assert!(seen.is_ok(), "{} volumes instead of {count}", reader.len());
    }

    /// Deletes a cluster and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) {
        let uid = self.clusters().get(name).await.unwrap().uid().unwrap();
        self.clusters().delete(name, &DeleteParams::default()).await.unwrap();
        wait::gone(&self.clusters(), name, &uid, PATIENCE, |_| {}).await.unwrap();
    }

    /// The pod that accepts writes.
    pub(crate) async fn primary(&self, name: &str) -> String {
        let selector = format!("{PREFIX}/cluster={name},{PREFIX}/role=master");
        let pods = self.pods().list(&ListParams::default().labels(&selector)).await.unwrap();
        let names: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names.len(), 1, "one primary: {names:?}");
        names[0].clone()
    }

    /// Waits until the garbage collector has removed everything of a cluster that is deleted.
    pub(crate) async fn nothing_left_of(&self, name: &str) {
        // Objects of many kinds have no common watch; looking again at once is the closest to one.
        let begun = std::time::Instant::now();
        loop {
            let left = self.belongings(name).await;
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "left of {name}: {:?}", left.keys());
        }
    }

    /// A value out of a Secret.
    pub(crate) async fn secret(&self, name: &str, key: &str) -> String {
        let secret = self.secrets().get(name).await.unwrap();
        String::from_utf8(secret.data.unwrap()[key].0.clone()).unwrap()
    }

    /// Runs kubectl, as a user has it, in the watched namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args(["-n", &self.databases])
            .args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl is on PATH");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What a query answers on the pod `pod`, as the superuser.
    pub(crate) fn sql(&self, pod: &str, sql: &str) -> String {
        let ran = self
            .kubectl(&["exec", "-i", pod, "-c", "database", "--", "psql", "-XAtqw", "-U", "postgres"], sql);
        assert_eq!(ran.code, Some(0), "{sql}: {ran}");
        ran.stdout.trim().to_owned()
    }

    /// Takes the installed operator away, so that a test can run one itself.
    pub(crate) async fn stop_operator(&self) {
        let deployments: Api<Deployment> = Api::namespaced(self.cluster.client.clone(), &self.home);
        let none = json!({"spec": {"replicas": 0}});
        deployments.patch(&self.name, &PatchParams::default(), &Patch::Merge(none)).await.unwrap();
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.home);
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            wait::gone(&pods, &pod.name_any(), &pod.uid().unwrap(), PATIENCE, |_| {}).await.unwrap();
        }
    }

    /// Starts an operator outside the cluster, which a test can kill whenever it likes.
    pub(crate) fn start_operator(&self) -> Operator {
        self.start_operator_with("localhost/postgres:17")
    }

    /// The same for one that has another image for clusters that name none.
    pub(crate) fn start_operator_with(&self, image: &str) -> Operator {
        self.start_operator_through(&self.cluster.kubeconfig, image, "operator.log")
    }

    /// The same for one that finds the API server by this kube config, and writes this log.
    pub(crate) fn start_operator_through(&self, kubeconfig: &Path, image: &str, log: &str) -> Operator {
        let log = self.sandbox.file(log, "");
        let mut command = self.sandbox.command();
        command.args(["operator", "--watch-namespace", &self.databases, "--installation", &self.name]);
        command.arg("--kubeconfig").arg(kubeconfig);
        command.env("PGHERD_NAMESPACE", &self.home).env("RELATED_IMAGE_POSTGRES_17", image);
        command.stdout(Stdio::null()).stderr(fs_err::File::create(log).unwrap().into_parts().0);
        Operator(command.spawn().unwrap())
    }

    /// Resource versions of what belongs to a cluster, but for what Patroni and Kubernetes write themselves.
    pub(crate) async fn versions(&self, name: &str) -> BTreeMap<String, Option<String>> {
        let all = self.belongings(name).await;
        let quiet = |id: &str| {
            !["Pod ", "Endpoints ", "EndpointSlice ", "ControllerRevision "]
                .iter()
                .any(|kind| id.starts_with(kind))
        };
        all.into_iter()
            .filter(|(id, _)| quiet(id))
            .map(|(id, object)| (id, object.resource_version()))
            .collect()
    }

    /// Everything that is labelled as a cluster's, by kind and name.
    pub(crate) async fn belongings(&self, name: &str) -> BTreeMap<String, DynamicObject> {
        let all = self.objects(Clone::clone).await;
        let of_cluster = |object: &DynamicObject| {
            object.labels().get(&format!("{PREFIX}/cluster")).is_some_and(|cluster| cluster == name)
        };
        all.into_iter().filter(|(_, object)| of_cluster(object)).collect()
    }
}

/// What a pod had to say, once it has ended.
pub(crate) async fn finished(pods: &Api<Pod>, name: &str) -> String {
    let look = |found: Option<&Pod>| {
        let phase = found.and_then(|pod| pod.status.as_ref()?.phase.clone()).unwrap_or_default();
        if matches!(phase.as_str(), "Succeeded" | "Failed") { Look::Done(()) } else { Look::Waiting(phase) }
    };
    wait::until(pods, name, PATIENCE, look, |_| {}).await.unwrap();
    pods.logs(name, &LogParams::default()).await.unwrap()
}

/// An operator outside the cluster.
pub(crate) struct Operator(Child);

impl Operator {
    /// Ends it without any warning.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whether a condition has a status, for the present generation; else what it says.
pub(crate) fn condition_is(cluster: &PostgresCluster, type_: &str, status: &str) -> Result<String, String> {
    let conditions = cluster.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let Some(condition) = conditions::find_condition(conditions, type_) else {
        return Err(format!("it has no condition {type_}"));
    };
    let seen = format!("{type_} is {}: {}: {}", condition.status, condition.reason, condition.message);
    let current = condition.observed_generation == cluster.metadata.generation;
    if condition.status == status && current { Ok(condition.message.clone()) } else { Err(seen) }
}
