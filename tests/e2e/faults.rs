//! Installing and uninstalling while things go wrong: the installer is killed, the API server is busy, not well, or away.

use std::{collections::BTreeMap, time::Duration};

use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

use crate::{
    cluster::Installation,
    proxy::{Fate, Proxy, away, each_once},
    sandbox::Ran,
};

/// An object without what is different in each installation: names of objects that are born by chance, times, versions and
/// what is derived from them.
fn essence(object: &DynamicObject) -> Value {
    let mut object = object.clone();
    let metadata = &mut object.metadata;
    metadata.uid = None;
    metadata.resource_version = None;
    metadata.creation_timestamp = None;
    metadata.managed_fields = None;
    metadata.generation = None;
    metadata.owner_references = None;
    let mut value = serde_json::to_value(object).unwrap();
    value.as_object_mut().unwrap().remove("status");
    // Keys are made anew.
    if value["type"].is_string() {
        let keys: Vec<String> =
            value["data"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        value["data"] = serde_json::json!(keys);
    }
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        for given in ["clusterIP", "clusterIPs", "holderIdentity", "acquireTime"] {
            spec.remove(given);
        }
    }
    value
}

/// What the installer made, by kind and name.
async fn made(installation: &Installation) -> BTreeMap<String, Value> {
    let all = installation.objects(|object| {
        let applied = object
            .managed_fields()
            .iter()
            .any(|entry| entry.manager.as_deref().is_some_and(|manager| manager.starts_with("pgherd-")));
        applied.then(|| essence(object))
    });
    all.await.into_iter().filter_map(|(id, essence)| Some((id, essence?))).collect()
}

/// Runs the program through the proxy until it succeeds, and gives how often that took and the last run.
fn until_success(installation: &Installation, arguments: &[&str], most: usize) -> (usize, Ran) {
    let common = ["-i", "pgherd.toml", "--kubeconfig", "proxy.conf", "--timeout", "90s"];
    for runs in 1..=most {
        let ran = installation.sandbox.run(&[arguments, &common].concat());
        if ran.code == Some(0) {
            return (runs, ran);
        }
        assert!(ran.stderr.contains("[PG-"), "a failure has a code: {ran}");
        assert!(runs < most, "{arguments:?} still fails after {most} runs: {ran}");
    }
    unreachable!("the loop ends by returning or failing")
}

async fn faulty(stem: &str) -> Option<(Installation, Proxy)> {
    let installation = Installation::new(stem).await?;
    let proxy = Proxy::start(installation.cluster.client.clone()).await;
    installation.sandbox.file("proxy.conf", &proxy.kubeconfig());
    Some((installation, proxy))
}

/// Runs the program again and again, each time killed after its first write besides the Lease's, until one run finishes.
async fn killed_after_each_write(
    installation: &Installation,
    proxy: &mut Proxy,
    arguments: &[&str],
) -> usize {
    let common = ["-i", "pgherd.toml", "--kubeconfig", "proxy.conf", "--timeout", "90s"];
    for kills in 0..60 {
        let mut killed = false;
        proxy.script(move |seen| {
            let counts = seen.write && !seen.what.contains("/leases");
            // What is under way at the same time isn't carried out, or there would be less to interrupt.
            match (killed, counts) {
                (true, _) => Fate::Hold,
                (false, true) => {
                    killed = true;
                    Fate::Kill
                }
                (false, false) => Fate::Pass,
            }
        });
        let mut command = installation.sandbox.command();
        let (out, err) = (std::process::Stdio::null(), std::process::Stdio::piped());
        let child = command.args([arguments, &common].concat()).stdout(out).stderr(err).spawn().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        tokio::pin!(ended);
        let output = tokio::select! {
            () = proxy.kill() => {
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
                ended.await.unwrap()
            }
            output = &mut ended => output.unwrap(),
        };
        if output.status.success() {
            return kills;
        }
        // A signal, or a run that met what the last one left half done and says so.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none() || said.contains("[PG-"), "{said}");
    }
    usize::MAX
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_each_write_in_turn_it_comes_to_the_same() {
    let Some((installation, mut proxy)) = faulty("slain").await else { return };
    installation.succeed(&["install", "-y"]);
    let uninterrupted = made(&installation).await;
    assert!(uninterrupted.len() >= 10, "{uninterrupted:#?}");
    installation.uninstall();

    let kills = killed_after_each_write(&installation, &mut proxy, &["install", "-y"]).await;
    assert!((9..60).contains(&kills), "{kills} kills");
    let made = made(&installation).await;
    let ids = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&made), ids(&uninterrupted));
    for (id, object) in made {
        assert_eq!(object, uninterrupted[&id], "{id}");
    }
    let plan = installation.succeed(&["plan", "--detailed-exitcode"]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan}");

    let kills =
        killed_after_each_write(&installation, &mut proxy, &["uninstall", "-y", "--delete-namespaces"]).await;
    assert!((9..60).contains(&kills), "{kills} kills");
    let left = installation.objects(|_| ()).await;
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_busy_or_not_well_delays_it_and_no_more() {
    let Some((installation, proxy)) = faulty("ill").await else { return };
    for fault in [Fate::Answer(429), Fate::Answer(500), Fate::Answer(409), Fate::Close] {
        proxy.script(each_once(fault));
        // A conflict may be a real one, so that it isn't tried again, but told.
        let most = if fault == Fate::Answer(409) { 40 } else { 6 };
        let (runs, ran) = until_success(&installation, &["install", "-y"], most);
        // What may have been done isn't done twice, where that could do harm: it is told, and the next run goes on.
        if fault == Fate::Answer(429) {
            assert_eq!(runs, 1, "{ran}");
        }
        if matches!(fault, Fate::Answer(429 | 500)) {
            assert!(ran.stderr.contains("trying again"), "{fault:?}: {ran}");
        }
        let plan = installation.succeed(&["plan"]);
        assert!(plan.stdout.contains("Nothing to do"), "{fault:?}: {plan}");
        proxy.script(each_once(fault));
        until_success(&installation, &["uninstall", "-y", "--delete-namespaces"], most);
        let left = installation.objects(|_| ()).await;
        assert!(left.is_empty(), "{fault:?}: {left:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_while_is_waited_for() {
    let Some((installation, proxy)) = faulty("away").await else { return };
    for from in [2, 6] {
        proxy.script(away(from, Duration::from_secs(20)));
        let (_, ran) = until_success(&installation, &["install", "-y"], 2);
        assert!(ran.stderr.contains("doesn't answer"), "{ran}");
        proxy.script(away(from, Duration::from_secs(20)));
        let (_, ran) = until_success(&installation, &["uninstall", "-y", "--delete-namespaces"], 2);
        assert!(ran.stderr.contains("doesn't answer"), "{ran}");
        let left = installation.objects(|_| ()).await;
        assert!(left.is_empty(), "{left:#?}");
    }
}
