//! A pooler in front of a cluster: reached by an application that trusts nobody, reconfigured, and taken away.

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Secret};
use kube::{Api, ResourceExt, api::ListParams};
use pgherd::{
    api::conditions,
    k8s::wait::{self, Look},
};
use serde_json::{Value, json};

use super::super::{
    cluster::{Installation, PATIENCE},
    databases::{PREFIX, condition_is, described},
};

#[tokio::test(flavor = "multi_thread")]
async fn applications_reach_a_database_through_a_pooler() {
    let Some(installation) = Installation::new("pooled").await else { return };
    installation.succeed(&["install", "-y"]);
    let pooled = |global: Value| {
        let mut description = described("rhino", 1);
        description["spec"]["proxy"] = json!({"pgBouncer": {"replicas": 2, "config": {"global": global}}});
        description
    };
    installation.describe(&pooled(json!({"admin_users": "_crunchypgbouncer"}))).await;
    installation.ready("rhino").await;
    available(&installation).await;

    let primary = installation.primary("rhino").await;
    let through = |sql: &str| ask(&installation, &primary, "rhino", sql);
    let said = through(
        "SELECT current_user || ' ' || current_database() || ' ' || application_name \
                        FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    );
    assert_eq!(said.as_deref(), Ok("rhino rhino visitor"));
    let proven = installation.sql(
        &primary,
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'rhino'",
    );
    assert_eq!(proven, "t", "PgBouncer itself speaks TLS to PostgreSQL");
    // A superuser has nothing to do here, and neither has the pooler's own role.
    for role in ["postgres", "_crunchypgbouncer"] {
        assert!(ask_as(&installation, &primary, role, "rhino", "SELECT 1").is_err(), "{role} came in");
    }

    // A change is taken up by the pods that there are.
    let pods = names(&installation).await;
    assert_eq!(pods.len(), 2);
    installation
        .describe(&pooled(json!({"admin_users": "_crunchypgbouncer", "pool_mode": "transaction"})))
        .await;
    let begun = std::time::Instant::now();
    loop {
        // Each pod reads its files in its own time.
        let modes: Vec<String> = pods.iter().map(|pod| mode(&installation, pod)).collect();
        if modes.iter().all(|mode| mode == "transaction") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{modes:?}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(names(&installation).await, pods);

    // Without it nothing is left of it, inside and outside.
    installation.describe(&described("rhino", 1)).await;
    let deployments: Api<Deployment> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let gone = |found: Option<&Deployment>| match found {
        None => Look::Done(()),
        Some(_) => Look::Waiting("it is still there".to_owned()),
    };
    wait::until(&deployments, "rhino-pgbouncer", PATIENCE, gone, |_| {}).await.unwrap();
    installation
        .until("rhino", |cluster| match condition_is(cluster, conditions::PROXY_AVAILABLE, "True") {
            Ok(message) => Err(message),
            Err(_) => condition_is(cluster, conditions::READY, "True"),
        })
        .await;
    let left: Vec<String> =
        installation.belongings("rhino").await.into_keys().filter(|id| id.contains("pgbouncer")).collect();
    // A pod may still be on its way out.
    assert!(left.iter().all(|id| id.starts_with("Pod")), "{left:?}");
    assert_eq!(installation.sql(&primary, "SELECT count(*) FROM pg_roles WHERE rolname ~ 'bouncer'"), "0");
    assert_eq!(
        installation.sql(&primary, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'bouncer'"),
        "0"
    );
    let secret: Secret = installation.secrets().get("rhino-pguser-rhino").await.unwrap();
    assert!(!secret.data.unwrap().keys().any(|key| key.contains("bouncer")));
    installation.delete("rhino").await;
    installation.nothing_left_of("rhino").await;
    installation.uninstall();
}

async fn available(installation: &Installation) {
    let look = |cluster: &pgherd::api::postgres_cluster::PostgresCluster| {
        let message = condition_is(cluster, conditions::PROXY_AVAILABLE, "True")?;
        if message.starts_with("2 of 2") { Ok(()) } else { Err(message) }
    };
    installation.until("rhino", look).await;
}

async fn names(installation: &Installation) -> Vec<String> {
    let selector = ListParams::default().labels(&format!("{PREFIX}/cluster=rhino,{PREFIX}/role=pgbouncer"));
    installation.pods().list(&selector).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

/// What a query through the pooler's Service answers, with its certificate verified.
fn ask(installation: &Installation, pod: &str, database: &str, sql: &str) -> Result<String, String> {
    ask_as(installation, pod, "rhino", database, sql)
}

fn ask_as(
    installation: &Installation,
    pod: &str,
    role: &str,
    database: &str,
    sql: &str,
) -> Result<String, String> {
    let address = format!("host=rhino-pgbouncer.{}.svc", installation.databases);
    query(installation, pod, &address, role, database, sql)
}

fn mode(installation: &Installation, pooler: &str) -> String {
    let pods = installation.kubectl(&["get", "pod", pooler, "-o", "jsonpath={.status.podIP}"], "");
    let primary = installation.kubectl(
        &["get", "pod", "-l", &format!("{PREFIX}/role=master"), "-o", "jsonpath={.items[0].metadata.name}"],
        "",
    );
    let address = format!("host=rhino-pgbouncer.{}.svc hostaddr={}", installation.databases, pods.stdout);
    let shown =
        query(installation, &primary.stdout, &address, "_crunchypgbouncer", "pgbouncer", "SHOW CONFIG")
            .unwrap_or_default();
    let line = shown.lines().find(|line| line.starts_with("pool_mode|")).unwrap_or_default();
    line.split('|').nth(1).unwrap_or_default().to_owned()
}

fn query(
    installation: &Installation,
    pod: &str,
    address: &str,
    role: &str,
    database: &str,
    sql: &str,
) -> Result<String, String> {
    let (secret, key) = match database {
        "pgbouncer" => ("rhino-pgbouncer", "{{index .data \"pgbouncer-password\" | base64decode}}"),
        _ => ("rhino-pguser-rhino", "{{.data.password | base64decode}}"),
    };
    let template = format!("go-template={key}");
    let password = installation.kubectl(&["get", "secret", secret, "-o", &template], "");
    let connection = format!(
        "{address} port=5432 user={role} dbname={database} sslmode=verify-full sslrootcert=/pgconf/tls/ca.crt \
         application_name=visitor"
    );
    let script = format!("read -r PGPASSWORD && export PGPASSWORD && exec psql -XAtw \"{connection}\" -f -");
    let input = format!("{}\n{sql}\n", password.stdout);
    let ran = installation.kubectl(&["exec", "-i", pod, "-c", "database", "--", "sh", "-c", &script], &input);
    if ran.code == Some(0) { Ok(ran.stdout.trim().to_owned()) } else { Err(ran.to_string()) }
}
