//! What a handler decided, not yet written.

use std::collections::BTreeMap;

use tidegate_core::{Effect, EffectId, Ledger, Seq, Spent, Timestamp, limits};

use super::wakes::Wake;

/// The outcome of one handler, on top of those before it; or of several that ended well, put together.
#[derive(Debug, Default, Clone)]
pub(super) struct Delta {
    /// Effects to be carried out.
    pub(super) effects: Vec<Accepted>,
    /// Effects to be called off, and why; and whether that is carried out, or only recorded.
    pub(super) cancels: Vec<(EffectId, String, bool)>,
    /// The bot's state by key; none means removed.
    pub(super) state: BTreeMap<String, Option<Vec<u8>>>,
    /// Bytes that the state grew by, or shrank.
    pub(super) grown: i64,
    /// When the bot is to be woken, by key; none means no more.
    pub(super) wakes: BTreeMap<String, Option<Wake>>,
    /// Wakes that the bot has come to the events of, by key, with the time that was asked for.
    pub(super) came: Vec<(String, Timestamp)>,
    /// The bot's numbers that changed.
    pub(super) metrics: BTreeMap<String, f64>,
    /// Its quotas, if they were used.
    pub(super) spent: Option<Spent>,
    /// What it cost.
    pub(super) ledger: Ledger,
}

/// An effect that the guard has let in.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) id: EffectId,
    pub(super) effect: Effect,
    pub(super) at: Seq,
    /// Whether it is carried out, or only recorded.
    pub(super) real: bool,
}

impl Delta {
    /// Puts what came later on top.
    pub(super) fn absorb(&mut self, later: Self) {
        self.effects.extend(later.effects);
        self.cancels.extend(later.cancels);
        self.state.extend(later.state);
        self.grown += later.grown;
        self.wakes.extend(later.wakes);
        self.came.extend(later.came);
        self.metrics.extend(later.metrics);
        self.spent = later.spent.or(self.spent);
        self.ledger.add(&later.ledger);
    }

    /// How many effects of one event there are: of every kind that counts.
    pub(super) fn asked(&self) -> usize {
        self.effects.len() + self.cancels.len() + self.wakes.len()
    }

    /// Whether it holds one more metric than `known` and these together may be.
    pub(super) fn metric_fits(&self, name: &str, known: &BTreeMap<String, f64>) -> bool {
        let new = self.metrics.keys().filter(|key| !known.contains_key(*key)).count();
        known.contains_key(name) || self.metrics.contains_key(name) || known.len() + new < limits::BOT_METRICS
    }
}
