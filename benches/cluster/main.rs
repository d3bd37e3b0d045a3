//! `make bench`: how long installing and creating a cluster take, and what the operator needs, on a real cluster.
//!
//! Everything printed comes from one run. It makes namespaces of its own (`bench-…`), one after the other, and removes
//! each. What others have in the same cluster is left alone.

mod ansible;
mod create;
mod install;
mod process;
mod report;
mod sample;
mod site;

use std::{io::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::Parser as _;
use pgherd::k8s::client::{Connection, Target};

use self::{
    ansible::Ansible,
    report::{Installs, Report},
    site::Site,
};

/// How many namespaces for databases an installation has: the fewest, and those of a few teams.
const NAMESPACES: [usize; 2] = [1, 10];

/// What to measure, and how often.
#[derive(Debug, clap::Parser)]
#[command(name = "cluster")]
struct Args {
    /// Installations by pgherd, by kubectl and by Ansible each
    #[arg(long, default_value_t = 3)]
    installs: usize,
    /// Database clusters to create
    #[arg(long, default_value_t = 5)]
    creates: usize,
    /// Seconds that the operator is watched while its cluster is at rest
    #[arg(long, default_value_t = 60)]
    rest: u64,
    /// The operator's image, if it isn't the one of inventory/minimal.toml
    #[arg(long)]
    image: Option<String>,
    /// The program that installs, if it isn't the one that was built with the benchmark
    #[arg(long, default_value = env!("CARGO_BIN_EXE_pgherd"), hide_default_value = true)]
    program: PathBuf,
    /// The file for the results as JSON [default: bench.json beside the built programs]
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
    let file =
        args.json.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench.json"));
    fs_err::write(&file, serde_json::to_string_pretty(&report)? + "\n")?;
    say(&format!("\n{}\nAlso in {}\n", report.table(), file.display()));
    Ok(())
}

async fn measure(args: &Args) -> anyhow::Result<Report> {
    anyhow::ensure!(args.installs > 0 && args.creates > 0, "nothing can be learned from 0 runs");
    let connection = Connection::open(&Target::default(), None)
        .await
        .context("a cluster is needed: eval \"$(tests/cluster/cluster env)\", or set KUBECONFIG")?;
    let client = connection.client.clone();
    let definitions = install::Definitions::look(&client).await?;
    let mut report = Report::new(&connection.version, definitions.in_every_run());
    let ansible = Ansible::prepare()?;
    match &ansible {
        Ok(ready) => report.ansible.versions = Some(ready.versions.clone()),
        Err(reason) => {
            tell(&format!("Ansible is left out: {reason}"));
            report.ansible.left_out = Some(reason.clone());
        }
    }
    for namespaces in NAMESPACES {
        let mut measured = Installs { namespaces, ..Installs::default() };
        for run in 1..=args.installs {
            let told = |way: &str, seconds: f64| {
                tell(&format!(
                    "install {run} of {} with {namespaces} namespaces: {way} {seconds:.2} s",
                    args.installs
                ));
            };
            let site = |way: &str| {
                Site::new(&client, &format!("bench-{way}-{run}"), namespaces, args.image.as_deref())
            };
            let floor = site("floor")?;
            measured.objects = install::objects(&floor)?.len();
            let seconds = floor.used(install::by_kubectl(&floor)).await?;
            definitions.restore(&client).await?;
            told("kubectl", seconds);
            measured.kubectl.push(seconds);

            let own = site("own")?;
            let seconds = own.used(install::by_pgherd(&own, &args.program)).await?;
            definitions.restore(&client).await?;
            told("pgherd ", seconds);
            measured.pgherd.push(seconds);

            let Ok(ansible) = &ansible else { continue };
            let site = site("ansible")?;
            let seconds = site.used(ansible.install(&site)).await?;
            definitions.restore(&client).await?;
            told("Ansible", seconds);
            measured.ansible.push(seconds);
        }
        report.installs.push(measured);
    }
    let site = Site::new(&client, "bench-run", 1, args.image.as_deref())?;
    site.used(create_clusters(&site, args, &mut report)).await?;
    definitions.restore(&client).await?;
    Ok(report)
}

/// One installation, and clusters in it one after the other. With the first one the operator is watched from its start.
async fn create_clusters(site: &Site, args: &Args, report: &mut Report) -> anyhow::Result<()> {
    install::by_pgherd(site, &args.program).await?;
    let operator = process::find(site).await?;
    if operator.is_none() {
        tell("the operator runs on another machine: its memory and CPU can't be measured");
    }
    let sample = || operator.as_ref().map(process::Operator::sample).transpose();
    report.operator.started = sample()?;
    for run in 1..=args.creates {
        let name = format!("bench{run}");
        let phases = create::create(site, &name).await?;
        tell(&format!("create {run} of {}: {}", args.creates, phases.line()));
        report.create.push(phases);
        if run == 1 {
            report.operator.ready = sample()?;
            if operator.is_some() {
                tell(&format!("watching the operator at rest for {} s", args.rest));
                tokio::time::sleep(Duration::from_secs(args.rest)).await;
                report.operator.rested = sample()?;
                report.operator.rest_seconds = args.rest;
            }
        }
        create::delete(site, &name).await?;
    }
    report.operator.ended = sample()?;
    Ok(())
}

/// Says how it is going; the results go to standard output.
fn tell(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

fn say(text: &str) {
    write!(std::io::stdout().lock(), "{text}").ok();
}
