use std::path::PathBuf;

use crate::{command::input, exit::Failure};

/// Test a plugin: its crate's own tests, natively, with cargo's output
///
/// They run against the made-up cluster of `tidegate_sdk::testing`, whose clock is virtual: no host and no compiler for
/// WebAssembly is needed. A scenario prints the seed that it ran with.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The crate's directory
    #[arg(default_value = ".")]
    crate_dir: PathBuf,
    /// Only tests whose names contain one of these
    #[arg(last = true)]
    names: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let dir = input::directory(&args.crate_dir)?;
    let package = tidegate_build::package_in(&dir).map_err(anyhow::Error::from)?;
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    let status = tidegate_build::test_plugin(&dir, &names).map_err(anyhow::Error::from)?;
    if status.success() { Ok(()) } else { Err(anyhow::anyhow!("the tests of {package} did not pass").into()) }
}
