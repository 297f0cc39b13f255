//! Decides which checkpoints stay on a tier, and asks to prune the others, with the rules that did not hold as the
//! reason. What stays and why is one pure function, [`decide`]; this file asks the host and listens to it.

mod decide;
mod settings;

pub use decide::{Verdict, decide};
pub use settings::{KeepBest, Mode, Settings};
use tidegate_sdk::prelude::*;

/// See `README.md`.
pub struct Prune;

/// Checkpoints of one run that are looked at, newest first.
const CHECKPOINTS: usize = 2048;
/// Runs that are looked at when the bot starts or its settings change.
const RUNS: usize = 64;

impl Bot for Prune {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn handle(event: &Event, settings: &Settings) -> Result<(), Error> {
        match &event.what {
            Occurrence::CheckpointComplete(it) | Occurrence::CheckpointSealed(it) => tidy(settings, &it.run),
            Occurrence::CheckpointReplicated(it) => tidy(settings, &it.run),
            Occurrence::Started => checkpoints::runs(RUNS)?.iter().try_for_each(|run| tidy(settings, run)),
            Occurrence::JobFinished(job) if !job.ok => {
                log::warn(format_args!("{} step {} was not pruned: {}", job.run, job.step, job.detail));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Asks to prune what need not stay, oldest first.
fn tidy(settings: &Settings, run: &str) -> Result<(), Error> {
    let known = checkpoints::newest(run, CHECKPOINTS)?;
    if known.len() == CHECKPOINTS {
        log::warn(format_args!("{run} has more than {CHECKPOINTS} checkpoints; older ones are not looked at"));
    }
    for tier in &settings.tiers {
        for (it, verdict) in decide(&known, *tier, settings).into_iter().rev() {
            let Verdict::Prune(reason) = verdict else { continue };
            match checkpoints::prune(run, it.step, *tier, &reason) {
                Ok(_) | Err(Refusal::Unnecessary(_)) => {}
                Err(refusal) if refusal.may_pass() => {
                    // A later event asks again.
                    log::info(format_args!("{run} step {} stays on {tier}: {}", it.step, refusal.message()));
                    if matches!(refusal, Refusal::OverQuota(_)) {
                        return Ok(());
                    }
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }
    Ok(())
}

tidegate_sdk::export!(Prune);

#[cfg(test)]
mod tests;
