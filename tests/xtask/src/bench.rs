//! `cargo xtask bench`: what the host costs, measured beside what it is compared with.

use std::process::ExitCode;

use anyhow::{Result, bail};

/// What to measure and how to print it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure only what begins with this name
    area: Option<String>,
    /// Print one JSON object of name and figure instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let Args { area, json } = args;
    bail!("there is nothing to measure yet (area {area:?}, json {json})")
}
