//! What a bot stands on while a group of events is handled: its state and counts as they were before it.

use std::{collections::BTreeMap, sync::Arc};

use tidegate_core::{BotName, Ledger, Spent, Timestamp};
use tidegate_store::{Result, View};

use super::{
    delta::Delta,
    record::Record,
    state::{self, Part},
    wakes,
};

/// A bot's own things, as they are written; or as somebody made them up who only tries a version out.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    /// Bytes of the state, keys and values.
    pub(super) state_bytes: u64,
    /// Its numbers.
    pub(super) metrics: BTreeMap<String, f64>,
    /// What is used of its quotas.
    pub(super) spent: Spent,
    /// What is in memory, in the place of that in the index.
    pub(super) apart: Option<Arc<Apart>>,
}

/// What a version begins with that has nothing in the index.
#[derive(Debug, Default, Clone)]
pub(super) struct Apart {
    /// Its state.
    pub(super) state: BTreeMap<String, Vec<u8>>,
    /// The times that it is to be woken at, by key.
    pub(super) wakes: BTreeMap<String, Timestamp>,
}

impl Ground {
    /// That of an installed bot.
    pub(super) fn of(record: &Record) -> Self {
        let Record { state_bytes, metrics, spent, .. } = record;
        Self { state_bytes: *state_bytes, metrics: metrics.clone(), spent: *spent, apart: None }
    }

    /// One with a state of its own.
    pub(super) fn apart(apart: Apart) -> Self {
        let state_bytes = apart.state.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Self { state_bytes, apart: Some(Arc::new(apart)), ..Self::default() }
    }

    /// Takes in what an event decided that was only tried: what is to be done with it goes nowhere. So what is kept is the
    /// state as it stands, however many events there were. Returns what the event cost.
    pub(super) fn go_on(ground: &mut Arc<Self>, decided: Delta) -> Ledger {
        let Self { state_bytes, metrics, spent, apart } = Arc::make_mut(ground);
        let Apart { state, wakes } = Arc::make_mut(apart.get_or_insert_default());
        for (key, value) in decided.state {
            match value {
                Some(value) => state.insert(key, value),
                None => state.remove(&key),
            };
        }
        for (key, wake) in decided.wakes {
            match wake {
                Some(wake) => wakes.insert(key, wake.due),
                None => wakes.remove(&key),
            };
        }
        *state_bytes = state_bytes.saturating_add_signed(decided.grown);
        metrics.extend(decided.metrics);
        *spent = decided.spent.unwrap_or(*spent);
        decided.ledger
    }

    /// The keys that the bot has asked to be woken under, as of the events before the group.
    pub(super) fn wake_keys(&self, view: &View, bot: &BotName) -> Result<Vec<String>> {
        match &self.apart {
            Some(apart) => Ok(apart.wakes.keys().cloned().collect()),
            None => wakes::keys(view, bot),
        }
    }

    /// The time that is asked for under a key, as of the events before the group.
    pub(super) fn wake(&self, view: &View, bot: &BotName, key: &str) -> Result<Option<Timestamp>> {
        match &self.apart {
            Some(apart) => Ok(apart.wakes.get(key).copied()),
            None => wakes::get(view, bot, key),
        }
    }

    /// The bytes of a key.
    pub(super) fn state(&self, view: &View, bot: &BotName, key: &str) -> Result<Option<Vec<u8>>> {
        match &self.apart {
            Some(apart) => Ok(apart.state.get(key).cloned()),
            None => state::get(view, bot, Part::Own, key),
        }
    }

    /// Keys that start with `prefix`, after `after`, at most `limit`.
    pub(super) fn keys(
        &self,
        view: &View,
        bot: &BotName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>> {
        let fits = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        if let Some(apart) = &self.apart {
            return Ok(apart.state.keys().filter(|key| fits(key)).take(limit).cloned().collect());
        }
        let mut keys = Vec::new();
        state::scan(view, bot, Part::Own, after.unwrap_or(prefix).max(prefix), |key, _| {
            if fits(key) {
                keys.push(key.to_owned());
            }
            keys.len() < limit && (fits(key) || after == Some(key))
        })?;
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::wakes::Wake, *};

    #[test]
    fn what_is_only_tried_keeps_no_more_than_what_stands() {
        let mut ground = Arc::new(Ground::apart(Apart::default()));
        for event in 0..100 {
            let (key, gone) = (format!("k{event}"), format!("k{}", event - 1));
            let state = [(key.clone(), Some(vec![0; 8])), (gone.clone(), None)].into();
            let wakes = [(key.clone(), Some(Wake::at(Timestamp(1), "x".into()))), (gone, None)].into();
            let grown = if event == 0 { (key.len() + 8) as i64 } else { (event == 10).into() };
            let cost = Ground::go_on(&mut ground, Delta { state, wakes, grown, ..Delta::default() });
            assert_eq!(cost, Ledger::default());
        }
        let apart = ground.apart.as_ref().unwrap();
        assert_eq!((apart.state.len(), apart.wakes.len(), ground.state_bytes), (1, 1, 3 + 8));
    }
}
