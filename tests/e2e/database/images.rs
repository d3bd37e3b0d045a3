//! Images that are not like ours.

use pgherd::api::conditions;
use serde_json::json;

use super::super::{
    cluster::Installation,
    databases::{condition_is, described},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_pgaudit_with_another_uid_or_programs_elsewhere_works() {
    let Some(installation) = Installation::new("images").await else { return };
    installation.succeed(&["install", "-y"]);
    for kind in ["plain", "uid", "elsewhere"] {
        let mut description = described(kind, 2);
        description["spec"]["image"] = json!(format!("localhost/postgres:17-{kind}"));
        installation.describe(&description).await;
    }
    for kind in ["plain", "uid", "elsewhere"] {
        installation.ready(kind).await;
        let primary = installation.primary(kind).await;
        let ran = installation.kubectl(&["exec", &primary, "-c", "database", "--", "id", "-un"], "");
        assert_eq!(ran.stdout.trim(), "postgres", "{ran}");
        let libraries = installation.sql(&primary, "SHOW shared_preload_libraries");
        assert_eq!(libraries, if kind == "plain" { "" } else { "pgaudit" }, "{kind}");
        installation.delete(kind).await;
    }
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_can_not_work_is_told_in_the_status() {
    let Some(installation) = Installation::new("wrong").await else { return };
    installation.succeed(&["install", "-y"]);
    let mut old = described("old", 1);
    old["spec"]["postgresVersion"] = json!(15);
    old["spec"]["image"] = json!("localhost/postgres:17");
    installation.describe(&old).await;
    let mut missing = described("missing", 1);
    missing["spec"]["image"] = json!("localhost/no-such-image:1");
    missing["spec"]["imagePullPolicy"] = json!("Never");
    installation.describe(&missing).await;

    let told = |name: &'static str, words: &'static str| {
        installation.until(name, move |cluster| {
            let message = condition_is(cluster, conditions::READY, "False")?;
            if message.contains(words) { Ok(()) } else { Err(message) }
        })
    };
    told("old", "spec.postgresVersion is 15 but the image has: postgres (PostgreSQL) 17").await;
    told("missing", "ErrImageNeverPull").await;
    installation.delete("old").await;
    installation.delete("missing").await;
    installation.uninstall();
}
