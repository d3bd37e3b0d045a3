//! A client in a pod that writes to a cluster all the time, and what became of its rows.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt as _,
    api::{DeleteParams, LogParams, PostParams},
};
use pgherd::k8s::{
    reasons,
    wait::{self, Look},
};
use serde_json::json;
use tokio::sync::watch;

use crate::cluster::{Installation, PATIENCE};

const PROGRAM: &str = include_str!("writer.py");

/// One attempt to write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attempt {
    /// A row is there, at this second of the client's clock.
    Acknowledged { number: u64, at: f64 },
    /// It is not known to be there.
    Failed { at: f64, what: String },
}

impl Attempt {
    fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        let (first, second) = rest.split_once(' ')?;
        match kind {
            "ack" => Some(Self::Acknowledged { number: first.parse().ok()?, at: second.parse().ok()? }),
            "err" => Some(Self::Failed { at: first.parse().ok()?, what: second.to_owned() }),
            _ => None,
        }
    }

    fn at(&self) -> f64 {
        match self {
            Self::Acknowledged { at, .. } | Self::Failed { at, .. } => *at,
        }
    }
}

/// A client that writes.
pub(crate) struct Writer<'a> {
    installation: &'a Installation,
    cluster: String,
    name: String,
    attempts: watch::Receiver<Arc<Vec<Attempt>>>,
    reader: tokio::task::JoinHandle<()>,
}

/// What became of what was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// How many rows were acknowledged.
    pub acknowledged: usize,
    /// The longest time between two of them.
    pub gap: Duration,
    /// Rows that were acknowledged and aren't there.
    pub missing: Vec<u64>,
    /// What the client was told meanwhile, each once.
    pub errors: BTreeSet<String>,
}

impl<'a> Writer<'a> {
    /// Starts one that writes to the Service that follows the primary, and waits until it does.
    pub(crate) async fn start(installation: &'a Installation, cluster: &str) -> Self {
        let uri = format!("host={cluster}-ha sslmode=require");
        Self::begin(installation, cluster, &[uri]).await
    }

    /// Starts one that connects anew for every row, to each of these Services in turn, and trusts nobody but the authorities
    /// in the cluster's Secret, which it has mounted below `/trusted`.
    pub(crate) async fn start_anew(installation: &'a Installation, cluster: &str, services: &[&str]) -> Self {
        let uris: Vec<String> = services
            .iter()
            .map(|service| {
                let host = format!("{service}.{}.svc", installation.databases);
                format!("host={host} sslmode=verify-full sslrootcert=/trusted/ca.crt")
            })
            .collect();
        Self::begin(installation, cluster, &uris).await
    }

