//! What Tidegate costs, beside what it is compared with, measured in one run on one machine: the two take turns, are
//! repeated, and are given as medians with their spread. `cargo xtask bench` builds what this needs and runs it.
//!
//! It is **not** a test: it fails only when something can't be measured. Run it on a quiet machine.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod cap;
mod cold;
mod commit;
mod disk;
mod durable;
mod figure;
mod object;
mod replicate;
mod sandbox;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;

use figure::Figure;

/// Measure Tidegate.
#[derive(Debug, Parser)]
#[command(name = "tidegate-bench")]
struct Args {
    /// Measure only what begins with this name
    area: Option<String>,
    /// Print a JSON object a line instead of a table
    #[arg(long)]
    json: bool,
    /// Repeat so many times, where that is more than the least that makes sense
    #[arg(long)]
    rounds: Option<usize>,
    /// The `tidegate` binary, a release build
    #[arg(long, value_name = "FILE")]
    host: PathBuf,
    /// The directory of the first-party components
    #[arg(long, value_name = "DIR")]
    plugins: PathBuf,
    /// The component of `tests/bench/bot`
    #[arg(long, value_name = "FILE")]
    bot: PathBuf,
    /// The example `figures` of `host/sandbox`, a release build
    #[arg(long, value_name = "FILE")]
    cold: PathBuf,
    /// Where to write; its file system is what is measured
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// An area: its name, and what measures it.
type Area = (&'static str, fn(&Args) -> Result<Vec<Figure>>);

const AREAS: &[Area] = &[
    ("cold_event", cold::measure),
    ("sandbox", sandbox::measure),
    ("durable_events", durable::measure),
    ("commit_overhead_64MiB", |args| commit::measure(args, &commit::SMALL)),
    ("commit_overhead_1GiB", |args| commit::measure(args, &commit::MIDDLE)),
    ("commit_overhead_4GiB", |args| commit::measure(args, &commit::LARGE)),
    ("object", object::measure),
    ("replicate_raw", replicate::measure),
    ("cap_accuracy", cap::measure),
];

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let wanted = |name: &str| args.area.as_ref().is_none_or(|area| name.starts_with(area.as_str()));
    let areas: Vec<&Area> = AREAS.iter().filter(|(name, _)| wanted(name)).collect();
    if areas.is_empty() {
        let names: Vec<_> = AREAS.iter().map(|(name, _)| *name).collect();
        anyhow::bail!(
            "no area begins with {:?}; there are {}",
            args.area.as_deref().unwrap_or_default(),
            names.join(", ")
        );
    }
    let mut figures = Vec::new();
    for (nth, (name, measure)) in areas.iter().enumerate() {
        eprintln!("{}/{} {name} ...", nth + 1, areas.len());
        for figure in measure(args)? {
            if args.json {
                println!("{}", figure.json());
            }
            figures.push(figure);
        }
    }
    if !args.json {
        print!("{}", figure::table(&figures));
    }
    Ok(())
}
