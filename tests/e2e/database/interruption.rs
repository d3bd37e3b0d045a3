//! An operator that is killed at any moment of creating a cluster.

use std::{collections::BTreeMap, io::Write as _};

use k8s_openapi::api::core::v1::{Endpoints, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use pgherd::k8s::wait::{self, Look};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use super::super::{
    cluster::{Installation, PATIENCE},
    databases::{PREFIX, described},
    shapes::{generalised, kind},
};

/// When the operator is killed: how far the creation has come by then.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many objects exist.
    Objects(usize),
    /// A pod of an instance exists.
    Pod,
    /// An instance accepts writes.
    Primary,
    /// Roles and databases are set up.
    Users,
}

const MOMENTS: [Moment; 10] = [
    Moment::Objects(1),
    Moment::Objects(2),
    Moment::Objects(4),
    Moment::Objects(6),
    Moment::Objects(9),
    Moment::Objects(12),
    Moment::Objects(15),
    Moment::Pod,
    Moment::Primary,
    Moment::Users,
];

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_at_ten_moments_ends_in_the_same_cluster() {
    let Some(installation) = Installation::new("interrupted").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;

    let operator = installation.start_operator();
    installation.describe(&described("hornbill", 1)).await;
    installation.ready("hornbill").await;
    let whole = shapes(&installation, "hornbill").await;
    assert!(whole.len() >= 15, "{:?}", whole.keys());
    installation.delete("hornbill").await;
    operator.kill();

    for (index, moment) in MOMENTS.into_iter().enumerate() {
        let name = format!("part{index}");
        installation.describe(&described(&name, 1)).await;
        let operator = installation.start_operator();
        reached(&installation, &name, moment).await;
        operator.kill();
    }
    let _operator = installation.start_operator();
    for (index, moment) in MOMENTS.into_iter().enumerate() {
        let name = format!("part{index}");
        installation.ready(&name).await;
        assert_eq!(shapes(&installation, &name).await, whole, "killed at {moment:?}");
    }
    for index in 0..MOMENTS.len() {
        installation.delete(&format!("part{index}")).await;
    }
    installation.uninstall();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_starts_again_writes_nothing() {
    let Some(installation) = Installation::new("again").await else { return };
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;
    let operator = installation.start_operator();
    installation.describe(&described("calm", 1)).await;
    installation.ready("calm").await;
    operator.kill();

    let before = installation.versions("calm").await;
    let _operator = installation.start_operator();
    // A second cluster that becomes ready proves that this operator has looked at the first one, too.
    installation.describe(&described("witness", 1)).await;
    installation.ready("witness").await;
    let after = installation.versions("calm").await;
    assert_eq!(before, after);
    for name in ["calm", "witness"] {
        installation.delete(name).await;
    }
    installation.uninstall();
}

/// The seeded sample of a longer campaign: `PGHERD_ROUNDS` clusters, each created by an operator that is killed several
/// times at moments that `PGHERD_SEED` chooses.
#[tokio::test(flavor = "multi_thread")]
async fn soak_of_operators_killed_at_random() {
    let Some(installation) = Installation::new("soak").await else { return };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let (seed, rounds) = (number("PGHERD_SEED").unwrap_or(1), number("PGHERD_ROUNDS").unwrap_or(1));
    let mut rng = StdRng::seed_from_u64(seed);
    installation.succeed(&["install", "-y"]);
    installation.stop_operator().await;
    for round in 0..rounds {
        let replicas = rng.random_range(1..=3);
        let moments: Vec<Moment> = (0..rng.random_range(2..=5)).map(|_| random_moment(&mut rng)).collect();
        let tale = format!("seed {seed}, round {round}: {replicas} instances, killed at {moments:?}");
        writeln!(std::io::stderr(), "{tale}").unwrap();
        let name = format!("round{round}");
        installation.describe(&described(&name, replicas)).await;
        for moment in moments {
            let operator = installation.start_operator();
            reached(&installation, &name, moment).await;
            operator.kill();
        }
        let operator = installation.start_operator();
        installation.ready(&name).await;
        let sets = installation.belongings(&name).await;
        let instances = sets.keys().filter(|id| kind(id) == "StatefulSet").count();
        assert_eq!(instances, usize::try_from(replicas).unwrap(), "{tale}");
        let begun = std::time::Instant::now();
        installation.delete(&name).await;
        let gone = begun.elapsed().as_secs();
        installation.nothing_left_of(&name).await;
        writeln!(std::io::stderr(), "round {round}: deleted after {gone} s").unwrap();
        operator.kill();
    }
    installation.uninstall();
}

/// Instances that are killed while they make the database: the pod, and the processes in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_making_was_cut_short_is_made_anew() {
    let Some(installation) = Installation::new("unborn").await else { return };
    installation.succeed(&["install", "-y"]);

    // As soon as Patroni says that it makes one: the data directory is empty or half of one.
    installation.describe(&described("rhino", 1)).await;
    initializing(&installation, "rhino").await;
    let selector = format!("-l={PREFIX}/cluster=rhino");
    let killed = installation.kubectl(&["delete", "pod", &selector, "--force", "--grace-period=0"], "");
    assert_eq!(killed.code, Some(0), "{killed}");
    repaired(&installation, "rhino").await;

    // When what there is could be taken for a database.
    installation.describe(&described("tapir", 2)).await;
    installation.until_pod("tapir", running).await;
    let of_tapir = ListParams::default().labels(&format!("{PREFIX}/cluster=tapir"));
    let pods = installation.pods().list(&of_tapir).await.unwrap();
    let first = pods.items.into_iter().find(running).unwrap().name_any();
    let kill = "until [ -s \"$PGDATA/global/pg_control\" ]; do :; done; kill -9 -1";
    let killed = installation.kubectl(&["exec", &first, "-c", "database", "--", "sh", "-c", kill], "");
    // The shell spares itself; what happens to it when its container has ended is another's race.
    assert!(matches!(killed.code, Some(0 | 137)), "{killed}");
    repaired(&installation, "tapir").await;
    installation.succeed(&["uninstall", "-y", "--delete-clusters", "--delete-data", "--delete-namespaces"]);
}

