//! The host's functions, answered by this thread's cluster. Signatures are those of the generated bindings.

/// `checkpoints.wit`.
pub(crate) mod checkpoints {
    use crate::{
        Checkpoint, Refusal, Tier,
        bindings::tidegate::bot::checkpoints::{Page, Verdict},
        testing::{Effect, bounds, world::with},
    };

    pub(crate) fn runs(after: Option<&str>) -> Result<Vec<String>, Refusal> {
        after.map_or(Ok(()), bounds::name)?;
        with(|world| {
            let mut runs: Vec<String> = world.checkpoints.keys().map(|(run, _)| run.clone()).collect();
            runs.dedup();
            runs.retain(|run| after.is_none_or(|after| run.as_str() > after));
            runs.truncate(bounds::PAGE);
            Ok(runs)
        })
    }

    pub(crate) fn list_checkpoints(run: &str, before: Option<u64>, limit: u32) -> Result<Page, Refusal> {
        bounds::name(run)?;
        bounds::count("a limit", limit as usize)?;
        before.map_or(Ok(()), bounds::step)?;
        with(|world| {
            let (first, end) = ((run.to_owned(), 0), (run.to_owned(), before.unwrap_or(u64::MAX)));
            let mut found = world.checkpoints.range(first..end).rev().map(|(_, checkpoint)| checkpoint);
            let items: Vec<Checkpoint> = found.by_ref().take(limit as usize).cloned().collect();
            let next = found.next().and(items.last()).map(|last| last.step);
            Ok(Page { items, next })
        })
    }

    pub(crate) fn get_checkpoint(run: &str, step: u64) -> Result<Option<Checkpoint>, Refusal> {
        bounds::name(run)?;
        bounds::step(step)?;
        with(|world| Ok(world.checkpoints.get(&(run.to_owned(), step)).cloned()))
    }

    pub(crate) fn plan_prune(run: &str, steps: &[u64], tier: Tier) -> Result<Vec<Verdict>, Refusal> {
        bounds::name(run)?;
        bounds::count("the number of a plan's steps", steps.len())?;
        steps.iter().try_for_each(|step| bounds::step(*step))?;
        with(|world| {
            let judge = |step: &u64| {
                let (run, step, reason) = (run.to_owned(), *step, "a plan".to_owned());
                match world.admit(&Effect::Prune { run, step, tier, reason }) {
                    Ok(()) => Verdict { step, allowed: true, because: "no rule stands against it".into() },
                    Err(refusal) => Verdict { step, allowed: false, because: refusal.to_string() },
                }
            };
            Ok(steps.iter().map(judge).collect())
        })
    }

    pub(crate) fn pin(run: &str, step: u64, reason: &str) -> Result<String, Refusal> {
        with(|world| world.ask(Effect::Pin { run: run.to_owned(), step, reason: reason.to_owned() }))
    }

    pub(crate) fn unpin(run: &str, step: u64, reason: &str) -> Result<String, Refusal> {
        with(|world| world.ask(Effect::Unpin { run: run.to_owned(), step, reason: reason.to_owned() }))
    }

    pub(crate) fn prune(run: &str, step: u64, tier: Tier, reason: &str) -> Result<String, Refusal> {
        with(|world| world.ask(Effect::Prune { run: run.to_owned(), step, tier, reason: reason.to_owned() }))
    }
}

/// `replication.wit`.
pub(crate) mod replication {
    use crate::{
        Refusal,
        replication::{JobState, Request},
        testing::{Effect, bounds, world::with},
    };

    pub(crate) fn replicate(request: &Request) -> Result<String, Refusal> {
        with(|world| world.ask(Effect::Replicate(request.clone())))
    }

    pub(crate) fn status(effect: &str) -> Result<Option<JobState>, Refusal> {
        bounds::id(effect)?;
        with(|world| Ok(world.jobs.get(effect).copied()))
    }

    pub(crate) fn cancel(effect: &str, reason: &str) -> Result<(), Refusal> {
        with(|world| world.call_off(effect, reason))
    }
}

/// `metrics.wit`.
pub(crate) mod metrics {
    use crate::{Refusal, testing::world::with};

    fn change(name: &str, good: bool, change: impl FnOnce(&mut f64)) -> Result<(), Refusal> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        let named = name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64;
        if !named || !good {
            return Err(Refusal::Invalid(format!("the name or value of metric {name:?} is out of its bounds")));
        }
        with(|world| {
            if world.metrics.len() >= 32 && !world.metrics.contains_key(name) {
                return Err(Refusal::OverQuota("a bot has at most 32 metrics".into()));
            }
            change(world.metrics.entry(name.to_owned()).or_default());
            Ok(())
        })
    }

    pub(crate) fn set(name: &str, value: f64) -> Result<(), Refusal> {
        change(name, value.is_finite(), |number| *number = value)
    }

    pub(crate) fn add(name: &str, by: f64) -> Result<(), Refusal> {
        change(name, by.is_finite() && by >= 0.0, |number| *number += by)
    }
}

/// `state.wit`.
pub(crate) mod state {
    use crate::{
        Refusal,
        testing::{bounds, world::with},
    };

    pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        bounds::key(key)?;
        with(|world| Ok(world.state.get(key).cloned()))
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
        bounds::key(key)?;
        if value.len() > 65_536 {
            return Err(Refusal::Invalid("a value has at most 65536 bytes".into()));
        }
        with(|world| world.set_state(key, value))
    }

    pub(crate) fn delete(key: &str) -> Result<(), Refusal> {
        bounds::key(key)?;
        with(|world| world.state.remove(key));
        Ok(())
    }

    pub(crate) fn keys(prefix: &str, after: Option<&str>) -> Result<Vec<String>, Refusal> {
        after.map_or(Ok(()), bounds::prefix)?;
        bounds::prefix(prefix)?;
        let fits = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        with(|world| Ok(world.state.keys().filter(|key| fits(key)).take(bounds::PAGE).cloned().collect()))
    }
}

/// `clock.wit`.
pub(crate) mod clock {
    use crate::testing::world::with;

    pub(crate) fn now() -> u64 {
        with(|world| world.now)
    }
}

/// `log.wit`.
pub(crate) mod log {
    use crate::{log::Level, testing::world::with};

    pub(crate) fn line(level: Level, message: &str) {
        with(|world| world.lines.push((level, message.to_owned())));
    }
}

/// `schedule.wit`.
pub(crate) mod schedule {
    use crate::{Refusal, testing::world::with};

    pub(crate) fn wake_at(time: u64, key: &str, reason: &str) -> Result<(), Refusal> {
        with(|world| world.wake_at(time, key, reason))
    }

    pub(crate) fn cancel(key: &str) -> Result<(), Refusal> {
        with(|world| world.cancel_wake(key))
    }
}

/// `random.wit`: another stream than a host's, and as repeatable.
pub(crate) mod random {
    use crate::{Refusal, jitter::mixed, testing::world::with};

    pub(crate) fn next_u64() -> Result<u64, Refusal> {
        Ok(with(|world| {
            world.drawn += 1;
            mixed(world.salt ^ world.seq.rotate_left(32) ^ world.drawn)
        }))
    }

    pub(crate) fn next_bytes(count: u32) -> Result<Vec<u8>, Refusal> {
        if !(1..=4096).contains(&count) {
            return Err(Refusal::Invalid(format!("1 to 4096 bytes are drawn, not {count}")));
        }
        let mut bytes = Vec::new();
        while bytes.len() < count as usize {
            bytes.extend(next_u64()?.to_le_bytes());
        }
        bytes.truncate(count as usize);
        Ok(bytes)
    }
}
