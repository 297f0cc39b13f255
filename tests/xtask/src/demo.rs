//! `cargo xtask demo`: the main job on a real model, with the figures it gave.

use std::process::ExitCode;

use anyhow::{Result, bail};

/// How to run the demonstration.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs it from set-up to table.
pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    bail!("the demonstration is not here yet")
}
