//! The real cluster that tests run against, and an installation of a test's own in it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Discovery, ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams, PostParams},
    config::{Config, KubeConfigOptions, Kubeconfig},
    discovery::verbs,
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use crate::{
    presence::Presence,
    sandbox::{Ran, Sandbox},
};

/// How long anything may take on a busy machine before a test gives up and says what it saw.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A connection to the test cluster.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
}

impl Cluster {
    /// The cluster that `PGHERD_TEST_KUBECONFIG` names. Without it there is nothing to test against, which is said loudly,
    /// and is a failure where `PGHERD_REQUIRE_CLUSTER` is set.
    pub(crate) async fn connect() -> Option<Self> {
        let Some(kubeconfig) = std::env::var_os("PGHERD_TEST_KUBECONFIG").map(PathBuf::from) else {
            assert!(
                std::env::var_os("PGHERD_REQUIRE_CLUSTER").is_none(),
                "PGHERD_REQUIRE_CLUSTER is set, but PGHERD_TEST_KUBECONFIG names no cluster"
            );
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a print macro: the output of a test that passes would be swallowed.
            let skipped = format!("SKIPPED {test}: PGHERD_TEST_KUBECONFIG names no cluster\n");
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        };
        rustls::crypto::ring::default_provider().install_default().ok();
        let config = Kubeconfig::read_from(&kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        Some(Self { client: Client::try_from(config).unwrap(), kubeconfig })
    }
}

/// An installation that no other test knows, in namespaces of its own.
pub(crate) struct Installation {
    pub(crate) cluster: Cluster,
    pub(crate) name: String,
    /// The operator's namespace.
    pub(crate) home: String,
    /// The watched namespace.
    pub(crate) databases: String,
    pub(crate) sandbox: Sandbox,
    /// What `--set` gives in every run.
    settings: Vec<String>,
    /// Dropped last: whoever waits for this test to be gone finds nothing of it.
    _presence: Presence,
}

impl Installation {
    /// Prepares an inventory; nothing is installed yet.
    pub(crate) async fn new(stem: &str) -> Option<Self> {
        let this = Self::bare(stem, Presence::shared).await?;
        this.inventory(|text| text);
        Some(this)
    }

    /// The same, once no other test has anything in the cluster; none begins before this one is dropped.
    pub(crate) async fn alone(stem: &str) -> Option<Self> {
        let this = Self::bare(stem, Presence::alone).await?;
        this.inventory(|text| text);
        Some(this)
    }

    /// Prepares an inventory that comes with pgherd, as it is: names and images of the tests are given by flags.
    pub(crate) async fn of_example(file: &str) -> Option<Self> {
        let mut this = Self::bare(file.trim_end_matches(".toml"), Presence::shared).await?;
        let text =
            fs_err::read_to_string(format!("{}/inventory/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        this.sandbox.file("pgherd.toml", &text);
        this.settings = vec![
            format!("installation.name={}", this.name),
            format!("installation.namespace={}", this.home),
            format!("namespaces.watched={}", this.databases),
            "images.operator=localhost/pgherd:dev".to_owned(),
            "images.postgres.17=localhost/postgres:17".to_owned(),
        ];
        Some(this)
    }

    async fn bare(stem: &str, enter: impl FnOnce() -> Presence) -> Option<Self> {
        let cluster = Cluster::connect().await?;
        let presence = enter();
        let name = format!("{stem}-{:04x}", rand::random::<u16>());
        let (home, databases) = (format!("{name}-home"), format!("{name}-db"));
        let sandbox = Sandbox::new();
        Some(Self { cluster, name, home, databases, sandbox, settings: Vec::new(), _presence: presence })
    }

    /// Writes the inventory: the minimal one with this installation's names, changed by `change`.
    pub(crate) fn inventory(&self, change: impl FnOnce(String) -> String) {
        let minimal = include_str!("../../inventory/minimal.toml");
        let text = minimal
            .replace("name = \"pgherd\"", &format!("name = \"{}\"", self.name))
            .replace("namespace = \"pgherd\"", &format!("namespace = \"{}\"", self.home))
            .replace("\"postgres-operator\"", &format!("\"{}\"", self.databases));
        self.sandbox.file("pgherd.toml", &change(text));
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let kubeconfig = self.cluster.kubeconfig.to_str().unwrap();
        let timeout = if arguments.contains(&"--timeout") { &[][..] } else { &["--timeout", "90s"] };
        let settings: Vec<&str> = self.settings.iter().flat_map(|setting| ["--set", setting]).collect();
        [arguments, timeout, &["--kubeconfig", kubeconfig, "-i", "pgherd.toml"], &settings].concat()
    }

    /// Runs the program with this installation's inventory.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run(&self.arguments(arguments))
    }

    /// The same with another build of the program.
    pub(crate) fn run_of(&self, program: &Path, arguments: &[&str]) -> Ran {
        self.sandbox.ran(self.sandbox.command_of(program).args(self.arguments(arguments)))
    }

    /// The program on the test cluster, without this installation's inventory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command();
        command.env("PGHERD_KUBECONFIG", &self.cluster.kubeconfig).args(arguments);
        command
    }

