//! What a bot reaches while it handles one event: the catalogue as it was at the event's place, its own state, and the
//! guard.

use std::{any::Any, collections::BTreeSet, ops::Bound, sync::Arc};

use tidegate_core::{
    Checkpoint, Effect, EffectId, EffectKind, RandomStream, Refusal, RunName, Seq, Step, Timestamp, Why, limits,
};
use tidegate_sandbox::Calls;
use tidegate_store::{Space, View};

use super::{
    group::{Accepted, Group, state_key},
    registry::Running,
    wakes::{self, Wake},
};
use crate::Host;

/// Runs in one answer.
const RUNS: usize = 256;

/// One event's calls. `group` holds what earlier events of the run decided, and takes in what this one does.
pub(super) struct EventCalls {
    pub(super) host: Host,
    pub(super) bot: Arc<Running>,
    pub(super) view: Arc<View>,
    pub(super) event: Seq,
    pub(super) group: Group,
    /// Effects of earlier events in the group.
    pub(super) earlier: usize,
    /// What to put back if this event's handler fails: keys as the group had them, in the order they were changed.
    pub(super) undo: Vec<(String, Option<Option<Vec<u8>>>)>,
    /// The same for the times to be woken at.
    undo_wakes: Vec<(String, Option<Option<Wake>>)>,
    /// What it draws, from the first time it does.
    random: Option<RandomStream>,
    /// Growth of the state by earlier events.
    pub(super) grown_before: i64,
}

impl EventCalls {
    /// For the next event of a group.
    pub(super) fn new(host: Host, bot: Arc<Running>, view: Arc<View>, event: Seq, group: Group) -> Self {
        let (earlier, grown_before) = (group.effects.len(), group.grown);
        let (undo, undo_wakes, random) = Default::default();
        Self { host, bot, view, event, group, earlier, undo, undo_wakes, random, grown_before }
    }

    /// The group without anything of this event.
    pub(super) fn roll_back(mut self) -> Group {
        self.group.effects.truncate(self.earlier);
        self.group.grown = self.grown_before;
        for (key, before) in self.undo.into_iter().rev() {
            match before {
                Some(value) => self.group.state.insert(key, value),
                None => self.group.state.remove(&key),
            };
        }
        for (key, before) in self.undo_wakes.into_iter().rev() {
            match before {
                Some(wake) => self.group.wakes.insert(key, wake),
                None => self.group.wakes.remove(&key),
            };
        }
        self.group
    }
}

fn unavailable(error: tidegate_store::Error) -> Refusal {
    tracing::error!(%error, "the index could not answer a bot");
    Refusal::new(Why::Unavailable, "the index can't be read now")
}

impl EventCalls {
    fn check_read(&self, run: &RunName) -> Result<(), Refusal> {
        if self.bot.record.grants.may_read(run) {
            return Ok(());
        }
        Err(Refusal::new(Why::Denied, format!("grant `read` does not cover run {run}")))
    }

    /// The bytes of a key, with what the group has written.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        if let Some(written) = self.group.state.get(key) {
            return Ok(written.clone());
        }
        self.view.bytes(Space::State, &state_key(&self.bot.record, key)).map_err(unavailable)
    }

    fn write_state(&mut self, key: &str, value: Option<Vec<u8>>) -> Result<(), Refusal> {
        let size = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, |value| (key.len() + value.len()) as i64);
        let before = self.state(key)?;
        let grown = self.group.grown + size(&value) - size(&before);
        let bytes = self.bot.ledger().state_bytes.saturating_add_signed(grown);
        let most = self.bot.record.grants.state_bytes();
        if value.is_some() && bytes > most {
            return Err(Refusal::new(Why::OverQuota, format!("the state would have {bytes} bytes of {most}")));
        }
        self.group.grown = grown;
        let replaced = self.group.state.insert(key.to_owned(), value);
        self.undo.push((key.to_owned(), replaced));
        Ok(())
    }

    /// Refuses one more effect than an event may have.
    fn check_effects(&self) -> Result<(), Refusal> {
        let most = self.bot.record.grants.effects_per_event();
        if self.group.effects.len() - self.earlier + self.undo_wakes.len() >= most as usize {
            return Err(Refusal::new(Why::OverQuota, format!("an event may have {most} effects")));
        }
        Ok(())
    }

    fn set_wake(&mut self, key: &str, wake: Option<Wake>) {
        let replaced = self.group.wakes.insert(key.to_owned(), wake);
        self.undo_wakes.push((key.to_owned(), replaced));
    }

    /// An effect that this group has let in already and that does the same.
    fn doing(&self, effect: &Effect) -> bool {
        let place = |kind: &EffectKind| match kind {
            EffectKind::Replicate { target, .. } => target.to_string(),
            EffectKind::Prune { tier } => tier.name().to_owned(),
            EffectKind::Pin | EffectKind::Unpin => String::new(),
        };
        self.group.effects.iter().any(|accepted| {
            let other = &accepted.effect;
            let same = other.run == effect.run && other.step == effect.step && other.kind.verb() == effect.kind.verb();
            same && place(&other.kind) == place(&effect.kind)
        })
    }
}

