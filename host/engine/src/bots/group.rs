//! What a bot decided over a run of events, on its way into the index.

use std::collections::BTreeMap;

use tidegate_core::{BotName, Code, Decision, EffectId, EffectKind, Job, Seq, Spent, Timestamp};
use tidegate_store::{Space, Tx};

use super::{
    delta::{Accepted, Delta},
    kept::Kept,
    letters,
    record::Record,
    state::{self, Part},
    wakes,
};
use crate::{Error, Result, catalog, jobs};

/// The outcome of handlers that ended well: one batch.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) delta: Delta,
    /// The cursor that is written when the group begins: nobody else may have moved it when the group is written.
    pub(super) from: Seq,
    /// The last event dealt with.
    pub(super) cursor: Seq,
    /// Events that a handler ran for.
    pub(super) handled: u64,
    /// Decisions that are recorded instead of carried out, or beside that.
    pub(super) decisions: Vec<Decision>,
    /// A parked event that this is about; the cursor then stays.
    pub(super) letter: Option<Seq>,
    /// What is kept aside to go back, if the version is settled by this group: it goes with the way back.
    pub(super) kept: Kept,
}

/// What came of writing a group.
#[derive(Debug)]
pub(super) struct Written {
    /// Jobs to carry out.
    pub(super) jobs: Vec<Job>,
    /// Jobs that were called off.
    pub(super) cancelled: Vec<EffectId>,
    /// The bot's record as it is now.
    pub(super) state_bytes: u64,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) spent: Spent,
    /// Events until the version is settled, if it is not.
    pub(super) left: Option<u64>,
}

impl Group {
    /// Effects, state and cursor in one change: all of it, or none. Nothing at all if the bot was changed or removed
    /// meanwhile, whose next version then handles these events.
    pub(super) fn write(self, tx: &mut Tx<'_>, bot: &Record) -> Result<Option<Written>> {
        let key = bot.name.as_str().as_bytes();
        let Some(mut record) = tx.get::<Record>(Space::Bots, key)? else { return Ok(None) };
        let moved = self.letter.is_none() && record.cursor != self.from;
        if record.installed != bot.installed || record.quarantined.is_some() || moved {
            return Ok(None);
        }
        // Somebody may have thrown the parked event away since it was handed out.
        if self.letter.is_some_and(|letter| !letters::get(tx, &bot.name, letter).is_ok_and(|it| it.replay)) {
            return Ok(None);
        }
        let (now, mut jobs, mut cancelled) = (tx.now(), Vec::new(), Vec::new());
        for accepted in self.delta.effects.into_iter().filter(|accepted| accepted.real) {
            if let Some(job) = apply(tx, &bot.name, accepted, now)? {
                jobs.push(job);
            }
        }
        for (id, why, _) in self.delta.cancels.into_iter().filter(|(.., real)| *real) {
            let found = tx.get::<Job>(Space::Jobs, id.as_str().as_bytes())?;
            if let Some(job) = found.filter(|job| job.by == bot.name.as_str())
                && jobs::call_off(tx, job, format!("called off by bot {}: {why}", bot.name))?
            {
                jobs.retain(|job| job.id != id);
                cancelled.push(id);
            }
        }
        for (name, value) in self.delta.state {
            state::put(tx, &bot.name, Part::Own, &name, value);
        }
        for (name, due) in &self.delta.came {
            wakes::came(tx, &bot.name, name, *due)?;
        }
        for (name, wake) in &self.delta.wakes {
            wakes::set(tx, &bot.name, name, wake.as_ref())?;
        }
        match self.letter {
            Some(letter) => letters::remove(tx, &bot.name, letter),
            None => record.cursor = self.cursor,
        }
        if let Some(parked) = record.parked.filter(|parked| *parked <= record.cursor) {
            letters::remove(tx, &bot.name, parked);
            record.parked = None;
        }
        record.state_bytes = record.state_bytes.saturating_add_signed(self.delta.grown);
        record.metrics.extend(self.delta.metrics);
        record.spent = self.delta.spent.unwrap_or(record.spent);
        if record.prove(self.handled) {
            self.kept.forget(tx, &bot.name);
        }
        tx.put(Space::Bots, key, &record)?;
        let Record { state_bytes, metrics, spent, previous, .. } = record;
        let left = previous.map(|previous| previous.left);
        Ok(Some(Written { jobs, cancelled, state_bytes, metrics, spent, left }))
    }
}

fn apply(tx: &mut Tx<'_>, bot: &BotName, accepted: Accepted, now: Timestamp) -> Result<Option<Job>> {
    let Accepted { id, effect, at, real: _ } = accepted;
    let by = bot.as_str();
    let pinned = match effect.kind {
        EffectKind::Pin => catalog::set_pin(tx, &effect.run, effect.step, by, effect.reason),
        EffectKind::Unpin => {
            // Its own, or nothing.
            catalog::clear_pin(tx, &effect.run, effect.step, by, None, effect.reason).map(drop)
        }
        EffectKind::Replicate { .. } | EffectKind::Prune { .. } => {
            // A retried event names the same effect: it is accepted once.
            if tx.bytes(Space::Jobs, id.as_str().as_bytes())?.is_some() {
                return Ok(None);
            }
            let mut job = Job::accept(id, by.to_owned(), effect, now, at);
            jobs::accept(tx, &mut job)?;
            return Ok(Some(job));
        }
    };
    match pinned {
        // It went between the handler's look and now: there is nothing left to hold.
        Err(Error { code: Code::UnknownCheckpoint, .. }) | Ok(()) => Ok(None),
        Err(error) => Err(error),
    }
}
