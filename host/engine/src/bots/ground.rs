//! What a bot stands on while a group of events is handled: its state and counts as they were before it.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use tidegate_core::{BotName, Spent};
use tidegate_store::{Result, Space, View};

use super::{group::state_key, record::Record};

/// A bot's own things, as they are written; or as somebody made them up who only tries a version out.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    /// Bytes of the state, keys and values.
    pub(super) state_bytes: u64,
    /// Its numbers.
    pub(super) metrics: BTreeMap<String, f64>,
    /// What is used of its quotas.
    pub(super) spent: Spent,
    /// A state in memory, in the place of that in the index.
    pub(super) apart: Option<Arc<BTreeMap<String, Vec<u8>>>>,
}

impl Ground {
    /// That of an installed bot.
    pub(super) fn of(record: &Record) -> Self {
        let Record { state_bytes, metrics, spent, .. } = record;
        Self { state_bytes: *state_bytes, metrics: metrics.clone(), spent: *spent, apart: None }
    }

    /// One with a state of its own.
    pub(super) fn apart(state: BTreeMap<String, Vec<u8>>) -> Self {
        let state_bytes = state.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        Self { state_bytes, apart: Some(Arc::new(state)), ..Self::default() }
    }

    /// The bytes of a key.
    pub(super) fn state(&self, view: &View, bot: &BotName, key: &str) -> Result<Option<Vec<u8>>> {
        match &self.apart {
            Some(state) => Ok(state.get(key).cloned()),
            None => view.bytes(Space::State, &state_key(bot, key)),
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
        if let Some(state) = &self.apart {
            return Ok(state.keys().filter(|key| fits(key)).take(limit).cloned().collect());
        }
        let (start, low) = (state_key(bot, "").len(), state_key(bot, after.unwrap_or(prefix).max(prefix)));
        let high = [bot.as_str().as_bytes(), &[1]].concat();
        let mut keys = Vec::new();
        let range = (Bound::Included(low.as_slice()), Bound::Excluded(high.as_slice()));
        view.scan(Space::State, range, false, |key, _| {
            let key = key.get(start..).and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            if fits(key) {
                keys.push(key.to_owned());
            }
            Ok(keys.len() < limit && (fits(key) || after == Some(key)))
        })?;
        Ok(keys)
    }
}

/// All of a bot's state, which its grants bound.
pub(super) fn whole_state(view: &View, bot: &BotName) -> Result<BTreeMap<String, Vec<u8>>> {
    let (low, high) = (state_key(bot, ""), [bot.as_str().as_bytes(), &[1]].concat());
    let mut state = BTreeMap::new();
    view.scan(Space::State, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, value| {
        if let Some(key) = key.get(low.len()..).and_then(|key| String::from_utf8(key.to_vec()).ok()) {
            state.insert(key, value.to_vec());
        }
        Ok(true)
    })?;
    Ok(state)
}