impl Calls for EventCalls {
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        let (mut found, mut after) = (Vec::new(), after);
        // Runs that it may not see are passed over, page by page.
        loop {
            let page = self.view.runs(after.as_ref(), RUNS).map_err(unavailable)?;
            let (full, last) = (page.len() == RUNS, page.last().cloned());
            found.extend(page.into_iter().filter(|run| self.bot.record.grants.may_read(run)));
            found.truncate(RUNS);
            if !full || found.len() == RUNS {
                return Ok(found);
            }
            after = last;
        }
    }

    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        self.check_read(&run)?;
        let (mut items, mut next) = (Vec::new(), None);
        let (limit, event) = (limit as usize, self.event);
        let read = self.view.checkpoints(&run, before, |checkpoint| {
            if let Some(then) = checkpoint.as_of(event) {
                if items.len() == limit {
                    next = items.last().map(|last: &Checkpoint| last.step);
                    return false;
                }
                items.push(then);
            }
            true
        });
        read.map_err(unavailable)?;
        Ok((items, next))
    }

    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal> {
        self.check_read(&run)?;
        let found = self.view.checkpoint(&run, step).map_err(unavailable)?;
        Ok(found.and_then(|checkpoint| checkpoint.as_of(self.event)))
    }

    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        self.check_effects()?;
        let record = &self.bot.record;
        record.grants.allow(&effect.run, &effect.kind)?;
        if self.doing(&effect) {
            return Err(Refusal::new(Why::Unnecessary, "it was asked for already"));
        }
        // What is admitted is asked of the present: the past can't be pruned.
        self.host.admit(&self.view, &effect)?;
        let ordinal = u32::try_from(self.group.effects.len() - self.earlier).unwrap_or(u32::MAX);
        let id = EffectId::of_bot(&record.name, self.event, ordinal);
        self.group.effects.push(Accepted { id: id.clone(), effect, at: self.event });
        Ok(id)
    }

    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        self.state(key)
    }

    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        self.write_state(key, Some(value))
    }

    fn state_delete(&mut self, key: &str) -> Result<(), Refusal> {
        self.write_state(key, None)
    }

    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        let start = state_key(&self.bot.record, "").len();
        let low = state_key(&self.bot.record, after.unwrap_or(prefix).max(prefix));
        let mut keys = BTreeSet::new();
        let fits = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        let high = [self.bot.record.name.as_str().as_bytes(), &[1]].concat();
        let limit = limit as usize;
        // Some stored keys may have been removed by the group: read that many more.
        let enough = limit + self.group.state.len();
        let range = (Bound::Included(low.as_slice()), Bound::Excluded(high.as_slice()));
        let read = self.view.scan(Space::State, range, false, |key, _| {
            let key = key.get(start..).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            if fits(key) {
                keys.insert(key.to_owned());
            }
            Ok(keys.len() < enough && (fits(key) || after == Some(key)))
        });
        read.map_err(unavailable)?;
        for (key, value) in self.group.state.iter().filter(|(key, _)| fits(key)) {
            if value.is_some() {
                keys.insert(key.clone());
            } else {
                keys.remove(key);
            }
        }
        Ok(keys.into_iter().take(limit).collect())
    }

    fn wake_at(&mut self, time: Timestamp, key: &str, reason: String) -> Result<(), Refusal> {
        self.check_effects()?;
        let mut keys: BTreeSet<String> =
            wakes::keys(&self.view, &self.bot.record.name).map_err(unavailable)?.into_iter().collect();
        for (key, wake) in &self.group.wakes {
            if wake.is_some() {
                keys.insert(key.clone())
            } else {
                keys.remove(key)
            };
        }
        if keys.len() >= limits::WAKES && !keys.contains(key) {
            return Err(Refusal::new(Why::OverQuota, format!("a bot is woken under at most {} keys", limits::WAKES)));
        }
        self.set_wake(key, Some(Wake { due: time, reason }));
        Ok(())
    }

    fn cancel_wake(&mut self, key: &str) -> Result<(), Refusal> {
        self.check_effects()?;
        self.set_wake(key, None);
        Ok(())
    }

    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal> {
        let fresh = || RandomStream::new(&self.bot.record.name, self.event);
        self.random.get_or_insert_with(fresh).fill(into);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
