//! A queue that one can wait in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    bucket::Bucket,
    ledger::{Ledger, Slot},
    queue::{Queue, Ticket},
};

/// Bytes or requests at a rate.
pub(crate) type Units = Bucket;

/// A queue, the time, and who is to be woken. Nothing runs in the background: who is next has the timer.
#[derive(Debug)]
pub(crate) struct Tap<Q> {
    start: Instant,
    state: Mutex<State<Q>>,
}

#[derive(Debug)]
struct State<Q> {
    queue: Q,
    ledger: Ledger,
    bells: HashMap<Ticket, Arc<Notify>>,
}

/// What a tap has given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapFigures {
    /// Units (bytes or requests) granted.
    pub granted: u64,
    /// Grants that had to be waited for.
    pub waits: u64,
    /// How long all of them waited together.
    pub waited: Duration,
    /// Who waits now.
    pub waiting: usize,
}

impl<Q: Queue> Tap<Q> {
    pub(crate) fn new(queue: Q) -> Self {
        let state = State { queue, ledger: Ledger::default(), bells: HashMap::new() };
        Self { start: Instant::now(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<Q>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since it was made.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// That time for others.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        // Nobody waits for years.
        self.start + at.min(Duration::from_secs(1 << 32))
    }

    /// Changes the queue, and serves whom the change helps.
    pub(crate) fn change<T>(&self, how: impl FnOnce(&mut Q, Duration) -> T) -> T {
        let mut state = self.state();
        let now = self.now();
        let result = how(&mut state.queue, now);
        state.serve(now);
        result
    }

    /// Reads the queue.
    pub(crate) fn peek<T>(&self, what: impl FnOnce(&Q) -> T) -> T {
        what(&self.state().queue)
    }

    /// Waits for its turn. Dropping it leaves the line. How long it may take: see [`Bucket`] and
    /// [`Window`](super::window::Window), which serve everybody in the end.
    pub(crate) async fn take(&self, urgency: u8, amount: u64) {
        let mut waiting = {
            let mut state = self.state();
            let now = self.now();
            let ticket = state.queue.ask(now, urgency, amount);
            let bell = Arc::new(Notify::new());
            state.bells.insert(ticket, Arc::clone(&bell));
            state.serve(now);
            if !state.bells.contains_key(&ticket) {
                return;
            }
            Waiting { tap: self, ticket, urgency, bell, since: now, taken: false }
        };
        waiting.served().await;
    }

    /// The last minute.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.state().ledger.slots()
    }

    pub(crate) fn figures(&self) -> TapFigures {
        let state = self.state();
        let Ledger { granted, waits, waited, .. } = state.ledger;
        TapFigures { granted, waits, waited, waiting: state.queue.waiting() }
    }
}

impl<Q: Queue> State<Q> {
    /// Serves, and wakes those who were served and who is next now.
    fn serve(&mut self, now: Duration) {
        for grant in self.queue.serve(now) {
            self.ledger.note(now, grant);
            if let Some(bell) = self.bells.remove(&grant.ticket) {
                bell.notify_one();
            }
        }
        if let Some((next, _)) = self.queue.next()
            && let Some(bell) = self.bells.get(&next)
        {
            bell.notify_one();
        }
    }
}

/// Somebody in line.
struct Waiting<'a, Q: Queue> {
    tap: &'a Tap<Q>,
    ticket: Ticket,
    urgency: u8,
    bell: Arc<Notify>,
    since: Duration,
    taken: bool,
}

impl<Q: Queue> Waiting<'_, Q> {
    async fn served(&mut self) {
        loop {
            let mine = {
                let mut state = self.tap.state();
                let now = self.tap.now();
                if state.bells.contains_key(&self.ticket) && state.queue.next().is_some_and(|(_, at)| at <= now) {
                    state.serve(now);
                }
                if !state.bells.contains_key(&self.ticket) {
                    state.ledger.waited(now.saturating_sub(self.since));
                    self.taken = true;
                    return;
                }
                state.queue.next().and_then(|(next, at)| (next == self.ticket).then_some(at))
            };
            match mine {
                Some(at) => {
                    tokio::select! {
                        () = sleep_until(self.tap.instant(at)) => {}
                        () = self.bell.notified() => {}
                    }
                }
                None => self.bell.notified().await,
            }
        }
    }
}

impl<Q: Queue> Drop for Waiting<'_, Q> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut state = self.tap.state();
        let now = self.tap.now();
        match state.bells.remove(&self.ticket) {
            Some(_) => state.queue.withdraw(now, self.ticket),
            None => state.queue.refund(self.urgency),
        }
        state.serve(now);
    }
}
