//! What a bot reaches while it handles one event: the catalogue as it was at the event's place, its own state, and the
//! guard. What it asks is judged here; `answers.rs` puts that behind the functions of the contract.

mod answers;

use std::{collections::BTreeSet, sync::Arc};

use tidegate_core::{
    Asked, BotName, CalledOff, Effect, EffectId, EffectKind, Event, Grants, Job, JobState, Mode, RandomStream, Refusal,
    RunName, Spent, Timestamp, Verb, Why, limits,
};
use tidegate_sandbox::Deadline;
use tidegate_store::{Space, View};

use super::{
    delta::{Accepted, Delta},
    ground::Ground,
};
use crate::Host;

/// Effects of one event that are recorded for people, and bytes of their texts; more are carried out and not shown.
const RECORDED: usize = 256;
const RECORDED_BYTES: usize = 32 << 10;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) name: BotName,
    pub(super) grants: Grants,
    pub(super) mode: Mode,
}

/// One event's calls.
pub(super) struct EventCalls {
    pub(super) host: Host,
    pub(super) who: Arc<Who>,
    pub(super) view: Arc<View>,
    pub(super) event: Event,
    /// What there was before the group.
    pub(super) ground: Arc<Ground>,
    /// What earlier events of the group decided.
    pub(super) group: Delta,
    /// What this one does.
    pub(super) own: Delta,
    /// What it asked, where somebody wants to see it.
    pub(super) asked: Option<Vec<Asked>>,
    /// What it called off, where somebody wants to see it.
    pub(super) called_off: Vec<CalledOff>,
    /// Bytes of texts in these.
    recorded: usize,
    /// The event was parked, and comes long after its time: what was used since is not forgotten.
    pub(super) parked: bool,
    /// Log lines that are kept.
    pub(super) lines: usize,
    deadline: Deadline,
    /// What it draws, from the first time it does.
    random: Option<RandomStream>,
    /// The keys under which it is to be woken, from the first time it asks.
    waking: Option<BTreeSet<String>>,
}

fn unavailable(error: tidegate_store::Error) -> Refusal {
    tracing::error!(%error, "the index could not answer a bot");
    Refusal::new(Why::Unavailable, "the index can't be read now")
}

impl EventCalls {
    pub(super) fn new(
        host: Host,
        who: Arc<Who>,
        view: Arc<View>,
        event: Event,
        ground: Arc<Ground>,
        group: Delta,
    ) -> Self {
        let (own, deadline) = (Delta::default(), Deadline::never());
        let (asked, called_off, random, waking) = (None, Vec::new(), None, None);
        let (recorded, parked, lines) = (0, false, 64);
        Self {
            host,
            who,
            view,
            event,
            ground,
            group,
            own,
            asked,
            called_off,
            recorded,
            parked,
            lines,
            deadline,
            random,
            waking,
        }
    }

    /// Counts a call that is refused.
    fn told<T>(&mut self, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(refusal) = &answer {
            self.own.ledger.refuse(refusal);
        }
        answer
    }

    /// Whether one more thing with so many bytes of text may be recorded.
    fn records(&mut self, bytes: usize) -> bool {
        let Some(asked) = &self.asked else { return false };
        if asked.len() + self.called_off.len() >= RECORDED {
            return false;
        }
        self.recorded += bytes;
        self.recorded <= RECORDED_BYTES
    }

    fn check_read(&self, run: &RunName) -> Result<(), Refusal> {
        if self.who.grants.may_read(run) {
            return Ok(());
        }
        Err(Refusal::new(Why::Denied, format!("grant `read` does not cover run {run}")))
    }

    /// The bot is past its deadline and will be stopped: there is no use in going on.
    fn check_time(&self) -> Result<(), Refusal> {
        if self.deadline.passed() { Err(Refusal::new(Why::Unavailable, "it took too long")) } else { Ok(()) }
    }