    async fn begin(installation: &'a Installation, cluster: &str, uris: &[String]) -> Self {
        let name = format!("writer-{cluster}");
        let pods = installation.pods();
        pods.create(&PostParams::default(), &pod(&name, cluster, uris)).await.unwrap();
        let running = |pod: Option<&Pod>| match pod {
            Some(pod) if reasons::ready(pod) => Look::Done(()),
            _ => Look::Waiting("it doesn't run".to_owned()),
        };
        wait::until(&pods, &name, PATIENCE, running, |_| {}).await.unwrap();
        let (sender, attempts) = watch::channel(Arc::default());
        let (log, of) = (pods.clone(), name.clone());
        let reader = tokio::spawn(async move {
            // The log comes from the kubelet, which may be away; then it is read again from its beginning.
            let mut read = 0;
            loop {
                let follow = LogParams { follow: true, ..LogParams::default() };
                if let Ok(log) = log.log_stream(&of, &follow).await {
                    let mut lines = log.lines().skip(read);
                    while let Ok(Some(line)) = lines.try_next().await {
                        read += 1;
                        let Some(attempt) = Attempt::parse(&line) else { continue };
                        sender.send_modify(|attempts: &mut Arc<Vec<Attempt>>| {
                            Arc::make_mut(attempts).push(attempt);
                        });
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let mut writer = Self { installation, cluster: cluster.to_owned(), name, attempts, reader };
        writer.goes_on(20).await;
        writer
    }

    /// Waits until so many more rows were acknowledged one after the other, without an error in between.
    pub(crate) async fn goes_on(&mut self, rows: usize) {
        let before = self.attempts.borrow().len();
        let unbroken = |attempts: &Arc<Vec<Attempt>>| {
            let since = attempts.get(before..).unwrap_or_default();
            since.iter().rev().take_while(|attempt| matches!(attempt, Attempt::Acknowledged { .. })).count()
                >= rows
        };
        let waited =
            matches!(tokio::time::timeout(PATIENCE, self.attempts.wait_for(unbroken)).await, Ok(Ok(_)));
        assert!(waited, "{}: nothing is written; at last {:?}", self.cluster, self.last());
    }

    /// Waits until an attempt has failed since `from`, as returned by [`Self::position`].
    pub(crate) async fn is_disturbed(&mut self, from: usize) {
        let failed = |attempts: &Arc<Vec<Attempt>>| {
            attempts
                .get(from..)
                .unwrap_or_default()
                .iter()
                .any(|attempt| matches!(attempt, Attempt::Failed { .. }))
        };
        let waited =
            matches!(tokio::time::timeout(PATIENCE, self.attempts.wait_for(failed)).await, Ok(Ok(_)));
        assert!(waited, "{}: no attempt has failed", self.cluster);
    }

    /// How many attempts there were.
    pub(crate) fn position(&self) -> usize {
        self.attempts.borrow().len()
    }

    /// What became of the attempts since `from`. Rows are looked for on the primary.
    pub(crate) async fn written(&self, from: usize) -> Written {
        let attempts = self.attempts.borrow()[from.saturating_sub(1)..].to_vec();
        let primary = self.installation.primary(&self.cluster).await;
        let sql = format!("\\c {}\nSELECT number FROM written", self.cluster);
        let rows = self.installation.sql(&primary, &sql);
        let there: BTreeSet<u64> = rows.lines().filter_map(|line| line.parse().ok()).collect();
        let times: Vec<(u64, f64)> = attempts
            .iter()
            .filter_map(|attempt| match attempt {
                Attempt::Acknowledged { number, at } => Some((*number, *at)),
                Attempt::Failed { .. } => None,
            })
            .collect();
        let gap = times.windows(2).map(|pair| pair[1].1 - pair[0].1).fold(0.0, f64::max);
        Written {
            acknowledged: times.len(),
            gap: Duration::from_secs_f64(gap),
            missing: times
                .iter()
                .map(|(number, _)| *number)
                .filter(|number| !there.contains(number))
                .collect(),
            errors: attempts
                .into_iter()
                .filter_map(|attempt| match attempt {
                    Attempt::Failed { what, .. } => Some(what),
                    Attempt::Acknowledged { .. } => None,
                })
                .collect(),
        }
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.reader.abort();
        let pods = self.installation.pods();
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        let uid = pods.get(&self.name).await.unwrap().uid().unwrap();
        pods.delete(&self.name, &now).await.unwrap();
        wait::gone(&pods, &self.name, &uid, PATIENCE, |_| {}).await.unwrap();
    }

    fn last(&self) -> Vec<Attempt> {
        let attempts = self.attempts.borrow();
        let until = attempts.last().map_or(0.0, Attempt::at);
        attempts.iter().rev().take(5).filter(|attempt| until - attempt.at() < 10.0).cloned().collect()
    }
}

fn pod(name: &str, cluster: &str, uris: &[String]) -> Pod {
    let secret = format!("{cluster}-pguser-{cluster}");
    let uris: Vec<String> = uris
        .iter()
        .map(|uri| format!("{uri} user={cluster} dbname={cluster} password=$(PASSWORD)"))
        .collect();
    let key = |key: &str| json!({"secretKeyRef": {"name": secret, "key": key}});
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "writer",
                "image": "localhost/postgres:17",
                "command": ["python3", "-c", PROGRAM],
                "env": [
                    {"name": "PASSWORD", "valueFrom": key("password")},
                    {"name": "URIS", "value": uris.join("\n")},
                    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
                ],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "trusted", "mountPath": "/trusted"}],
            }],
            "volumes": [{"name": "trusted", "secret": {
                "secretName": format!("{cluster}-cluster-cert"),
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }}],
        },
    }))
    .unwrap()
}
