//! `examples/train-gpt/train.py` as a child process.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitStatus},
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use super::{Plan, Say, plan::workspace};
use crate::{proc, venv::train_venv, wait};

/// How long a training may take: a slow machine is no failure, one that stands still is.
const PATIENCE: Duration = Duration::from_secs(1800);

/// One rank, or the uninterrupted run.
#[derive(Debug)]
pub(super) struct Trainer {
    name: String,
    process: proc::Guard,
    log: PathBuf,
}

impl Trainer {
    /// Starts one whose files are `<name>.loss`, `<name>.stall` and `<name>.log`; each is appended to.
    pub(super) fn start(plan: &Plan, name: &str, more: impl FnOnce(&mut Command)) -> Result<Self> {
        let root = workspace();
        let mut command = proc::command(train_venv()?.python());
        command.arg(root.join("examples/train-gpt/train.py")).args(["--model", plan.model.name()]);
        command.args(["--steps", &plan.steps.to_string(), "--seed", &plan.seed.to_string()]);
        command.arg("--loss-log").arg(plan.file(&format!("{name}.loss")));
        command.arg("--stall-log").arg(plan.file(&format!("{name}.stall")));
        command.env("PYTHONPATH", root.join("sdk/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
        more(&mut command);
        let log = plan.file(&format!("{name}.log"));
        proc::log_to(&mut command, &log)?;
        Ok(Self { name: name.to_owned(), process: proc::Guard::spawn(command)?, log })
    }

    /// What it said last.
    pub(super) fn last_line(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().next_back().unwrap_or_default().to_owned()
    }

    /// How it ended, or nothing while it runs.
    pub(super) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// SIGKILL, as a launcher does to the ranks that are left when one has died.
    pub(super) fn kill9(&mut self) -> Result<()> {
        self.process.kill9().map(drop)
    }

    /// The end of its output, for an error.
    pub(super) fn tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }

    /// An error unless it ended well.
    pub(super) fn check(&self, status: ExitStatus) -> Result<()> {
        ensure!(status.success(), "the trainer {} ended with {status}:\n{}", self.name, self.tail());
        Ok(())
    }

    /// An error unless it was killed with SIGKILL.
    pub(super) fn check_killed(&self, status: ExitStatus) -> Result<()> {
        ensure!(status.signal() == Some(9), "the trainer {} ended with {status}:\n{}", self.name, self.tail());
        Ok(())
    }
}

/// Waits until all have ended well, and says what they say.
pub(super) fn wait_for(trainers: &mut [Trainer], say: Say<'_>) -> Result<()> {
    let mut said = String::new();
    wait::until("the trainers to end", PATIENCE, || {
        let mut running = false;
        for trainer in &mut *trainers {
            match trainer.try_wait()? {
                Some(status) => trainer.check(status)?,
                None => running = true,
            }
        }
        tell(trainers, &mut said, say);
        Ok((!running).then_some(()))
    })
}

/// Waits until `done` says so while the trainers run; one that ends early is an error unless `done` knows why.
pub(super) fn wait_until(
    what: &str,
    trainers: &mut [Trainer],
    say: Say<'_>,
    mut done: impl FnMut(&mut [Trainer]) -> Result<bool>,
) -> Result<()> {
    let mut said = String::new();
    wait::until(what, PATIENCE, || {
        tell(trainers, &mut said, say);
        Ok(done(trainers)?.then_some(()))
    })
    .or_else(|error| {
        let tails: Vec<_> = trainers.iter().map(Trainer::tail).collect();
        bail!("{error:#}; the trainers said:\n{}", tails.join("\n"))
    })
}

/// Says the last lines when they have changed.
fn tell(trainers: &[Trainer], said: &mut String, say: Say<'_>) {
    let lines: Vec<_> = trainers.iter().map(Trainer::last_line).collect();
    let line = lines.join("   ");
    if line != *said && !line.trim().is_empty() {
        say(&line);
        *said = line;
    }
}
