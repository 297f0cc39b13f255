//! What the cluster of a thread knows, and the rules that it keeps.

use std::{cell::RefCell, collections::BTreeMap};

use super::{Effect, guard::Guard};
use crate::{
    Checkpoint, Refusal, Tier,
    log::Level,
    replication::{JobState, Request},
};

pub(super) type Rule = Box<dyn FnMut(&Effect) -> Option<Refusal>>;

/// The cluster of a thread.
#[derive(Default)]
pub(crate) struct World {
    pub(super) checkpoints: BTreeMap<(String, u64), Checkpoint>,
    pub(super) state: BTreeMap<String, Vec<u8>>,
    pub(super) wakes: BTreeMap<String, u64>,
    pub(super) metrics: BTreeMap<String, f64>,
    /// How far each accepted effect is, by its id.
    pub(super) jobs: BTreeMap<String, JobState>,
    pub(super) drawn: u64,
    pub(super) lines: Vec<(Level, String)>,
    pub(super) effects: Vec<Effect>,
    pub(super) rules: Vec<Rule>,
    pub(super) host: String,
    pub(super) now: u64,
    pub(super) seq: u64,
    /// Which of a host's bots is at work: in a scenario there may be several.
    pub(super) bot: u64,
    /// What makes the chance of one host differ from another's.
    pub(super) salt: u64,
    /// The guard of a scenario's host; a cluster made up by hand has the rules of its test.
    pub(super) guard: Option<Guard>,
    pub(super) refused: Vec<(Effect, Refusal)>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Looks at or changes this thread's cluster.
pub(crate) fn with<T>(f: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(f)
}

impl World {
    /// Takes an effect in, or says why not.
    pub(super) fn ask(&mut self, effect: Effect) -> Result<String, Refusal> {
        if let Err(refusal) = self.admit(&effect) {
            self.refused.push((effect, refusal.clone()));
            return Err(refusal);
        }
        // Pins hold with the handler's commit: there is no job of them.
        let job = !matches!(effect, Effect::Pin { .. } | Effect::Unpin { .. });
        self.effects.push(effect);
        let id = self.id(self.effects.len());
        if job {
            self.jobs.insert(id.clone(), JobState::Open);
        }
        Ok(id)
    }

    /// The id of the event's so many-th effect.
    pub(super) fn id(&self, ordinal: usize) -> String {
        format!("{:016x}{:016x}", self.seq, (self.bot << 32) | ordinal as u64)
    }

    /// Calls an effect off that has not ended.
    pub(super) fn call_off(&mut self, effect: &str, reason: &str) -> Result<(), Refusal> {
        check_reason(reason)?;
        match self.jobs.get_mut(effect) {
            None => Err(Refusal::NotFound(format!("no effect {effect} of this bot"))),
            Some(state) if *state != JobState::Open => Err(Refusal::Unnecessary("it has ended".into())),
            Some(state) => {
                *state = JobState::Cancelled;
                Ok(())
            }
        }
    }

    /// Says why not, if so: bounds first, then what is known, then the guard and the rules of the test.
    pub(super) fn admit(&mut self, effect: &Effect) -> Result<(), Refusal> {
        check_reason(effect.reason())?;
        let name = format!("{} step {}", effect.run(), effect.step());
        let Some(known) = self.checkpoints.get(&(effect.run().to_owned(), effect.step())) else {
            return Err(Refusal::NotFound(format!("no {name}")));
        };
        match effect {
            Effect::Replicate(Request { priority, .. }) if *priority > 9 => {
                return Err(Refusal::Invalid(format!("a priority is 0 to 9, not {priority}")));
            }
            Effect::Replicate(_) if known.verified.contains(&Tier::Object) => {
                return Err(Refusal::Unnecessary(format!("{name} is on the target")));
            }
            Effect::Replicate(_) if !known.complete => {
                return Err(Refusal::Unavailable(format!("{name} is not complete")));
            }
            Effect::Prune { tier, .. } if !known.present.contains(tier) => {
                return Err(Refusal::Unnecessary(format!("{name} has nothing on {tier}")));
            }
            _ => {}
        }
        if let Some(guard) = &self.guard {
            guard.admit(self, effect, known)?;
        }
        self.rules.iter_mut().find_map(|rule| rule(effect)).map_or(Ok(()), Err)
    }

    /// Does what an accepted effect asks.
    pub(super) fn carry_out(&mut self, effect: &Effect) {
        let Some(known) = self.checkpoints.get_mut(&(effect.run().to_owned(), effect.step())) else { return };
        match effect {
            Effect::Replicate(_) => {
                known.verified.retain(|tier| *tier != Tier::Object);
                known.verified.push(Tier::Object);
                known.present.clone_from(&known.verified);
            }
            Effect::Prune { tier, .. } => {
                known.verified.retain(|held| held != tier);
                known.present.retain(|held| held != tier);
            }
            Effect::Pin { .. } => known.pinned = true,
            Effect::Unpin { .. } => known.pinned = false,
        }
        self.checkpoints.retain(|_, checkpoint| !checkpoint.present.is_empty());
    }
}

fn check_reason(reason: &str) -> Result<(), Refusal> {
    let plain = !reason.chars().any(char::is_control);
    if plain && (1..=512).contains(&reason.len()) {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("a reason has 1 to 512 bytes and no control characters: {reason:?}")))
}
