//! Two operators, of one installation or of two, and one that was away: nobody works against anybody, or on old knowledge.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    coordination::v1::Lease,
    core::v1::{Event, Pod, Service},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams},
};
use pgherd::k8s::wait::{self, Look};
use serde_json::{Value, json};

use crate::{
    cluster::{Installation, PATIENCE},
    databases::described,
    modes,
    proxy::Proxy,
    visitor::Visitor,
};

const FOLLOWED_BY: &str = "pgherd.io/followed-by";

/// A cluster that needn't run: only who looks after it matters.
fn at_rest(team: &str) -> Value {
    let mut description = described("rhino", 1);
    description["spec"]["shutdown"] = json!(true);
    description["spec"]["metadata"] = json!({"labels": {"team": team}});
    description
}

/// Waits until the operator has brought a description's label to a Service, which comes before the StatefulSets.
async fn labelled(installation: &Installation, team: &str) {
    let services: Api<Service> =
        Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let look = |found: Option<&Service>| match found.and_then(|service| service.labels().get("team").cloned())
    {
        Some(found) if found == team => Look::Done(()),
        other => Look::Waiting(format!("its team is {other:?}")),
    };
    wait::until(&services, "rhino-primary", PATIENCE, look, |_| {}).await.unwrap();
}

/// Waits until the status speaks of the present description.
async fn observed(installation: &Installation) {
    let look = |cluster: &pgherd::api::postgres_cluster::PostgresCluster| {
        let seen = cluster.status.as_ref().and_then(|status| status.observed_generation);
        if seen == cluster.metadata.generation { Ok(()) } else { Err(format!("{seen:?} was observed")) }
    };
    installation.until("rhino", look).await;
}

/// Waits until the installation's Lease has another holder than `before`, and gives it.
async fn holder(installation: &Installation, before: &str) -> String {
    let leases: Api<Lease> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let look = |found: Option<&Lease>| {
        let spec = found.and_then(|lease| lease.spec.as_ref());
        match spec.and_then(|spec| spec.holder_identity.clone()) {
            Some(holder) if holder != before => Look::Done(holder),
            other => Look::Waiting(format!("its holder is {other:?}")),
        }
    };
    let name = format!("{}-operator", installation.name);
    wait::until(&leases, &name, PATIENCE, look, |_| {}).await.unwrap()
}

/// Waits until an operator outside the cluster has written something into its log.
async fn says(installation: &Installation, log: &str, words: &str) {
    let path = installation.sandbox.home().join(log);
    let begun = std::time::Instant::now();
    // A file can only be read again.
    let mut again = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        let said = fs_err::read_to_string(&path).unwrap();
        if said.contains(words) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it never said {words:?}:\n{said}");
        again.tick().await;
    }
}

/// The image in the cluster's StatefulSet, which tells whose work it is.
async fn image(installation: &Installation, namespace: &str) -> BTreeSet<String> {
    let sets: Api<StatefulSet> = Api::namespaced(installation.cluster.client.clone(), namespace);
    let sets = sets.list(&ListParams::default()).await.unwrap();
    let pods = sets.items.into_iter().filter_map(|set| set.spec?.template.spec);
    let containers = pods.flat_map(|pod| pod.containers);
    containers.filter(|one| one.name == "database").filter_map(|one| one.image).collect()
}

