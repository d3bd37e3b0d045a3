//! `cargo bench --bench inventory`: how long checking an inventory takes, as a function and as a whole process. Needs no
//! cluster.
//!
//! It ends with failure when an inventory of 2,000 lines takes longer than its goal.

#![expect(clippy::expect_used, reason = "a measurement that can't go on fails by panicking")]

use std::{
    io::Write as _,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use divan::{Bencher, counter::BytesCount};
use pgherd::inventory::{Checked, Report};

const MINIMAL: &str = include_str!("../inventory/minimal.toml");

/// The lines that the goal is about.
const LINES: usize = 2_000;

/// How long checking them may take.
const GOAL: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    divan::main();
    // What Cargo's tests and `--list` do is no measurement.
    if std::env::args().any(|argument| ["--test", "--list"].contains(&argument.as_str())) {
        return ExitCode::SUCCESS;
    }
    let median = median();
    let (word, code) = if median < GOAL { ("met", ExitCode::SUCCESS) } else { ("MISSED", ExitCode::FAILURE) };
    let result =
        format!("check of {LINES} lines: {:.1} ms, below {GOAL:?}: {word}\n", median.as_secs_f64() * 1e3);
    std::io::stdout().write_all(result.as_bytes()).ok();
    code
}

fn median() -> Duration {
    let text = inventory(LINES, "Gi");
    let mut times: Vec<Duration> = (0..25)
        .map(|_| {
            let started = Instant::now();
            divan::black_box(checked(&text)).expect("the generated inventory is right");
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn checked(text: &str) -> Result<Checked, Report> {
    Checked::parse("pgherd.toml", text, &[], None)
}

/// An inventory of so many lines: the minimal one, and storages and resources in turns. Sizes of storages have this unit.
fn inventory(lines: usize, unit: &str) -> String {
    let mut text = MINIMAL.trim_end().to_owned() + "\n";
    let mut number = 1;
    let mut left = lines.saturating_sub(text.lines().count());
    loop {
        number += 1;
        let more = format!(
            "\n# Number {number}, for a team of its own\n[storage{number}]\nname = \"storage-{number}\"\n\
             class = \"fast\"\naccess_mode = \"ReadWriteOnce\"\nsize = \"{number}{unit}\"\n\
             supplemental_groups = [{number}, 65534]\n\n[resource{number}]\nname = \"resource-{number}\"\n\
             requests_cpu = \"{number}m\"\nrequests_memory = \"1Gi\"\nlimits_memory = \"{number}Gi\"\n",
        );
        let Some(rest) = left.checked_sub(more.lines().count()) else { break };
        left = rest;
        text.push_str(&more);
    }
    text + &"# the end\n".repeat(left)
}

/// From the text to the checked inventory.
#[divan::bench(args = [200, LINES, 20_000], max_time = 5)]
fn check(bencher: Bencher<'_, '_>, lines: usize) {
    let text = inventory(lines, "Gi");
    checked(&text).expect("the generated inventory is right");
    bencher.counter(BytesCount::of_str(&text)).bench(|| checked(&text));
}

/// The same with a mistake in every storage, and the report on them.
#[divan::bench(args = [LINES], max_time = 5)]
fn report_on_mistakes(bencher: Bencher<'_, '_>, lines: usize) {
    let text = inventory(lines, "Gb");
    bencher.bench(|| checked(&text).expect_err("sizes are wrong").render(false));
}

/// The whole process `pgherd inventory check FILE`.
#[divan::bench(args = [40, LINES], max_time = 5)]
fn process(bencher: Bencher<'_, '_>, lines: usize) {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let file = folder.path().join("pgherd.toml");
    fs_err::write(&file, inventory(lines, "Gi")).expect("there is room for a file");
    bencher.bench(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgherd"));
        let output = command.args(["inventory", "check"]).arg(&file).output().expect("the program runs");
        assert!(output.status.success(), "{output:?}");
    });
}
