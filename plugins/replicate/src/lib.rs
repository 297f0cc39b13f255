//! Copies each complete checkpoint to object storage, soon but not all hosts at once.
//!
//! A checkpoint is asked for when it is complete. What was missed (the bot was not there yet, the target was down for
//! days) is asked for when the bot or the host starts, and when a copy of the same run has arrived: then the target works
//! again. A copy that was found damaged is asked for anew.

use std::time::Duration;

use tidegate_sdk::prelude::*;

/// See `README.md`.
pub struct Replicate;

/// What the operator may set.
#[settings]
#[derive(Debug)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The object target.
    pub target: String,
    /// A host waits from zero to so many seconds; how long is fixed for a host and a checkpoint.
    #[schemars(range(min = 0, max = 3600))]
    pub jitter_seconds: f64,
    /// 0 (last) to 9 (first).
    #[schemars(range(max = 9))]
    pub priority: u8,
    /// How many of a run's newest checkpoints are looked at for missing copies.
    pub catch_up: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { target: "default".into(), jitter_seconds: 2.0, priority: 5, catch_up: 32 }
    }
}

/// Runs that are looked at when the bot starts.
const RUNS: usize = 64;

impl Bot for Replicate {
    type Settings = Settings;

    fn configure(settings: &Settings) -> Result<(), String> {
        if !(0.0..=3600.0).contains(&settings.jitter_seconds) {
            return Err(format!("`jitter_seconds` is 0 to 3600, not {}", settings.jitter_seconds));
        }
        if settings.priority > 9 {
            return Err(format!("`priority` is 0 to 9, not {}", settings.priority));
        }
        Ok(())
    }

    fn handle(event: &Event, settings: &Settings) -> Result<(), Error> {
        match &event.what {
            Occurrence::CheckpointComplete(it) => {
                ask(event, settings, &it.run, it.step, "every rank has committed")?;
            }
            Occurrence::CheckpointReplicated(it) => catch_up(event, settings, &it.run)?,
            // A copy on the target that was found damaged is mended from the one that is left.
            Occurrence::ShardCorrupt(it) if it.tier == Tier::Object => catch_up(event, settings, &it.run)?,
            Occurrence::Started => {
                for run in checkpoints::runs(RUNS)? {
                    catch_up(event, settings, &run)?;
                }
            }
            Occurrence::JobFinished(job) if !job.ok => {
                log::error(format_args!("no copy of {} step {}: {}", job.run, job.step, job.detail));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Asks for the copies that a run misses, newest first.
fn catch_up(event: &Event, settings: &Settings, run: &str) -> Result<(), Error> {
    for it in checkpoints::newest(run, settings.catch_up)? {
        let missing = it.complete && it.is_present(Tier::Nvme) && !it.is_verified(Tier::Object);
        if missing && !ask(event, settings, run, it.step, "complete, and not on the target yet")? {
            break;
        }
    }
    Ok(())
}

/// Asks for one copy. False if no more should be asked for now.
fn ask(event: &Event, settings: &Settings, run: &str, step: u64, reason: &str) -> Result<bool, Error> {
    let most = Duration::from_secs_f64(settings.jitter_seconds);
    let asked = replication::replicate(&Request {
        not_before: after(event.time, jitter(&event.host, &format!("{run}/{step}"), most)),
        priority: settings.priority,
        ..Request::new(run, step, &settings.target, reason)
    });
    match asked {
        Ok(_) | Err(Refusal::Unnecessary(_)) => Ok(true),
        // A later event asks again.
        Err(refusal) if refusal.may_pass() => {
            log::warn(format_args!("no copy of {run} step {step} yet: {}", refusal.message()));
            Ok(!matches!(refusal, Refusal::OverQuota(_)))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

tidegate_sdk::export!(Replicate);

#[cfg(test)]
mod tests;
