//! `make bench-scale`: what many clusters cost the operator and the API server.
//!
//! The API server, its controllers and the operator are real. Nodes, pods, volumes and databases aren't: kwok plays a node,
//! and the benchmark writes what Patroni and a provisioner would. So hundreds of clusters fit on one machine, and what is
//! measured is the operator's part.

mod count;
mod node;
mod operator;
mod patroni;
mod report;
#[path = "../cluster/sample.rs"]
mod sample;
mod site;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Parser as _;
use kube::{Api, Client};
use pgherd::{
    api::postgres_cluster::PostgresCluster,
    k8s::client::{Connection, Target},
};

use self::{
    count::Proxy,
    node::FakeNode,
    operator::Operator,
    patroni::Leaders,
    report::{Report, Size},
    site::Site,
};

/// How long nothing but watches may come before the operator counts as being done.
const QUIET: Duration = Duration::from_secs(20);

/// What to measure.
#[derive(Debug, clap::Parser)]
#[command(name = "scale")]
struct Args {
    /// Numbers of clusters, from few to many
    #[arg(long, env = "CLUSTERS", value_delimiter = ',', default_values_t = [10, 100, 500])]
    clusters: Vec<usize>,
    /// Seconds that the operator is watched at rest
    #[arg(long, default_value_t = 120)]
    rest: u64,
    /// Longest time that so many clusters may take to be ready or gone, in seconds
    #[arg(long, default_value_t = 1200)]
    patience: u64,
    /// The operator's program, if it isn't the one that was built with the benchmark
    #[arg(long)]
    program: Option<PathBuf>,
    /// The file for the results as JSON [default: bench-scale.json beside the built programs]
    #[arg(long)]
    json: Option<PathBuf>,
    /// Cargo says that this is a benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(measure(&args))?;
    let file = args
        .json
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-scale.json"));
    fs_err::write(&file, serde_json::to_string_pretty(&report)? + "\n")?;
    write!(std::io::stdout().lock(), "\n{}\nAlso in {}\n", report.table(), file.display())?;
    Ok(())
}

async fn measure(args: &Args) -> anyhow::Result<Report> {
    anyhow::ensure!(
        !args.clusters.contains(&0) && args.rest > 0,
        "nothing can be learned from 0 clusters or seconds"
    );
    let kubeconfig = std::env::var_os("KUBECONFIG").map(PathBuf::from);
    let kubeconfig = kubeconfig.context("a cluster is needed: eval \"$(tests/cluster/cluster env)\"")?;
    let kwok = node::build()?;
    let connection = Connection::open(&Target::default(), None).await?;
    let client = connection.client.clone();
    let mut report = Report::new(&connection.version);
    let site = Site::make(&client).await?;
    let node = FakeNode::start(&client, &kwok, &kubeconfig).await?;
    let measured = async {
        for &count in &args.clusters {
            report.sizes.push(size(args, &site, count).await?);
        }
        anyhow::Ok(())
    };
    let outcome = measured.await;
    let stopped = node.stop().await;
    let cleared = site.clear().await;
    outcome.and(stopped).and(cleared)?;
    Ok(report)
}

/// One number of clusters, in a namespace of its own with an operator of its own.
async fn size(args: &Args, site: &Site, count: usize) -> anyhow::Result<Size> {
    let namespace = format!("bench-scale-{count}");
    site.namespace(&namespace).await?;
    let leaders = Leaders::new(&site.client, &namespace);
    let outcome = tokio::select! {
        outcome = observed(args, &site.client, &namespace, count) => outcome,
        // These three end only when something goes wrong.
        Err(error) = site::provision(site.client.clone(), namespace.clone()) => Err(error.context("the provisioner's stand-in")),
        Err(error) = std::sync::Arc::clone(&leaders).bootstrap() => Err(error.context("Patroni's stand-in, at the start")),
        Err(error) = leaders.go_on() => Err(error.context("Patroni's stand-in")),
    };
    let removed = site.remove_namespace(&namespace).await;
    let volumes = site.remove_volumes().await;
    let measured = outcome?;
    removed.and(volumes)?;
    Ok(measured)
}

async fn observed(args: &Args, client: &Client, namespace: &str, count: usize) -> anyhow::Result<Size> {
    let patience = Duration::from_secs(args.patience);
    let program = args.program.as_deref().unwrap_or_else(|| Path::new(env!("CARGO_BIN_EXE_pgherd")));
    let clusters: Api<PostgresCluster> = Api::namespaced(client.clone(), namespace);
    let proxy = Proxy::start(client.clone()).await?;
    let mut operator = Operator::start(program, proxy.kubeconfig(), namespace)?;
    proxy.quiet(Duration::from_secs(5)).await;
    let mut size = Size { clusters: count, started: operator.sample()?, ..Size::default() };
    proxy.take();

    let begun = Instant::now();
    let (described, ready) =
        tokio::join!(site::describe(&clusters, count), site::all_ready(&clusters, count, patience));
    described?;
    ready?;
    size.ready_seconds = begun.elapsed().as_secs_f64();
    tell(&format!("{count} clusters: ready after {:.1} s", size.ready_seconds));
    tokio::time::timeout(patience, proxy.quiet(QUIET))
        .await
        .with_context(|| format!("the operator doesn't come to rest; its requests: {:?}", proxy.take()))?;
    size.settled = operator.sample()?;
    size.requests = proxy.take();

    tell(&format!("{count} clusters: watching the operator at rest for {} s", args.rest));
    let rest = Instant::now();
    tokio::time::sleep(Duration::from_secs(args.rest)).await;
    size.requests_at_rest = proxy.take();
    size.rest_seconds = rest.elapsed().as_secs_f64();
    size.rested = operator.sample()?;

    let begun = Instant::now();
    site::delete_all(&clusters, patience).await?;
    size.deleted_seconds = begun.elapsed().as_secs_f64();
    tell(&format!("{count} clusters: deleted after {:.1} s", size.deleted_seconds));
    Ok(size)
}

/// Says how it is going; the results go to standard output.
fn tell(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