fn running(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_deref());
    statuses.unwrap_or_default().iter().any(|container| {
        container.name == "database" && container.state.as_ref().is_some_and(|state| state.running.is_some())
    })
}

/// Waits until some instance makes the database.
async fn initializing(installation: &Installation, name: &str) {
    let store: Api<Endpoints> = Api::namespaced(installation.cluster.client.clone(), &installation.databases);
    let look = |found: Option<&Endpoints>| match found.and_then(|store| store.annotations().get("initialize"))
    {
        Some(identifier) if identifier.is_empty() => Look::Done(()),
        other => Look::Waiting(format!("{other:?}")),
    };
    wait::until(&store, &format!("{name}-ha-config"), PATIENCE, look, |_| {}).await.unwrap();
}

/// Waits until a cluster is ready, and sees that its database is whole.
async fn repaired(installation: &Installation, name: &str) {
    installation.ready(name).await;
    let primary = installation.primary(name).await;
    let seen = "SELECT count(*) FROM pg_roles WHERE rolname = '_crunchyrepl' AND rolreplication";
    assert_eq!(installation.sql(&primary, seen), "1");
    assert_ne!(installation.sql(&primary, "SELECT count(*) FROM information_schema.tables"), "0");
}

fn random_moment(rng: &mut StdRng) -> Moment {
    match rng.random_range(0..20) {
        0 => Moment::Pod,
        1 => Moment::Primary,
        2 => Moment::Users,
        count => Moment::Objects(count - 2),
    }
}

async fn reached(installation: &Installation, name: &str, moment: Moment) {
    match moment {
        Moment::Objects(count) => {
            // Objects of many kinds have no common watch; looking again at once is the closest to one.
            let begun = std::time::Instant::now();
            loop {
                let seen = installation.belongings(name).await.len();
                if seen >= count {
                    return;
                }
                assert!(begun.elapsed() < PATIENCE, "{seen} of {count} objects of {name}");
            }
        }
        Moment::Pod => {
            installation.until_pod(name, |_| true).await;
        }
        Moment::Primary => {
            let role = format!("{PREFIX}/role");
            installation
                .until_pod(name, |pod| pod.labels().get(&role).is_some_and(|role| role == "master"))
                .await;
        }
        Moment::Users => {
            let users = |cluster: &pgherd::api::postgres_cluster::PostgresCluster| {
                let revision = cluster.status.as_ref().and_then(|status| status.users_revision.clone());
                revision.ok_or_else(|| "users are not set up".to_owned())
            };
            installation.until(name, users).await;
        }
    }
}

/// What a cluster consists of, with everything that is rightly different between two clusters taken out. Its name must not
/// be a word that any script or comment uses.
async fn shapes(installation: &Installation, name: &str) -> BTreeMap<String, Value> {
    let all = installation.belongings(name).await;
    let startup = all
        .iter()
        .find(|(id, _)| kind(id) == "StatefulSet")
        .map(|(_, object)| object.name_any())
        .expect("a cluster has a StatefulSet");
    let general = |text: &str| text.replace(&startup, "INSTANCE").replace(name, "NAME");
    all.iter()
        .filter(|(id, _)| !["Pod", "EndpointSlice", "ControllerRevision"].contains(&kind(id)))
        .map(|(id, object)| {
            let id = format!("{} {}", kind(id), general(&object.name_any()));
            (id, generalised(&serde_json::to_value(object).unwrap(), &general))
        })
        .collect()
}
