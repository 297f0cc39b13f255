//! What a bot has used and asked for: one account of everything that it costs the host.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Effect, Refusal, Verb, Why};

/// How many, and of how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub count: u64,
    /// Bytes of the checkpoints concerned: shipped for copies, freed for prunes; 0 for all others.
    pub bytes: u64,
}

/// Sums since the bot was put to work in this process, as counters are: they begin anew with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Events that a handler ran for and ended well.
    pub handled: u64,
    /// Handlers that failed.
    pub faults: u64,
    /// Instructions, about; 0 where they are not counted.
    pub fuel: u64,
    /// Time in handlers, their host calls included.
    pub wall: Duration,
    /// The most bytes of memories and tables in one event.
    pub memory_peak: u64,
    /// Host calls, those of WASI too, log lines apart.
    pub host_calls: u64,
    /// Bytes of strings and lists handed over in them; of WASI those that are printed or drawn.
    pub host_bytes: u64,
    /// Log lines that were kept.
    pub log_lines: u64,
    /// Log lines beyond the bot's rate, dropped unread.
    pub log_dropped: u64,
    /// Effects that are carried out.
    pub effects: BTreeMap<Verb, Amount>,
    /// Effects that were only recorded: see [`crate::Mode`].
    pub shadowed: u64,
    /// Calls that were refused, those that only read too, by the class of the refusal.
    pub refused: BTreeMap<Why, u64>,
}

impl Ledger {
    /// Takes in an effect that is carried out.
    pub fn accept(&mut self, effect: &Effect, bytes: u64) {
        self.count(effect.kind.verb(), bytes);
    }

    /// Takes in something that is carried out, by what it is.
    pub fn count(&mut self, verb: Verb, bytes: u64) {
        let amount = self.effects.entry(verb).or_default();
        amount.count += 1;
        amount.bytes = amount.bytes.saturating_add(bytes);
    }

    /// Takes in a refusal.
    pub fn refuse(&mut self, refusal: &Refusal) {
        *self.refused.entry(refusal.why).or_default() += 1;
    }

    /// Effects that are carried out, of all kinds.
    pub fn effects(&self) -> u64 {
        self.effects.values().map(|amount| amount.count).sum()
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        self.handled += other.handled;
        self.faults += other.faults;
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.wall = self.wall.saturating_add(other.wall);
        self.memory_peak = self.memory_peak.max(other.memory_peak);
        self.host_calls += other.host_calls;
        self.host_bytes = self.host_bytes.saturating_add(other.host_bytes);
        self.log_lines += other.log_lines;
        self.log_dropped = self.log_dropped.saturating_add(other.log_dropped);
        self.shadowed += other.shadowed;
        for (verb, more) in &other.effects {
            let amount = self.effects.entry(*verb).or_default();
            amount.count += more.count;
            amount.bytes = amount.bytes.saturating_add(more.bytes);
        }
        for (why, more) in &other.refused {
            *self.refused.entry(*why).or_default() += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EffectKind, Tier};

    #[test]
    fn accounts_add_up_and_peaks_do_not() {
        let kind = EffectKind::Prune { tier: Tier::Nvme };
        let effect = Effect { run: "r".parse().unwrap(), step: 1.try_into().unwrap(), kind, reason: "x".into() };
        let mut one = Ledger { memory_peak: 5, handled: 1, ..Ledger::default() };
        one.accept(&effect, 10);
        one.refuse(&Refusal::new(Why::Denied, "no"));
        let mut two = Ledger { memory_peak: 3, handled: 2, ..one.clone() };
        two.add(&one);
        assert_eq!((two.handled, two.memory_peak, two.effects(), two.refused[&Why::Denied]), (3, 5, 2, 2));
        assert_eq!(two.effects[&Verb::Prune], Amount { count: 2, bytes: 20 });
    }
}