    /// Runs it and insists on success.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran}");
        ran
    }

    /// Takes the installation back with the namespaces that it made.
    pub(crate) fn uninstall(&self) -> Ran {
        self.succeed(&["uninstall", "-y", "--delete-namespaces"])
    }

    /// Starts it and lets it run.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.sandbox.command();
        command.args(self.arguments(arguments)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// All objects that carry this installation's name or are in its namespaces, but for what Kubernetes itself puts there,
    /// with `look` at each.
    pub(crate) async fn objects<T>(&self, look: impl Fn(&DynamicObject) -> T) -> BTreeMap<String, T> {
        let discovery =
            Discovery::new(self.cluster.client.clone()).exclude(&["metrics.k8s.io", "events.k8s.io"]);
        let discovery = discovery.run_aggregated().await.unwrap();
        let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
        let kinds = kinds.filter(|(kind, capabilities)| {
            capabilities.supports_operation(verbs::LIST) && kind.kind != "Event"
        });
        let lists = kinds.map(|(kind, _)| async move {
            let api: Api<DynamicObject> = Api::all_with(self.cluster.client.clone(), &kind);
            let list = api.list(&ListParams::default()).await.unwrap();
            list.items.into_iter().map(move |object| (kind.kind.clone(), object)).collect::<Vec<_>>()
        });
        let all: Vec<Vec<(String, DynamicObject)>> = stream::iter(lists).buffered(8).collect().await;
        let mine = all.into_iter().flatten().filter(|(_, object)| self.concerns(object));
        mine.map(|(kind, object)| {
            let place = object.namespace().unwrap_or_default();
            (format!("{kind} {place}/{}", object.name_any()), look(&object))
        })
        .collect()
    }

    fn concerns(&self, object: &DynamicObject) -> bool {
        let names = [&self.home, &self.databases];
        let usual = ["kube-root-ca.crt", "default"].contains(&object.name_any().as_str());
        object.labels().get("app.kubernetes.io/instance") == Some(&self.name)
            || names.contains(&&object.name_any())
            || !usual && object.namespace().is_some_and(|namespace| names.contains(&&namespace))
    }

    /// Makes both namespaces, as somebody else than the installer does.
    pub(crate) async fn make_namespaces(&self) {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        for name in [&self.home, &self.databases] {
            let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
            namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        }
    }

    /// Deletes both namespaces.
    pub(crate) async fn delete_namespaces(&self) {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        for name in [&self.home, &self.databases] {
            namespaces.delete(name, &DeleteParams::default()).await.unwrap();
        }
    }

    /// Makes an account in the operator's namespace that has no rights yet, and a kube config `NAME.conf` with its token, which
    /// is given back.
    pub(crate) async fn account(&self, name: &str) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.cluster.client.clone(), &self.home);
        let account = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        accounts.create(&PostParams::default(), &account).await.unwrap();
        let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await.unwrap();
        let token = answer.status.unwrap().token;
        let kubeconfig = fs_err::read_to_string(&self.cluster.kubeconfig).unwrap();
        let mut config: Value = serde_saphyr::from_str(&kubeconfig).unwrap();
        config["users"][0]["user"] = json!({"token": token});
        self.sandbox.file(&format!("{name}.conf"), &config.to_string());
        token
    }

    /// Waits until an object exists.
    pub(crate) async fn appears<K>(&self, api: &Api<K>, name: &str)
    where
        K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let look = |found: Option<&K>| match found {
            Some(_) => Look::Done(()),
            None => Look::Waiting(format!("{name} isn't there")),
        };
        wait::until(api, name, PATIENCE, look, |_| {}).await.unwrap();
    }
}

impl Drop for Installation {
    /// A test that fails leaves nothing behind that would get into the way of others.
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What an operator outside the cluster had to say goes with the sandbox.
            if let Ok(log) = fs_err::read(self.sandbox.home().join("operator.log")) {
                std::io::stderr().write_all(&log).ok();
            }
            self.run(&[
                "uninstall",
                "-y",
                "--delete-clusters",
                "--delete-data",
                "--delete-namespaces",
                "--timeout",
                "60s",
            ]);
        }
    }
}
