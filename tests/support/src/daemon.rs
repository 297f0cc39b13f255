//! Servers of a test's own: started on free ports, waited for, killed when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{ports, proc, wait};

/// How long a start may take; usually it takes a few seconds.
const START: Duration = Duration::from_secs(60);
/// How often other ports are tried when someone else took one.
const ATTEMPTS: usize = 3;

/// A running process with its log.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: proc::Guard,
    log: PathBuf,
}

impl Daemon {
    /// Starts the command (of [`proc::command`]) with its output at `log`.
    pub(crate) fn spawn(mut command: Command, log: PathBuf) -> Result<Self> {
        proc::log_to(&mut command, &log)?;
        Ok(Self { process: proc::Guard::spawn(command)?, log })
    }

    /// Waits until `ready` says so; an error, with the end of the log, if the process ends before.
    pub(crate) fn wait(&mut self, what: &str, ready: impl Fn() -> bool) -> Result<()> {
        let waited = wait::until(what, START, || {
            if let Some(status) = self.process.try_wait()? {
                bail!("it ended with {status}");
            }
            Ok(ready().then_some(()))
        });
        waited.with_context(|| format!("start {what}: {}", tail(&self.log)))
    }
}

/// Tries to start something on free ports, again with others when someone else took one.
pub(crate) fn on_free_ports<T, const N: usize>(mut start: impl FnMut([u16; N]) -> Result<T>) -> Result<T> {
    for _ in 1..ATTEMPTS {
        if let Ok(started) = start(ports::free()?) {
            return Ok(started);
        }
    }
    start(ports::free()?)
}

fn tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
