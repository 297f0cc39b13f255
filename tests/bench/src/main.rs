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
mod peers;
mod sandbox;
mod state;
mod transfer;
mod usage;
mod writer;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Parser;

use figure::Figure;

/// Measure Tidegate.
#[derive(Debug, Parser)]
#[command(name = "tidegate-bench")]
struct Args {
    /// Measure only what has this name, or else what begins with it
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

/// What is measured together.
struct Area {
    /// The name by which it is asked for with others.
    group: &'static str,
    name: String,
    measure: Box<Measure>,
}

/// What gives the figures of an area.
type Measure = dyn Fn(&Args) -> Result<Vec<Figure>>;

fn areas() -> Vec<Area> {
    fn area(
        group: &'static str,
        name: impl Into<String>,
        measure: impl Fn(&Args) -> Result<Vec<Figure>> + 'static,
    ) -> Area {
        Area { group, name: name.into(), measure: Box::new(measure) }
    }
    let mut areas = vec![
        area("cold_event", "cold_event", cold::measure),
        area("sandbox", "sandbox", sandbox::measure),
        area("durable_events", "durable_events", durable::measure),
        area("commit", "commit_overhead_64MiB", |args| commit::measure(args, &commit::SMALL)),
        area("commit", "commit_overhead_1GiB", |args| commit::measure(args, &commit::MIDDLE)),
        area("commit", "commit_overhead_4GiB", |args| commit::measure(args, &commit::LARGE)),
        area("object", "ratio", object::measure),
        area("object", "fast_writer", writer::measure),
        area("object", "cap_accuracy", cap::measure),
    ];
    for load in transfer::LOADS {
        for (verb, measure) in transfer::VERBS {
            let name = format!("{verb}_{}", load.name);
            areas.push(area("object", name.clone(), move |args| measure(args, &name, load)));
        }
    }
    areas
}

/// Those that begin with a name, or of a group; only the one that has exactly this name, if there is one.
fn wanted(areas: Vec<Area>, asked: &str) -> Vec<Area> {
    let exact = areas.iter().any(|area| area.name == asked);
    let fits = |area: &Area| match exact {
        true => area.name == asked,
        false => area.group == asked || area.name.starts_with(asked),
    };
    areas.into_iter().filter(fits).collect()
}

fn main() -> ExitCode {
    match run(&mut Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &mut Args) -> Result<()> {
    // Servers and tools that are started elsewhere are told of it too.
    args.dir = std::path::absolute(&args.dir)?;
    args.host = std::path::absolute(&args.host)?;
    let names: Vec<_> = areas().into_iter().map(|area| area.name).collect();
    let areas = args.area.as_ref().map_or_else(areas, |asked| wanted(areas(), asked));
    if areas.is_empty() {
        let asked = args.area.as_deref().unwrap_or_default();
        anyhow::bail!("no area begins with {asked:?}; there are object, {}", names.join(", "));
    }
    let mut figures = Vec::new();
    for (nth, area) in areas.iter().enumerate() {
        eprintln!("{}/{} {} ...", nth + 1, areas.len(), area.name);
        for figure in (area.measure)(args)? {
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
