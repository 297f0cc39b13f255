//! How many requests are on the way at once, as TCP would have it: one more after each round of successes, half as many
//! when the server is overrun. A function of what happened and of the time.
//!
//! A request that has asked for a slot gets one when fewer than the limit are on the way **that are at least as urgent**,
//! or none of its own urgency is. So an urgent one never waits for the slots of transfers that it holds up itself (they get
//! a twentieth of the bandwidth, and would keep their slots for minutes), and none is shut out. With requests of `n`
//! urgencies there are at most `n` times the limit, and `n` is two or three.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::queue::{Grant, Queue, Ticket};

/// No server's `Retry-After` is followed for longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server answered, whatever it said.
    Answered,
    /// `503` or `429`, with what its `Retry-After` said.
    Throttled(Option<Duration>),
    /// No answer in time.
    TimedOut,
    /// The connection broke, or the caller went away: it says nothing of the server's load.
    Lost,
}

/// The limit, and who is on the way and in line.
#[derive(Debug)]
pub(crate) struct Window {
    limit: usize,
    most: usize,
    /// Until the server was overrun for the first time, every success adds one: each round doubles.
    opening: bool,
    /// Successes since the limit changed.
    successes: usize,
    /// Requests that were sent before this say nothing new about the load.
    cut: Option<Duration>,
    held: Duration,
    flying: BTreeMap<u8, usize>,
    waiting: BTreeMap<Reverse<u8>, VecDeque<Ticket>>,
    next: u64,
    throttled: u64,
    cuts: u64,
}

impl Window {
    /// So many at first, from 1 to `most`.
    pub(crate) fn new(first: usize, most: usize) -> Self {
        Self {
            limit: first.clamp(1, most.max(1)),
            most: most.max(1),
            opening: true,
            successes: 0,
            cut: None,
            held: Duration::ZERO,
            flying: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            throttled: 0,
            cuts: 0,
        }
    }

    /// How many may be on the way.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How many are.
    pub(crate) fn flying(&self) -> usize {
        self.flying.values().sum()
    }

    /// How often the server said that it was overrun, and how often the limit was halved.
    pub(crate) fn throttled(&self) -> (u64, u64) {
        (self.throttled, self.cuts)
    }

    /// No request leaves before this.
    pub(crate) fn held_until(&self) -> Duration {
        self.held
    }

    /// Notes what came of a request that was sent at `sent`. Its slot is still taken.
    pub(crate) fn learned(&mut self, now: Duration, sent: Duration, outcome: Outcome) {
        match outcome {
            Outcome::Answered => self.grow(),
            Outcome::Throttled(after) => {
                self.throttled += 1;
                if let Some(after) = after {
                    self.held = self.held.max(now.saturating_add(after.min(LONGEST)));
                }
                self.halve(now, sent);
            }
            Outcome::TimedOut => self.halve(now, sent),
            Outcome::Lost => {}
        }
    }

    /// A slot is free again.
    pub(crate) fn landed(&mut self, urgency: u8) {
        if let Some(flying) = self.flying.get_mut(&urgency) {
            *flying = flying.saturating_sub(1);
        }
        self.flying.retain(|_, flying| *flying > 0);
    }

    /// One more for each success while opening, then for each round of them; not while less than half is made use of.
    fn grow(&mut self) {
        if self.limit >= self.most || self.flying() * 2 < self.limit {
            return;
        }
        self.successes += 1;
        if self.opening || self.successes >= self.limit {
            (self.limit, self.successes) = (self.limit + 1, 0);
        }
    }

    /// At most once a round trip: those who were on the way at the last cut tell of the load before it.
    fn halve(&mut self, now: Duration, sent: Duration) {
        if self.cut.is_some_and(|cut| sent <= cut) {
            return;
        }
        self.cut = Some(now);
        self.cuts += 1;
        (self.limit, self.successes, self.opening) = ((self.limit / 2).max(1), 0, false);
    }

    fn admits(&self, urgency: u8) -> bool {
        let above: usize = self.flying.range(urgency..).map(|(_, flying)| flying).sum();
        above < self.limit || !self.flying.contains_key(&urgency)
    }
}

impl Queue for Window {
    fn ask(&mut self, _: Duration, urgency: u8, _: u64) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.entry(Reverse(urgency)).or_default().push_back(ticket);
        ticket
    }

    fn withdraw(&mut self, _: Duration, ticket: Ticket) {
        self.waiting.retain(|_, line| {
            line.retain(|waiting| *waiting != ticket);
            !line.is_empty()
        });
    }

    fn serve(&mut self, now: Duration) -> Vec<Grant> {
        let mut granted = Vec::new();
        if now < self.held {
            return granted;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for (Reverse(urgency), line) in &mut waiting {
            while self.admits(*urgency)
                && let Some(ticket) = line.pop_front()
            {
                *self.flying.entry(*urgency).or_default() += 1;
                granted.push(Grant { ticket, urgency: *urgency, amount: 1 });
            }
        }
        waiting.retain(|_, line| !line.is_empty());
        self.waiting = waiting;
        granted
    }

    fn refund(&mut self, urgency: u8) {
        self.landed(urgency);
    }

    fn next(&self) -> Option<(Ticket, Duration)> {
        let first = |(urgency, line): (&Reverse<u8>, &VecDeque<Ticket>)| {
            line.front().copied().filter(|_| self.admits(urgency.0))
        };
        self.waiting.iter().find_map(first).map(|ticket| (ticket, self.held))
    }

    fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }
}
