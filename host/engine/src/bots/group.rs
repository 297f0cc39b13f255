//! What a bot decided over a run of events, not yet written.

use std::collections::BTreeMap;

use tidegate_core::{Code, Effect, EffectId, EffectKind, Job, Seq, Timestamp};
use tidegate_store::{Space, Tx};

use super::{
    record::Record,
    wakes::{self, Wake},
};
use crate::{Error, Result, catalog, jobs};

/// The outcome of handlers that ended well: one batch.
#[derive(Debug, Default, Clone)]
pub(super) struct Group {
    pub(super) effects: Vec<Accepted>,
    /// The bot's state by key; none means removed.
    pub(super) state: BTreeMap<String, Option<Vec<u8>>>,
    /// When the bot is to be woken, by key; none means no more.
    pub(super) wakes: BTreeMap<String, Option<Wake>>,
    /// Bytes that the state grew by, or shrank.
    pub(super) grown: i64,
    /// The last event dealt with.
    pub(super) cursor: Seq,
    /// Events that a handler ran for.
    pub(super) handled: u64,
}

/// An effect that the guard has let in.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) id: EffectId,
    pub(super) effect: Effect,
    pub(super) at: Seq,
}

pub(super) fn state_key(record: &Record, key: &str) -> Vec<u8> {
    [record.name.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

impl Group {
    /// Effects, state and cursor in one change: all of it, or none. Returns the jobs to queue and the size of the state;
    /// nothing at all if the bot was changed or removed meanwhile, whose next version then handles these events.
    pub(super) fn write(self, tx: &mut Tx<'_>, bot: &Record) -> Result<Option<(Vec<Job>, u64)>> {
        let key = bot.name.as_str().as_bytes();
        let Some(mut record) = tx.get::<Record>(Space::Bots, key)? else { return Ok(None) };
        if record.installed != bot.installed || record.quarantined.is_some() {
            return Ok(None);
        }
        let (now, mut jobs) = (tx.now(), Vec::new());
        for accepted in self.effects {
            if let Some(job) = apply(tx, &bot.name, accepted, now)? {
                jobs.push(job);
            }
        }
        for (name, value) in self.state {
            tx.put_bytes(Space::State, &state_key(bot, &name), value);
        }
        for (name, wake) in &self.wakes {
            wakes::set(tx, &bot.name, name, wake.as_ref())?;
        }
        record.cursor = self.cursor;
        record.state_bytes = record.state_bytes.saturating_add_signed(self.grown);
        tx.put(Space::Bots, key, &record)?;
        Ok(Some((jobs, record.state_bytes)))
    }
}

fn apply(tx: &mut Tx<'_>, bot: &tidegate_core::BotName, accepted: Accepted, now: Timestamp) -> Result<Option<Job>> {
    let Accepted { id, effect, at } = accepted;
    let by = bot.as_str();
    let pinned = match effect.kind {
        EffectKind::Pin => catalog::set_pin(tx, &effect.run, effect.step, by, effect.reason),
        EffectKind::Unpin => catalog::clear_pin(tx, &effect.run, effect.step, by, effect.reason),
        EffectKind::Replicate { .. } | EffectKind::Prune { .. } => {
            // A retried event names the same effect: it is accepted once.
            if tx.bytes(Space::Jobs, id.as_str().as_bytes())?.is_some() {
                return Ok(None);
            }
            let job = Job::accept(id, by.to_owned(), effect, now, at);
            jobs::put(tx, &job)?;
            return Ok(Some(job));
        }
    };
    match pinned {
        // It went between the handler's look and now: there is nothing left to hold.
        Err(Error { code: Code::UnknownCheckpoint, .. }) | Ok(()) => Ok(None),
        Err(error) => Err(error),
    }
}
