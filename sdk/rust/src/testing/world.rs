//! What the cluster of a thread knows, and the rules that it keeps.

use std::{cell::RefCell, collections::BTreeMap};

use super::{Effect, bounds, guard::Guard};
use crate::{Checkpoint, Occurrence, Refusal, Tier, log::Level, replication::JobState};

/// Effects of one event, and bytes of a bot's state, unless the operator granted others.
const EFFECTS: usize = 64;
const STATE: usize = 1 << 20;
/// Keys under which a bot may be woken.
const WAKES: usize = 256;
/// How long a copy may wait, nanoseconds: a week.
const WAIT: u64 = 7 * 24 * 3600 * 1_000_000_000;

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
    /// Jobs of earlier events that have not ended, whoever asked for them, by id.
    pub(super) doing: BTreeMap<String, Effect>,
    /// Times to be woken at and effects called off, asked for in this event: they count as effects.
    pub(super) other_effects: usize,
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
        if let Err(refusal) = self.admit(&effect).and_then(|()| self.spend_effect()) {
            self.refused.push((effect, refusal.clone()));
            return Err(refusal);
        }
        let job = effect.is_job();
        self.effects.push(effect);
        let id = self.id(self.effects.len());
        if job {
            self.jobs.insert(id.clone(), JobState::Open);
        }
        Ok(id)
    }

    /// One more effect of the event, of whatever kind.
    fn spend_effect(&self) -> Result<(), Refusal> {
        if self.effects.len() + self.other_effects < EFFECTS {
            return Ok(());
        }
        Err(Refusal::OverQuota(format!("an event may have {EFFECTS} effects")))
    }

    /// The id of the event's so many-th effect.
    pub(super) fn id(&self, ordinal: usize) -> String {
        format!("{:016x}{:016x}", self.seq, (self.bot << 32) | ordinal as u64)
    }

    /// Calls an effect off that has not ended.
    pub(super) fn call_off(&mut self, effect: &str, reason: &str) -> Result<(), Refusal> {
        bounds::id(effect)?;
        bounds::reason(reason)?;
        match self.jobs.get(effect) {
            None => return Err(Refusal::NotFound(format!("this bot has no job {effect}"))),
            Some(state) if *state != JobState::Open => {
                return Err(Refusal::Unnecessary(format!("job {effect} has ended")));
            }
            Some(_) => self.spend_effect()?,
        }
        self.other_effects += 1;
        self.jobs.insert(effect.to_owned(), JobState::Cancelled);
        Ok(())
    }

    /// Takes a time to be woken at in.
    pub(super) fn wake_at(&mut self, time: u64, key: &str, reason: &str) -> Result<(), Refusal> {
        bounds::ahead(time, self.now)?;
        bounds::key(key)?;
        bounds::reason(reason)?;
        if self.wakes.len() >= WAKES && !self.wakes.contains_key(key) {
            return Err(Refusal::OverQuota(format!("a bot is woken under at most {WAKES} keys")));
        }
        self.spend_effect()?;
        self.other_effects += 1;
        self.wakes.insert(key.to_owned(), time);
        Ok(())
    }

    /// Takes back what was asked for a key.
    pub(super) fn cancel_wake(&mut self, key: &str) -> Result<(), Refusal> {
        bounds::key(key)?;
        self.spend_effect()?;
        self.other_effects += 1;
        self.wakes.remove(key);
        Ok(())
    }

    /// Sets a key of the state.
    pub(super) fn set_state(&mut self, key: &str, value: &[u8]) -> Result<(), Refusal> {
        let others = self.state.iter().filter(|(other, _)| *other != key);
        let bytes = others.map(|(key, value)| key.len() + value.len()).sum::<usize>() + key.len() + value.len();
        if bytes > STATE {
            return Err(Refusal::OverQuota(format!("the state would have {bytes} bytes of {STATE}")));
        }
        self.state.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    /// Says why not, if so: bounds first, then what is known, then the guard and the rules of the test.
    pub(super) fn admit(&mut self, effect: &Effect) -> Result<(), Refusal> {
        bounds::effect(effect)?;
        if self.effects.iter().any(|it| it.does_the_same(effect)) {
            return Err(Refusal::Unnecessary("it was asked for already".into()));
        }
        let name = format!("{} step {}", effect.run(), effect.step());
        let Some(known) = self.checkpoints.get(&(effect.run().to_owned(), effect.step())) else {
            return Err(Refusal::NotFound(format!("no {name}")));
        };
        if let Some((id, _)) = self.doing.iter().find(|(_, it)| it.does_the_same(effect)) {
            return Err(Refusal::Unnecessary(format!("job {id} is doing this")));
        }
        if let Some(guard) = &self.guard {
            guard.admit(self, effect, known)?;
        }
        match effect {
            Effect::Replicate(request) if request.not_before > self.now.saturating_add(WAIT) => {
                return Err(Refusal::Invalid(format!("{name}: not-before is more than a week away")));
            }
            Effect::Replicate(_) if !known.complete => {
                return Err(Refusal::Unavailable(format!("{name} is not complete yet")));
            }
            Effect::Replicate(_) if known.is_verified(Tier::Object) => {
                return Err(Refusal::Unnecessary(format!("{name} is on the target, verified")));
            }
            Effect::Replicate(_) if !known.is_present(Tier::Nvme) => {
                return Err(Refusal::NotFound(format!("{name} has nothing on this host's NVMe")));
            }
            Effect::Prune { tier, .. } if !known.is_present(*tier) => {
                return Err(Refusal::Unnecessary(format!("{name} has nothing on {tier}")));
            }
            _ => {}
        }
        self.rules.iter_mut().find_map(|rule| rule(effect)).map_or(Ok(()), Err)
    }

    /// Begins the handling of an event: nothing of it was asked or drawn yet.
    pub(super) fn begin(&mut self) {
        self.effects.clear();
        (self.other_effects, self.drawn) = (0, 0);
    }

    /// The handler ended well: its jobs are under way, but for those that were called off.
    pub(super) fn commit(&mut self) -> Vec<Effect> {
        let effects = std::mem::take(&mut self.effects);
        let jobs = effects.iter().enumerate().filter(|(_, it)| it.is_job());
        let jobs: Vec<_> = jobs.map(|(nth, effect)| (self.id(nth + 1), effect.clone())).collect();
        self.doing.extend(jobs);
        self.doing.retain(|id, _| self.jobs.get(id) == Some(&JobState::Open));
        effects
    }

    /// What a bot learns of its jobs by coming to an event.
    pub(super) fn learn(&mut self, what: &Occurrence) {
        if let Occurrence::JobFinished(job) = what
            && self.jobs.get(&job.effect).is_some_and(|state| *state == JobState::Open)
        {
            let state = if job.ok { JobState::Done } else { JobState::Failed };
            self.jobs.insert(job.effect.clone(), state);
            self.doing.remove(&job.effect);
        }
    }

    /// An effect was carried out: the jobs that do the same are done.
    pub(super) fn done(&mut self, effect: &Effect) {
        let (done, doing) = std::mem::take(&mut self.doing).into_iter().partition(|(_, it)| it.does_the_same(effect));
        self.doing = doing;
        let done: BTreeMap<String, Effect> = done;
        self.jobs.extend(done.into_keys().map(|id| (id, JobState::Done)));
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

/// A wake that a bot comes to frees its key, whatever the handler does then; one that was moved since frees nothing.
pub(super) fn arrive(wakes: &mut BTreeMap<String, u64>, what: &Occurrence) {
    if let Occurrence::Woken(wake) = what
        && wakes.get(&wake.key) == Some(&wake.due)
    {
        wakes.remove(&wake.key);
    }
}
