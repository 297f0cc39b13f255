//! A token bucket with a queue: a function of what was asked and of the time.
//!
//! **Laws.** Over any window of `t` seconds at most `rate × t + burst` is granted (or one piece more than the rate, where
//! the rate was lowered while a larger piece waited). While somebody waits, nothing is left lying. The most urgent are
//! served first, and among equals who came first. Of what comes in while both wait, [`SHARE`] goes to the less urgent, by
//! age: none starves, and a connection that is in the middle of a body is not dropped by a server that sees no bytes for
//! some twenty seconds. A new rate holds at once, also for who waits.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::queue::{Grant, Queue, Ticket};

/// What the less urgent get in any case: one part in so many.
pub(crate) const SHARE: u64 = 20;
/// A burst is what comes in during one part in so many of a second: 50 ms, so that no second is over by more than 5 %.
const BURST: u64 = 20;
/// Units are counted in parts of a thousand million, so that a nanosecond at a rate of one is exact.
const NANO: i128 = 1_000_000_000;

/// Units (bytes or requests) at a rate.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Units a second; none: as fast as it goes.
    rate: Option<u64>,
    /// What may be granted now; below zero after a piece larger than the burst.
    level: i128,
    /// What of it the less urgent have coming, in parts of [`SHARE`].
    share: i128,
    /// The time of these two.
    at: Duration,
    waiting: BTreeMap<Reverse<u8>, VecDeque<Waiter>>,
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    amount: u64,
}

/// Who is served next, and when, if nothing changes.
#[derive(Debug, Clone, Copy)]
struct Turn {
    urgency: u8,
    ticket: Ticket,
    at: Duration,
    /// It is its share that brings it before the more urgent.
    by_share: bool,
}

impl Bucket {
    /// An empty one.
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self { rate, ..Self::default() }
    }

    /// The rate from `now` on, also for those who wait. None: all of them are served.
    pub(crate) fn set_rate(&mut self, now: Duration, rate: Option<u64>) {
        self.accrue(now);
        if self.rate.is_none() {
            (self.level, self.share) = (0, 0);
        }
        self.rate = rate;
        self.level = self.level.min(self.burst());
    }

    /// Units a second.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// The largest piece that should be asked for at once: half a burst, so that a late timer costs nothing.
    pub(crate) fn piece(&self) -> u64 {
        self.rate.map_or(u64::MAX, |rate| rate / BURST / 2).max(1)
    }

    fn burst(&self) -> i128 {
        self.rate.map_or(0, |rate| i128::from((rate / BURST).max(1)) * NANO)
    }

    fn accrue(&mut self, now: Duration) {
        let took = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let Some(rate) = self.rate else { return };
        let came = i128::try_from(took.as_nanos()).unwrap_or(i128::MAX).saturating_mul(i128::from(rate));
        self.level = self.level.saturating_add(came).min(self.burst());
        self.share = match self.lesser() {
            Some(_) => self.share.saturating_add(came).min(self.burst() * i128::from(SHARE)),
            None => 0,
        };
    }

    /// The most urgent who came first.
    fn top(&self) -> Option<(u8, &Waiter)> {
        self.waiting.first_key_value().and_then(|(urgency, line)| Some((urgency.0, line.front()?)))
    }

    /// Who has waited longest of those who are less urgent than that.
    fn lesser(&self) -> Option<(u8, &Waiter)> {
        let fronts = self.waiting.iter().skip(1).filter_map(|(urgency, line)| Some((urgency.0, line.front()?)));
        fronts.min_by_key(|(_, waiter)| waiter.ticket)
    }

    /// When something that grows at the rate gets from `has` to `needs`.
    fn reached(&self, has: i128, needs: i128) -> Duration {
        let rate = i128::from(self.rate.unwrap_or(u64::MAX).max(1));
        let lacks = needs.saturating_sub(has).max(0);
        let nanos = u64::try_from(lacks.saturating_add(rate - 1) / rate).unwrap_or(u64::MAX);
        self.at.saturating_add(Duration::from_nanos(nanos))
    }

    fn turn(&self) -> Option<Turn> {
        let (urgency, top) = self.top()?;
        let turn = |urgency, waiter: &Waiter, at, by_share| Turn { urgency, ticket: waiter.ticket, at, by_share };
        if self.rate.is_none() {
            return Some(turn(urgency, top, self.at, false));
        }
        let needs = |waiter: &Waiter| (i128::from(waiter.amount) * NANO).min(self.burst());
        let there = |waiter: &Waiter| self.reached(self.level, needs(waiter));
        let at = there(top);
        if let Some((below, lesser)) = self.lesser() {
            let due = self.reached(self.share, needs(lesser) * i128::from(SHARE));
            if due <= at {
                return Some(turn(below, lesser, due.max(there(lesser)), true));
            }
        }
        Some(turn(urgency, top, at, false))
    }
}

impl Queue for Bucket {
    fn ask(&mut self, now: Duration, urgency: u8, amount: u64) -> Ticket {
        self.accrue(now);
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.entry(Reverse(urgency)).or_default().push_back(Waiter { ticket, amount });
        ticket
    }

    fn withdraw(&mut self, now: Duration, ticket: Ticket) {
        self.accrue(now);
        self.waiting.retain(|_, line| {
            line.retain(|waiter| waiter.ticket != ticket);
            !line.is_empty()
        });
    }

    fn serve(&mut self, now: Duration) -> Vec<Grant> {
        self.accrue(now);
        let mut granted = Vec::new();
        while let Some(Turn { urgency, by_share, .. }) = self.turn().filter(|turn| turn.at <= self.at) {
            let Some(line) = self.waiting.get_mut(&Reverse(urgency)) else { break };
            let Some(Waiter { ticket, amount }) = line.pop_front() else { break };
            if line.is_empty() {
                self.waiting.remove(&Reverse(urgency));
            }
            if self.rate.is_some() {
                self.level -= i128::from(amount) * NANO;
            }
            if by_share {
                self.share -= i128::from(amount) * i128::from(SHARE) * NANO;
            }
            granted.push(Grant { ticket, urgency, amount });
        }
        if self.lesser().is_none() {
            self.share = 0;
        }
        granted
    }

    fn next(&self) -> Option<(Ticket, Duration)> {
        self.turn().map(|turn| (turn.ticket, turn.at))
    }

    fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }
}
