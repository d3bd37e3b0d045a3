//! A cluster that follows another one, and takes its place.

use serde_json::json;

use super::{
    super::{cluster::Installation, databases::described},
    life::until_sql,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_follows_another_cluster_and_takes_its_place() {
    let Some(installation) = Installation::new("standby").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&described("rhino", 1)).await;
    installation.ready("rhino").await;
    let primary = installation.primary("rhino").await;
    installation.sql(&primary, "CREATE TABLE kept AS SELECT 42 AS answer");

    let mut description = described("gnu", 2);
    description["spec"]["standby"] = json!({"enabled": true});
    installation.describe(&description).await;
    let refused = installation
        .until("gnu", |cluster| super::super::databases::condition_is(cluster, "Accepted", "False"))
        .await;
    assert!(refused.contains("spec.standby.host"), "{refused}");

    description["spec"]["standby"] = json!({"enabled": true, "host": "rhino-primary"});
    installation.describe(&description).await;
    installation.ready("gnu").await;
    let leader = installation.primary("gnu").await;
    assert_eq!(installation.sql(&leader, "SELECT pg_is_in_recovery()"), "t");
    until_sql(&installation, &leader, "SELECT answer FROM kept", "42").await;
    installation.sql(&primary, "INSERT INTO kept VALUES (43)");
    until_sql(&installation, &leader, "SELECT sum(answer) FROM kept", "85").await;
    until_sql(&installation, &leader, "SELECT count(*) FROM pg_stat_replication", "1").await;

    // The other one ends, and this one goes on by itself, with users of its own.
    installation.change("rhino", json!({"spec": {"shutdown": true}})).await;
    installation.change("gnu", json!({"spec": {"standby": {"enabled": false}}})).await;
    installation.ready("gnu").await;
    let leader = installation.primary("gnu").await;
    until_sql(&installation, &leader, "SELECT pg_is_in_recovery()", "f").await;
    assert_eq!(installation.sql(&leader, "INSERT INTO kept VALUES (44) RETURNING answer"), "44");
    until_sql(&installation, &leader, "SELECT count(*) FROM pg_roles WHERE rolname = 'gnu'", "1").await;
    for cluster in ["gnu", "rhino"] {
        installation.delete(cluster).await;
    }
    installation.uninstall();
}
