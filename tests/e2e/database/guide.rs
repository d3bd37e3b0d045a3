//! A user goes through a guide for the resource with one cluster called hippo: every chapter changes it by a manifest, and
//! what the chapter says comes true.

use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Node, Secret, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use pgherd::{
    api::conditions,
    k8s::wait::{self, Look},
    pki::{Authority, LeafRequest, Terms, Usage},
};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    super::{
        cluster::{Installation, PATIENCE},
        databases::{PREFIX, condition_is},
    },
    life::until_sql,
    rollout::{events, settled},
};

const HEAD: &str = "\
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata:
  name: hippo
spec:
  image: localhost/postgres:17
  postgresVersion: 17
";

const BACKUPS: &str = "  backups:
    pgbackrest:
      image: localhost/postgres:17
      repos:
      - name: repo1
        volume:
          volumeClaimSpec:
            accessModes:
            - \"ReadWriteOnce\"
            resources:
              requests:
                storage: 1Gi
";

/// A set of instances, with further lines.
fn set(name: &str, replicas: usize, size: &str, more: &str) -> String {
    format!(
        "    - name: {name}\n      replicas: {replicas}\n{more}      dataVolumeClaimSpec:\n        accessModes:\n        \
         - \"ReadWriteOnce\"\n        resources:\n          requests:\n            storage: {size}\n"
    )
}

struct Reader {
    installation: Installation,
}

impl Reader {
    /// Applies a manifest with these sets and these lines at its end, as the guide has it: with `kubectl apply`.
    fn apply(&self, sets: &str, more: &str) {
        self.apply_with(sets, BACKUPS, more);
    }

    /// The same with another section on backups.
    fn apply_with(&self, sets: &str, backups: &str, more: &str) {
        let manifest = format!("{HEAD}  instances:\n{sets}{backups}{more}");
        let applied = self.installation.kubectl(&["apply", "-f", "-"], &manifest);
        assert_eq!(applied.code, Some(0), "{manifest}{applied}");
    }

    async fn done(&self) {
        self.installation.ready("hippo").await;
        settled(&self.installation, "hippo").await;
    }

    /// Names of what `kubectl get` finds by labels of the cluster.
    fn get(&self, what: &str, labels: &str) -> Vec<String> {
        let selector = format!("--selector={PREFIX}/cluster=hippo{labels}");
        let found = self.installation.kubectl(&["get", what, &selector, "-o", "name"], "");
        found.stdout.lines().map(|line| line.split('/').next_back().unwrap().to_owned()).collect()
    }

