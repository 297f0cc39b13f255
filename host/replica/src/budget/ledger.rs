//! What was granted when, in tenths of a second: what a cap is checked against, without a clock of the reader's own.

use std::{collections::VecDeque, time::Duration};

use super::{lane, queue::Grant};

/// How long a slot is.
pub const SLOT: Duration = Duration::from_millis(100);
/// A minute.
const SLOTS: usize = 600;

/// What was granted in one tenth of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Slot {
    /// Which one, from 0, since the target was opened. Those in which nothing was granted are left out.
    pub nth: u64,
    /// Units (bytes or requests) to restores.
    pub urgent: u64,
    /// Units to everything else.
    pub other: u64,
}

impl Slot {
    /// Both together.
    pub fn all(&self) -> u64 {
        self.urgent.saturating_add(self.other)
    }
}

/// The last minute, and sums over all time.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    slots: VecDeque<Slot>,
    pub(crate) granted: u64,
    pub(crate) waits: u64,
    pub(crate) waited: Duration,
}

impl Ledger {
    pub(crate) fn note(&mut self, now: Duration, grant: Grant) {
        self.granted = self.granted.saturating_add(grant.amount);
        let nth = u64::try_from(now.as_nanos() / SLOT.as_nanos()).unwrap_or(u64::MAX);
        if self.slots.back().is_none_or(|slot| slot.nth < nth) {
            if self.slots.len() >= SLOTS {
                self.slots.pop_front();
            }
            self.slots.push_back(Slot { nth, ..Slot::default() });
        }
        if let Some(slot) = self.slots.back_mut() {
            let sum = if grant.urgency >= lane::RESTORE { &mut slot.urgent } else { &mut slot.other };
            *sum = sum.saturating_add(grant.amount);
        }
    }

    pub(crate) fn waited(&mut self, time: Duration) {
        self.waits += 1;
        self.waited = self.waited.saturating_add(time);
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.slots.iter().copied().collect()
    }
}
