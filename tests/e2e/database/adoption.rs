//! A data directory that somebody else has made, taken over with its volumes.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use super::{
    super::{
        cluster::{Installation, PATIENCE},
        databases::{condition_is, described},
    },
    life::until_sql,
};

/// Makes a database as its former keeper had it: in directories of other names, with the log on a volume of its own.
const FORMER: &str = "set -e; export PATH=$PATH:/usr/lib/postgresql/17/bin
initdb -D /pgdata/former -X /pgwal/former-wal -U postgres --data-checksums >/dev/null
pg_ctl -D /pgdata/former -o \"-k /tmp -c listen_addresses=''\" -w start >/dev/null
psql -h /tmp -U postgres -qc 'CREATE TABLE kept AS SELECT 42 AS answer'
kill -9 $(head -n1 /pgdata/former/postmaster.pid)";

fn claim(name: &str) -> PersistentVolumeClaim {
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn former_keeper() -> Pod {
    let volume = |name: &str| json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    serde_json::from_value(json!({
        "metadata": {"name": "former-keeper"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"fsGroup": 26},
            "volumes": [volume("former-data"), volume("former-log")],
            "containers": [{
                "name": "keeper", "image": "localhost/postgres:17", "command": ["sh", "-c", FORMER],
                "volumeMounts": [mount("former-data", "/pgdata"), mount("former-log", "/pgwal")],
            }],
        },
    }))
    .unwrap()
}

fn with(data: &str) -> Value {
    let mut description = described("rhino", 2);
    let claim = description["spec"]["instances"][0]["dataVolumeClaimSpec"].clone();
    description["spec"]["instances"][0]["walVolumeClaimSpec"] = claim;
    description["spec"]["dataSource"] = json!({"volumes": {
        "pgDataVolume": {"pvcName": data, "directory": "former"},
        "pgWALVolume": {"pvcName": "former-log", "directory": "former-wal"},
    }});
    description
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_with_a_database_become_those_of_a_cluster() {
    let Some(installation) = Installation::new("adopted").await else { return };
    installation.succeed(&["install", "-y"]);
    let claims: Api<PersistentVolumeClaim> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    for name in ["former-data", "former-log"] {
        claims.create(&PostParams::default(), &claim(name)).await.unwrap();
    }
    let pods = installation.pods();
    pods.create(&PostParams::default(), &former_keeper()).await.unwrap();
    let ended = |pod: Option<&Pod>| match pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref()) {
        Some("Succeeded") => Look::Done(true),
        Some("Failed") => Look::Done(false),
        other => Look::Waiting(format!("{other:?}")),
    };
    let succeeded = wait::until(&pods, "former-keeper", PATIENCE, ended, |_| {}).await.unwrap();
    assert!(succeeded, "{}", pods.logs("former-keeper", &kube::api::LogParams::default()).await.unwrap());
    pods.delete("former-keeper", &DeleteParams::default()).await.unwrap();

    // A claim that isn't there is waited for, and nothing is made meanwhile.
    installation.describe(&with("nowhere")).await;
    let waits = |cluster: &_| condition_is(cluster, "Progressing", "True");
    let message = installation.until("rhino", waits).await;
    assert!(message.contains("waits for the claim nowhere"), "{message}");
    installation.until_volumes(2).await;

    installation.describe(&with("former-data")).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM kept"), "42");
    until_sql(&installation, &primary, "SELECT count(*) FROM pg_stat_replication", "1").await;
    let pod = pods.get(&primary).await.unwrap();
    let mounted: Vec<String> = pod
        .spec
        .unwrap()
        .volumes
        .unwrap()
        .into_iter()
        .filter_map(|volume| Some(volume.persistent_volume_claim?.claim_name))
        .collect();
    assert_eq!(mounted, ["former-data", "former-log"]);
    let link = ["exec", &primary, "-c", "database", "--", "sh", "-c", "readlink $PGDATA/pg_wal"];
    assert_eq!(installation.kubectl(&link, "").stdout.trim(), "/pgwal/pg17_wal");
    // Without the source they stay what they are.
    let mut description = with("former-data");
    description["spec"].as_object_mut().unwrap().remove("dataSource");
    installation.describe(&description).await;
    installation.ready("rhino").await;
    super::rollout::settled(&installation, "rhino").await;
    assert_eq!(installation.sql(&installation.primary("rhino").await, "SELECT answer FROM kept"), "42");
    let taken = claims.get("former-data").await.unwrap();
    assert_eq!(taken.labels()["postgres-operator.crunchydata.com/cluster"], "rhino");
    installation.delete("rhino").await;
    installation.uninstall();
}