/// What was asked for besides the Lease.
fn besides_the_lease(heard: &Arc<Mutex<Vec<String>>>) -> Vec<String> {
    heard.lock().unwrap().iter().filter(|what| !what.contains("/leases")).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_of_an_installation_the_newer_one_acts() {
    let Some(installation) = Installation::new("newer").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.describe(&at_rest("keepers")).await;
    labelled(&installation, "keepers").await;
    let visitor = Visitor::of(&installation);
    let (pod, ..) = visitor.pod().await;
    let installed = holder(&installation, "").await;
    assert!(installed.starts_with(&format!("{pod}/")), "{installed} is not {pod}");

    // A second one, outside. The first one isn't ready any more, and says by whom it was superseded.
    let proxy = Proxy::start(installation.cluster.client.clone()).await;
    let through = installation.sandbox.file("proxy.conf", &proxy.kubeconfig());
    let second = installation.start_operator_through(&through, "localhost/postgres:17", "second.log");
    let newer = holder(&installation, &installed).await;
    let pods: Api<Pod> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    let unready = |found: Option<&Pod>| {
        let conditions = found.and_then(|pod| pod.status.as_ref()?.conditions.clone()).unwrap_or_default();
        let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
        match ready {
            Some(condition) if condition.status == "False" => Look::Done(()),
            other => Look::Waiting(format!("{other:?}")),
        }
    };
    wait::until(&pods, &pod, PATIENCE, unready, |_| {}).await.unwrap();
    let bundle = visitor.stored(&visitor.home.authority_secret(), "ca.crt").await;
    let answer = visitor.ask("/readyz", &bundle).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains(&format!("another operator has taken over: {newer}")), "{answer}");
    assert!(visitor.ask("/healthz", &bundle).await.starts_with("HTTP/1.1 200"), "it isn't started again");
    installation.describe(&at_rest("vets")).await;
    labelled(&installation, "vets").await;
    second.kill();

    // One that is away does nothing, and when it comes back it finds out that it was superseded, whatever it had begun.
    installation.stop_operator().await;
    let away = installation.start_operator_through(&through, "localhost/postgres:17", "away.log");
    let absent = holder(&installation, &newer).await;
    installation.describe(&at_rest("cooks")).await;
    labelled(&installation, "cooks").await;
    observed(&installation).await;
    proxy.cut();
    installation.describe(&at_rest("guards")).await;
    let third = installation.start_operator_with("localhost/another:17");
    let present = holder(&installation, &absent).await;
    labelled(&installation, "guards").await;
    observed(&installation).await;
    assert_eq!(
        image(&installation, &installation.databases).await,
        ["localhost/another:17".to_owned()].into()
    );
    let before = installation.versions("rhino").await;
    let heard = proxy.listen();
    says(&installation, "away.log", &format!("another operator has taken over: {present}")).await;
    // What both would have seen by now, only one has acted on.
    installation.describe(&at_rest("guides")).await;
    labelled(&installation, "guides").await;
    observed(&installation).await;
    let asked = besides_the_lease(&heard);
    let writes = asked.iter().filter(|what| !what.starts_with("GET "));
    assert_eq!(writes.count(), 0, "{asked:?}");
    assert_eq!(
        image(&installation, &installation.databases).await,
        ["localhost/another:17".to_owned()].into()
    );
    assert_eq!(before.len(), installation.versions("rhino").await.len());
    drop(third);
    drop(away);

    // One that was away with nobody in its place acts on what there is when it comes back, not on what it had seen.
    let back = installation.start_operator_through(&through, "localhost/postgres:17", "back.log");
    holder(&installation, &present).await;
    installation.describe(&at_rest("riders")).await;
    labelled(&installation, "riders").await;
    observed(&installation).await;
    proxy.cut();
    for team in ["tailors", "bakers", "miners"] {
        installation.describe(&at_rest(team)).await;
    }
    let heard = proxy.listen();
    labelled(&installation, "miners").await;
    observed(&installation).await;
    let asked = besides_the_lease(&heard);
    let primary = asked.iter().filter(|what| what.starts_with("PATCH ") && what.ends_with("/rhino-primary"));
    let services = primary.filter(|what| what.contains("/services/"));
    assert_eq!(services.count(), 1, "only the last description is brought about: {asked:?}");
    drop(back);

    let _operator = installation.start_operator();
    installation.delete("rhino").await;
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_lease_an_operator_does_nothing_until_the_installer_makes_it_anew() {
    let Some(installation) = Installation::new("unheld").await else { return };
    installation.succeed(&["install", "-y"]);
    let holds = holder(&installation, "").await;
    let leases: Api<Lease> = Api::namespaced(installation.cluster.client.clone(), &installation.home);
    leases.delete(&format!("{}-operator", installation.name), &DeleteParams::default()).await.unwrap();
    installation.describe(&at_rest("keepers")).await;
    modes::says(&installation, "`pgherd install` makes it").await;
    let made = installation.belongings("rhino").await;
    assert!(made.is_empty(), "{:?}", made.keys());

    let plan = installation.run(&["plan"]);
    assert!(plan.stdout.contains(&format!("{}-operator", installation.name)), "{plan}");
    installation.succeed(&["install", "-y"]);
    assert_eq!(holder(&installation, "").await, holds, "nobody else came meanwhile");
    labelled(&installation, "keepers").await;
    let plan = installation.succeed(&["plan", "--detailed-exitcode"]);
    assert!(
        plan.stdout.contains("Nothing to do"),
        "who holds it is none of the installer's business: {plan}"
    );
    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
}

/// Who follows the cluster.
async fn follower(installation: &Installation) -> Option<String> {
    installation.clusters().get("rhino").await.unwrap().annotations().get(FOLLOWED_BY).cloned()
}

/// Waits until an installation follows the cluster.
async fn followed_by(installation: &Installation, name: &str) {
    let look = |cluster: &pgherd::api::postgres_cluster::PostgresCluster| {
        let found = cluster.annotations().get(FOLLOWED_BY).cloned();
        if found.as_deref() == Some(name) { Ok(()) } else { Err(format!("{found:?} follows it")) }
    };
    installation.until("rhino", look).await;
}

/// Waits until there are events that say that another installation follows the cluster, and gives what they say.
async fn warnings(installation: &Installation, least: usize) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let begun = std::time::Instant::now();
    let mut again = tokio::time::interval(std::time::Duration::from_millis(50));
    loop {
        let list = events.list(&ListParams::default()).await.unwrap();
        let told = list.into_iter().filter(|event| event.reason.as_deref() == Some("FollowedByAnother"));
        let notes: Vec<String> = told
            .map(|event| {
                assert!(event.series.is_none_or(|series| series.count.unwrap_or(1) == 1), "told once");
                event.message.unwrap_or_default()
            })
            .collect();
        if notes.len() >= least {
            return notes;
        }
        assert!(begun.elapsed() < PATIENCE, "{notes:?}");
        again.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_installations_on_a_namespace_the_first_one_has_the_cluster() {
    let Some(first) = Installation::new("first").await else { return };
    let Some(second) = Installation::new("other").await else { return };
    let name = |installation: &Installation| format!("{}.{}", installation.home, installation.name);
    first.succeed(&["install", "-y"]);
    first.describe(&at_rest("keepers")).await;
    labelled(&first, "keepers").await;
    assert_eq!(follower(&first).await, Some(name(&first)));

    second.inventory(|text| {
        text.replace(&format!("\"{}\"", second.databases), &format!("\"{}\"", first.databases))
            .replace("localhost/postgres:17", "localhost/another:17")
    });
    second.succeed(&["install", "-y"]);
    let told = warnings(&first, 1).await;
    assert!(told[0].contains(&name(&first)) && told[0].contains(&name(&second)), "{told:?}");
    for team in ["vets", "cooks"] {
        first.describe(&at_rest(team)).await;
        labelled(&first, team).await;
        observed(&first).await;
    }
    assert_eq!(follower(&first).await, Some(name(&first)));
    assert_eq!(image(&first, &first.databases).await, ["localhost/postgres:17".to_owned()].into());
    assert_eq!(warnings(&first, 1).await.len(), 1, "it is told once");

    // As the event says.
    let (_, command) = told[0].split_once("kubectl ").unwrap();
    let ran = first.kubectl(&command.split(' ').collect::<Vec<_>>(), "");
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(warnings(&first, 2).await.len(), 2, "now the first one leaves it alone");
    first.describe(&at_rest("guards")).await;
    labelled(&first, "guards").await;
    observed(&first).await;
    assert_eq!(follower(&first).await, Some(name(&second)));
    assert_eq!(image(&first, &first.databases).await, ["localhost/another:17".to_owned()].into());

    // An installation that goes and leaves its clusters leaves them to whoever is there.
    second.succeed(&["uninstall", "-y", "--keep-clusters", "--delete-namespaces"]);
    followed_by(&first, &name(&first)).await;
    first.describe(&at_rest("guides")).await;
    labelled(&first, "guides").await;
    observed(&first).await;
    assert_eq!(image(&first, &first.databases).await, ["localhost/postgres:17".to_owned()].into());

    first.succeed(&["uninstall", "-y", "--keep-clusters"]);
    assert_eq!(follower(&first).await, None);
    first.succeed(&["install", "-y"]);
    followed_by(&first, &name(&first)).await;
    first.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
    for installation in [&first, &second] {
        let left = installation.objects(|_| ()).await;
        assert!(left.is_empty(), "{left:#?}");
    }
}
