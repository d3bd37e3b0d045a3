//! What users add to a database: files, SQL for its beginning, tablespaces.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use pgherd::api::{conditions, postgres_cluster::PostgresCluster};
use serde_json::json;

use super::super::{
    cluster::Installation,
    databases::{condition_is, described},
};

#[tokio::test(flavor = "multi_thread")]
async fn files_tablespaces_and_the_first_sql_are_there() {
    let Some(installation) = Installation::new("custom").await else { return };
    installation.succeed(&["install", "-y"]);
    let config_maps: Api<ConfigMap> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let create = async |name: &str, data: serde_json::Value| {
        let map = serde_json::from_value(json!({"metadata": {"name": name}, "data": data})).unwrap();
        config_maps.create(&PostParams::default(), &map).await.unwrap();
    };
    create("services", json!({"pg_service.conf": "[ours]\nhost=elsewhere\n"})).await;
    create(
        "beginning",
        json!({"init.sql": "\\set ON_ERROR_STOP on\nCREATE TABL typo (secret text DEFAULT 'xyzzy');\n"}),
    )
    .await;

    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let mut description = described("rhino", 2);
    let instances = &mut description["spec"]["instances"][0];
    instances["tablespaceVolumes"] = json!([{"name": "fast", "dataVolumeClaimSpec": claim}]);
    description["spec"]["config"] = json!({"files": [{"configMap": {"name": "services"}}]});
    description["spec"]["databaseInitSQL"] = json!({"name": "beginning", "key": "init.sql"});
    description["metadata"]["annotations"] =
        json!({"postgres-operator.crunchydata.com/autoCreateUserSchema": "true"});
    installation.describe(&description).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    let file = installation
        .kubectl(&["exec", &primary, "-c", "database", "--", "cat", "/etc/postgres/pg_service.conf"], "");
    assert!(file.stdout.contains("host=elsewhere"), "{file}");

    let own = "\\c rhino\nSELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'rhino'";
    assert_eq!(installation.sql(&primary, own), "rhino");

    // SQL that fails is told without what it says, and runs once it is right.
    let look = |cluster: &PostgresCluster| {
        let message = condition_is(cluster, conditions::PROGRESSING, "True")?;
        if message.contains("syntax error") { Ok(message) } else { Err(message) }
    };
    let message = installation.until("rhino", look).await;
    assert!(message.contains("beginning") && !message.contains("xyzzy"), "{message}");
    let right = json!({"data": {"init.sql":
        "SELECT missing FROM nowhere;\n\
         CREATE TABLESPACE fast LOCATION '/tablespaces/fast/data';\n\
         CREATE TABLE once TABLESPACE fast AS SELECT 42 AS answer;\n"}});
    config_maps.patch("beginning", &PatchParams::default(), &Patch::Merge(right)).await.unwrap();
    let done = |cluster: &PostgresCluster| {
        let ran = cluster.status.as_ref().and_then(|status| status.database_init_sql.as_deref());
        if ran == Some("beginning") { Ok(()) } else { Err(format!("it was {ran:?}")) }
    };
    installation.until("rhino", done).await;
    assert_eq!(installation.sql(&primary, "SELECT answer FROM once"), "42");
    let told = super::rollout::events(&installation).await;
    assert!(told.contains("some of it failed") && told.contains("nowhere"), "{told}");
    // A second time it would fail, since the table is there.
    installation.change("rhino", json!({"spec": {"users": [{"name": "keeper"}]}})).await;
    installation.ready("rhino").await;
    installation.until("rhino", done).await;

    // A replica that is made later copies the tablespace, too.
    description["spec"]["instances"][0]["replicas"] = json!(3);
    installation.describe(&description).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    assert_eq!(installation.sql(&primary, "SELECT count(*) FROM pg_stat_replication"), "2");
    installation.until_volumes(6).await;
    installation.delete("rhino").await;
    installation.until_volumes(0).await;
    // A namespace with anything of somebody else's stays.
    for name in ["services", "beginning"] {
        config_maps.delete(name, &DeleteParams::default()).await.unwrap();
    }
    installation.uninstall();
}
