//! A plugin's own tests, natively.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
};

use crate::{Error, cargo::native};

/// Runs the tests of the crate in `crate_dir` through cargo, on this process's own outputs, and says how they ended.
///
/// They run natively, against the cluster of `tidegate_sdk::testing`: no compiler for WebAssembly is needed. `filters` are
/// cargo's: of several words a test's name contains one. Every test runs, also after one has failed.
///
/// # Errors
/// [`Error::Command`] if cargo could not be started.
///
/// ```no_run
/// # fn main() -> Result<(), tidegate_build::Error> {
/// let status = tidegate_build::test_plugin(std::path::Path::new("."), &["herd"])?;
/// assert!(status.success());
/// # Ok(()) }
/// ```
pub fn test_plugin(crate_dir: &Path, filters: &[&str]) -> Result<ExitStatus, Error> {
    let mut command = native(crate_dir, "test");
    command.args(["--no-fail-fast", "--"]).args(filters).stdin(Stdio::null());
    command.status().map_err(|error| Error::Command {
        command: "cargo test".to_owned(),
        outcome: format!("could not be started: {error}"),
        output: String::new(),
    })
}