    /// Whether a run had a checkpoint at the event's place.
    fn was_there(&self, run: &RunName) -> Result<bool, Refusal> {
        self.check_time()?;
        let mut there = false;
        let read = self.view.checkpoints_since(run, None, self.event.seq, |checkpoint| {
            there = checkpoint.as_of(self.event.seq).is_some();
            !there && !self.deadline.passed()
        });
        read.map(|()| there).map_err(unavailable)
    }

    /// The bytes of a key, with what this event and the group have written.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        match self.own.state.get(key).or_else(|| self.group.state.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.ground.state(&self.view, &self.who.name, key).map_err(unavailable),
        }
    }

    /// The keys under which the bot is to be woken, with what this event and the group have asked. Read once: a handler may
    /// ask for all of them.
    fn waking(&mut self) -> Result<&mut BTreeSet<String>, Refusal> {
        if self.waking.is_none() {
            let stored = self.ground.wake_keys(&self.view, &self.who.name).map_err(unavailable)?;
            let mut keys: BTreeSet<String> = stored.into_iter().collect();
            for (key, wake) in self.group.wakes.iter().chain(&self.own.wakes) {
                if wake.is_some() {
                    keys.insert(key.clone())
                } else {
                    keys.remove(key)
                };
            }
            self.waking = Some(keys);
        }
        Ok(self.waking.get_or_insert_default())
    }

    fn write_state(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), Refusal> {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| (key.len() + value.len()) as i64);
        let before = self.state(key)?;
        let grown = self.own.grown + size(&value) - size(&before);
        let bytes = self.ground.state_bytes.saturating_add_signed(self.group.grown + grown);
        let most = self.who.grants.state_bytes();
        // One that is larger than it may be, since a grant was lowered, may become smaller.
        if size(&value) > size(&before) && bytes > most {
            return Err(Refusal::new(Why::OverQuota, format!("the state would have {bytes} bytes of {most}")));
        }
        self.own.grown = grown;
        // What never was there needs no note that it is gone: a handler may name any number of keys.
        if value.is_none() && !self.was_written(key)? {
            self.own.state.remove(key);
            return Ok(());
        }
        self.own.state.insert(key.to_owned(), value);
        Ok(())
    }

    /// Whether a key had a value before this event.
    fn was_written(&self, key: &str) -> Result<bool, Refusal> {
        match self.group.state.get(key) {
            Some(written) => Ok(written.is_some()),
            None => self.ground.state(&self.view, &self.who.name, key).map(|it| it.is_some()).map_err(unavailable),
        }
    }

    fn check_effects(&self) -> Result<(), Refusal> {
        let most = self.who.grants.effects_per_event();
        if self.own.asked() >= most as usize {
            return Err(Refusal::new(Why::OverQuota, format!("an event may have {most} effects")));
        }
        Ok(())
    }

    /// Takes one more effect from the event's and the minute's.
    fn spend_effect(&mut self) -> Result<(), Refusal> {
        self.check_effects()?;
        let mut spent = self.spent();
        spent.effect(self.counted_at(spent), &self.who.grants)?;
        self.own.spent = Some(spent);
        Ok(())
    }

    fn spent(&self) -> Spent {
        self.own.spent.or(self.group.spent).unwrap_or(self.ground.spent)
    }

    /// The minute and the day that this event's effects are taken from.
    fn counted_at(&self, spent: Spent) -> Timestamp {
        if self.parked { self.event.time.max(spent.latest()) } else { self.event.time }
    }

    /// Whether this handler has asked for the same already.
    fn doing(&self, effect: &Effect) -> bool {
        self.own.effects.iter().any(|accepted| accepted.effect.does_the_same(effect))
    }

    /// The id that the next effect will have.
    fn next_id(&self) -> EffectId {
        let ordinal = u32::try_from(self.own.effects.len()).unwrap_or(u32::MAX);
        EffectId::of_bot(&self.who.name, self.event.seq, ordinal)
    }

    fn guard(&self, effect: &Effect) -> Result<String, Refusal> {
        // What becomes a job with the group: it is to be found there or here, however the events fell into groups.
        let jobs = self.group.effects.iter().filter(|it| it.real && it.effect.kind.is_job());
        let fresh: Vec<_> = jobs.map(|it| (&it.id, &it.effect)).collect();
        self.host.admit_as_of(&self.view, &self.who.name, &self.next_id(), &fresh, effect, &self.event)
    }

    fn judge(&mut self, effect: &Effect) -> Result<EffectId, Refusal> {
        self.who.grants.allow(&effect.run, &effect.kind)?;
        // Before the index is read: a handler may ask thousands of times more.
        self.check_effects()?;
        if self.doing(effect) {
            return Err(Refusal::new(Why::Unnecessary, "it was asked for already"));
        }
        self.guard(effect)?;
        let bytes = self.bytes_of(effect)?;
        let before = self.own.spent;
        self.spend_effect()?;
        let at = self.counted_at(self.spent());
        if matches!(effect.kind, EffectKind::Replicate { .. })
            && let Some(spent) = &mut self.own.spent
            && let Err(refusal) = spent.ship(at, bytes, &self.who.grants)
        {
            self.own.spent = before;
            return Err(refusal);
        }
        let id = self.next_id();
        let real = self.who.mode.carries_out(&self.who.name, &effect.run);
        if real {
            self.own.ledger.accept(effect, bytes);
        } else {
            self.own.ledger.shadowed += 1;
        }
        self.own.effects.push(Accepted { id: id.clone(), effect: effect.clone(), at: self.event.seq, real });
        Ok(id)
    }

    /// How far a job of this bot is, as of the event, and which run it is about. Of one that was only recorded nothing is
    /// known but in its own handler: there is no job of it.
    fn job(&self, effect: &EffectId) -> Result<Option<(JobState, RunName)>, Refusal> {
        let own = self.own.effects.iter();
        let mut fresh = self.group.effects.iter().filter(|it| it.real).chain(own);
        let found = match fresh.find(|it| it.id == *effect) {
            Some(it) => it.effect.kind.is_job().then(|| (JobState::Queued, it.effect.run.clone())),
            None => {
                let job: Option<Job> = self.view.get(Space::Jobs, effect.as_str().as_bytes()).map_err(unavailable)?;
                let own = job.filter(|job| job.by == self.who.name.as_str());
                own.and_then(|job| job.as_of(self.event.seq).map(|state| (state, job.effect.run)))
            }
        };
        let called_off = self.group.cancels.iter().chain(&self.own.cancels).any(|(id, ..)| id == effect);
        Ok(found.map(|(state, run)| (if called_off && !state.ended() { JobState::Cancelled } else { state }, run)))
    }

    /// Whether a job may be called off; then, whether that is carried out.
    fn judge_cancel(&mut self, effect: &EffectId) -> Result<bool, Refusal> {
        let real = match self.job(effect)? {
            None => return Err(Refusal::new(Why::NotFound, format!("this bot has no job {effect}"))),
            Some((state, _)) if state.ended() => {
                return Err(Refusal::new(Why::Unnecessary, format!("job {effect} has ended")));
            }
            Some((_, run)) => self.who.mode.carries_out(&self.who.name, &run),
        };
        self.spend_effect()?;
        if real {
            self.own.ledger.count(Verb::Cancel, 0);
        } else {
            self.own.ledger.shadowed += 1;
        }
        Ok(real)
    }

    fn judge_wake(&mut self, key: &str) -> Result<(), Refusal> {
        let keys = self.waking()?;
        if keys.len() >= limits::WAKES && !keys.contains(key) {
            return Err(Refusal::new(Why::OverQuota, format!("a bot is woken under at most {} keys", limits::WAKES)));
        }
        self.spend_effect()
    }

    /// Bytes that an effect moves or frees, as far as is known.
    fn bytes_of(&self, effect: &Effect) -> Result<u64, Refusal> {
        if !effect.kind.is_job() {
            return Ok(0);
        }
        let found = self.view.checkpoint(&effect.run, effect.step).map_err(unavailable)?;
        Ok(found.map_or(0, |checkpoint| checkpoint.bytes()))
    }
}