    async fn show(&self, parameter: &str) -> String {
        let primary = self.installation.primary("hippo").await;
        self.installation.sql(&primary, &format!("SHOW {parameter}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chapters_of_the_guide_come_true() {
    let Some(installation) = Installation::new("chapters").await else { return };
    installation.succeed(&["install", "-y"]);
    let reader = Reader { installation };

    // Creating.
    reader.apply(&set("instance1", 1, "1Gi", ""), "");
    reader.done().await;
    assert!(events(&reader.installation).await.contains("NO BACKUPS ARE MADE"));
    reader.apply(&set("instance1", 2, "1Gi", ""), "");
    reader.done().await;
    assert_eq!(reader.get("pods", &format!(",{PREFIX}/instance-set")).len(), 2);

    high_availability(&reader).await;
    services(&reader).await;
    placement(&reader).await;
    resizing(&reader).await;
    customising(&reader).await;
    certificates(&reader).await;

    reader.installation.delete("hippo").await;
    for name in ["hippo.tls", "hippo-replication.tls"] {
        reader.installation.secrets().delete(name, &DeleteParams::default()).await.unwrap();
    }
    reader.installation.uninstall();
}

/// A Service and a StatefulSet that are taken away come back, and somebody else leads meanwhile.
async fn high_availability(reader: &Reader) {
    let installation = &reader.installation;
    let services: Api<Service> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let uid = services.get("hippo-primary").await.unwrap().uid();
    services.delete("hippo-primary", &DeleteParams::default()).await.unwrap();
    let back = |found: Option<&Service>| match found {
        Some(service) if service.uid() != uid => Look::Done(()),
        _ => Look::Waiting("it isn't back".to_owned()),
    };
    wait::until(&services, "hippo-primary", PATIENCE, back, |_| {}).await.unwrap();
    let names = reader.get("svc", "");
    assert_eq!(names, ["hippo-ha", "hippo-ha-config", "hippo-pods", "hippo-primary", "hippo-replicas"]);

    let sets: Api<StatefulSet> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let primary = installation.primary("hippo").await;
    let set = primary.strip_suffix("-0").unwrap();
    sets.delete(set, &DeleteParams::default()).await.unwrap();
    let another = |pod: &k8s_openapi::api::core::v1::Pod| {
        let leads = pod.labels().get(&format!("{PREFIX}/role")).is_some_and(|role| role == "master");
        leads && pod.name_any() != primary
    };
    installation.until_pod("hippo", another).await;
    reader.done().await;
    assert_eq!(reader.get("sts", &format!(",{PREFIX}/instance")).len(), 2);
    let primary = installation.primary("hippo").await;
    until_sql(installation, &primary, "SELECT NOT pg_catalog.pg_is_in_recovery() is_primary", "t").await;

    let synchronous = "  patroni:\n    dynamicConfiguration:\n      synchronous_mode: true\n      postgresql:\n        \
                       parameters:\n          synchronous_commit: \"on\"\n";
    reader.apply(&self::set("instance1", 2, "1Gi", ""), synchronous);
    let sync = "SELECT string_agg(sync_state, ',') FROM pg_stat_replication";
    until_sql(installation, &primary, sync, "sync").await;

    // Strictly: without such a replica nothing is written.
    let strict = synchronous.replace("mode: true\n", "mode: true\n      synchronous_mode_strict: true\n");
    reader.apply(&self::set("instance1", 1, "1Gi", ""), &strict);
    until_sql(installation, &primary, "SELECT count(*) FROM pg_stat_replication", "0").await;
    until_sql(installation, &primary, "SHOW synchronous_standby_names", "*").await;
    let write = ["timeout", "-s", "INT", "2", "psql", "-XAtqw", "-c", "CREATE TABLE waits ()"];
    let pod = ["exec", primary.as_str(), "-c", "database", "--"];
    let waits = installation.kubectl(&[&pod[..], &write[..]].concat(), "");
    assert!(waits.stderr.contains("canceling wait for synchronous replication"), "{waits}");
    reader.apply(&self::set("instance1", 2, "1Gi", ""), &strict);
    reader.done().await;
    until_sql(installation, &primary, sync, "sync").await;
    let writes =
        installation.kubectl(&[&pod[..], &["psql", "-XAtqw", "-c", "DROP TABLE waits"]].concat(), "");
    assert_eq!((writes.code, writes.stderr.as_str()), (Some(0), ""), "{writes}");

    let told = events(installation).await;
    let lead = primary.strip_suffix("-0").unwrap();
    assert!(told.contains(&format!("PrimaryChanged: {lead} leads now")), "{told}");
}

/// The type of a Service is changed, and a mistake in it stops nothing.
async fn services(reader: &Reader) {
    let installation = &reader.installation;
    let one = set("instance1", 2, "1Gi", "");
    let service = |type_: &str| {
        format!(
            "  service:\n    metadata:\n      annotations:\n        my-annotation: value1\n      labels:\n        \
             my-label: value2\n    type: {type_}\n    nodePort: 32000\n"
        )
    };
    reader.apply(&one, &service("ClusterIP"));
    let refused =
        installation.until("hippo", |cluster| condition_is(cluster, conditions::ACCEPTED, "False")).await;
    assert!(refused.contains("hippo-ha") && refused.contains("nodePort"), "{refused}");
    installation.primary("hippo").await;
    reader.apply(&one, &service("NodePort"));
    reader.done().await;
    let services: Api<Service> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let exposed = services.get("hippo-ha").await.unwrap();
    assert_eq!(exposed.labels()["my-label"], "value2");
    assert_eq!(exposed.annotations()["my-annotation"], "value1");
    assert_eq!(exposed.spec.unwrap().ports.unwrap()[0].node_port, Some(32000));
}

/// Where pods run: rather not on one node, never on one node, on nodes of a kind, spread over nodes.
async fn placement(reader: &Reader) {
    let installation = &reader.installation;
    let terms = "topologyKey: kubernetes.io/hostname\n";
    let match_labels = |indent: &str| {
        format!(
            "{indent}labelSelector:\n{indent}  matchLabels:\n{indent}    {PREFIX}/cluster: hippo\n{indent}    \
             {PREFIX}/instance-set: instance1\n"
        )
    };
    let preferred = format!(
        "      affinity:\n        podAntiAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution:\n          \
         - weight: 1\n            podAffinityTerm:\n              {terms}{}",
        match_labels("              ")
    );
    reader.apply(&set("instance1", 2, "1Gi", &preferred), "");
    reader.done().await;
    let required = format!(
        "      affinity:\n        podAntiAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n          \
         - {terms}{}",
        match_labels("            ")
    );
    reader.apply(&set("instance1", 2, "1Gi", &required), "");
    // There is one node only: the replica has to wait, and the primary stays as it is.
    let waits = |cluster: &_| {
        let message = condition_is(cluster, conditions::READY, "False")?;
        if message.contains("anti-affinity") { Ok(()) } else { Err(message) }
    };
    installation.until("hippo", waits).await;
    installation.primary("hippo").await;

    let nodes: Api<Node> = Api::all(installation.cluster.client.clone());
    let node = nodes.list(&ListParams::default()).await.unwrap().items.remove(0).name_any();
    let labels = json!({"metadata": {"labels": {"workload-role": "db", "my-node-label": "one"}}});
    nodes.patch(&node, &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    let kind = "      affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n            \
                nodeSelectorTerms:\n            - matchExpressions:\n              - key: workload-role\n                \
                operator: In\n                values:\n                - db\n";
    reader.apply(&set("instance1", 2, "1Gi", kind), "");
    reader.done().await;
    let spread = format!(
        "      topologySpreadConstraints:\n        - maxSkew: 1\n          topologyKey: my-node-label\n          \
         whenUnsatisfiable: DoNotSchedule\n          labelSelector:\n            matchLabels:\n              \
         {PREFIX}/instance-set: instance1\n"
    );
    let repository = spread
        .replace("DoNotSchedule", "ScheduleAnyway")
        .replace("instance-set: instance1", "pgbackrest: \"\"")
        .replace("\n      ", "\n        ");
    let repository = format!("      repoHost:\n  {repository}");
    let backups =
        BACKUPS.replace("      repos:\n", &format!("{repository}      repos:\n")).replace("1Gi", "1G");
    reader.apply_with(&set("instance1", 5, "1G", &spread), &backups, "");
    reader.done().await;
    assert_eq!(reader.get("pods", &format!(",{PREFIX}/instance-set")).len(), 5);
}

/// Larger pods, and larger volumes by way of a second set whose instances take over.
async fn resizing(reader: &Reader) {
    let installation = &reader.installation;
    // Smaller than in any guide: two of them have to fit on the machine that this runs on.
    let limits = "      resources:\n        limits:\n          cpu: 400m\n          memory: 512Mi\n";
    let first = set("instance1", 2, "1Gi", limits);
    let large = set("instance1", 2, "1Gi", &limits.replace("400m", "2.0").replace("512Mi", "4Gi"));
    let manifest = format!("{HEAD}  instances:\n{large}");
    let tried = reader.installation.kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifest);
    assert_eq!(tried.code, Some(0), "{tried}");
    reader.apply(&first, "");
    reader.done().await;
    let selector = ListParams::default().labels(&format!("{PREFIX}/cluster=hippo,{PREFIX}/instance"));
    let pods = installation.pods().list(&selector).await.unwrap().items;
    assert_eq!(pods.len(), 2, "three of five are gone");
    for pod in pods {
        let limits = pod.spec.unwrap().containers[0].resources.clone().unwrap().limits.unwrap();
        assert_eq!((limits["cpu"].0.as_str(), limits["memory"].0.as_str()), ("400m", "512Mi"));
    }
    let primary = installation.primary("hippo").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");

    let second = set("instance2", 2, "10Gi", limits);
    reader.apply(&format!("{first}{second}"), "");
    reader.done().await;
    reader.apply(&second, "");
    installation.until_volumes(2).await;
    reader.done().await;
    let primary = installation.primary("hippo").await;
    assert!(primary.contains("-instance2-"), "{primary}");
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
    assert!(reader.get("pods", &format!(",{PREFIX}/instance-set=instance1")).is_empty());
}

/// Parameters, labels, and a container of the user's own.
async fn customising(reader: &Reader) {
    let parameters = "  patroni:\n    dynamicConfiguration:\n      postgresql:\n        parameters:\n          \
                      max_parallel_workers: 2\n          max_worker_processes: 2\n          shared_buffers: 1GB\n          \
                      work_mem: 2MB\n";
    let sidecar = "      metadata:\n        labels:\n          team: keepers\n      containers:\n      - name: mysidecar1\n        \
                   image: localhost/postgres:17\n        command: [\"sleep\", \"1d\"]\n";
    reader.apply(&set("instance2", 2, "10Gi", sidecar), parameters);
    reader.done().await;
    for (parameter, value) in [
        ("work_mem", "2MB"),
        ("shared_buffers", "1GB"),
        ("max_worker_processes", "2"),
        ("max_parallel_workers", "2"),
    ] {
        assert_eq!(reader.show(parameter).await, value, "{parameter}");
    }
    let labelled = reader.get("pods", &format!(",team=keepers,{PREFIX}/instance"));
    assert_eq!(labelled.len(), 2);
    let containers = ["get", "pod", &labelled[0], "-o", "jsonpath={.spec.containers[*].name}"];
    assert_eq!(reader.installation.kubectl(&containers, "").stdout, "database mysidecar1");
}

/// Certificates of another authority.
async fn certificates(reader: &Reader) {
    let installation = &reader.installation;
    let now = Timestamp::now();
    let authority = Authority::generate("somebody else", now, Terms::AUTHORITY).unwrap();
    let secrets: Api<Secret> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    for (name, common_name, usage) in [
        ("hippo.tls", "hippo-primary", Usage::Server),
        ("hippo-replication.tls", "_crunchyrepl", Usage::Client),
    ] {
        let request = LeafRequest {
            common_name: common_name.to_owned(),
            dns_names: vec!["hippo-primary".to_owned()],
            usage,
        };
        let leaf = authority.issue(&request, now, Terms::LEAF).unwrap();
        let secret = json!({
            "metadata": {"name": name},
            "stringData": {
                "ca.crt": authority.certificate_pem(), "chain.pem": leaf.certificate_pem,
                "tls.key": leaf.key_pem.expose_secret(),
            },
        });
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    }
    let mapped = |name: &str| {
        format!(
            "    name: {name}\n    items:\n      - key: chain.pem\n        path: tls.crt\n      - key: tls.key\n        \
             path: tls.key\n      - key: ca.crt\n        path: ca.crt\n"
        )
    };
    let own = format!(
        "  customTLSSecret:\n{}  customReplicationTLSSecret:\n{}",
        mapped("hippo.tls"),
        mapped("hippo-replication.tls")
    );
    // Replicas and primary have to change at the same time: neither trusts the other's new authority.
    reader.apply(&set("instance2", 2, "10Gi", ""), &format!("{own}  shutdown: true\n"));
    let stopped = |cluster: &_| {
        let message = condition_is(cluster, conditions::READY, "False")?;
        if message.contains("shutdown") { Ok(()) } else { Err(message) }
    };
    installation.until("hippo", stopped).await;
    let begun = std::time::Instant::now();
    while !reader.get("pods", &format!(",{PREFIX}/instance")).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "pods of a cluster that is shut down");
    }
    reader.apply(&set("instance2", 2, "10Gi", ""), &own);
    reader.done().await;
    let primary = installation.primary("hippo").await;
    until_sql(
        installation,
        &primary,
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'",
        "1",
    )
    .await;
    let password = installation.secret("hippo-pguser-hippo", "password").await;
    let ask = "read -r PGPASSWORD && export PGPASSWORD && exec psql -XAtw \
               'host=hippo-primary user=hippo dbname=hippo sslmode=verify-full sslrootcert=/pgconf/tls/ca.crt' \
               -c 'SELECT 42'";
    let ran = installation.kubectl(
        &["exec", "-i", &primary, "-c", "database", "--", "sh", "-c", ask],
        &format!("{password}\n"),
    );
    assert_eq!(ran.stdout.trim(), "42", "{ran}");
    let shown =
        installation.kubectl(&["exec", &primary, "-c", "database", "--", "cat", "/pgconf/tls/ca.crt"], "");
    assert_eq!(shown.stdout, authority.certificate_pem());
}
