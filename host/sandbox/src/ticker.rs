//! The thread that makes time pass for bots, only while there are any at work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use wasmtime::EngineWeak;

use crate::Deadline;

/// After so many ticks without work the thread goes to sleep: an idle host is not woken a hundred times a second.
const LINGER: u32 = 100;

/// Counts an engine's epochs while somebody runs. Stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    tick: Duration,
    /// When the next tick is due, in nanoseconds since the beginning.
    next: AtomicU64,
    /// Ticks so far, for deadlines of host calls.
    ticks: Arc<AtomicU64>,
    running: AtomicU32,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

/// Somebody runs, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread. It does not keep the engine alive.
    pub(crate) fn start(engine: EngineWeak, tick: Duration) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(tick));
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("tidegate-epoch".into()).spawn(move || run(&theirs, &engine))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Ticks from now until so much time has passed: the last of them comes at most a tenth of a tick early, and less than a
    /// tick late. To be asked while one [has entered](Self::enter).
    pub(crate) fn until(&self, wait: Duration) -> u64 {
        let shared = &*self.shared;
        let tick = nanos(shared.tick);
        let due = match shared.asleep.load(SeqCst) {
            // It begins anew when it wakes.
            true => tick,
            false => shared.next.load(SeqCst).saturating_sub(shared.now()),
        };
        ticks(nanos(wait).saturating_sub(tick / 10), due, tick)
    }

    /// The same as something to look at.
    pub(crate) fn deadline(&self, ticks: u64) -> Deadline {
        Deadline::after(&self.shared.ticks, ticks)
    }

    /// From now on the epochs pass.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        // Either this sees the thread asleep and wakes it, or the thread, which looks again after it said so, sees us.
        if self.shared.asleep.load(SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Ticks, one each `tick` and the next `due` from now, until `wait` has passed.
fn ticks(wait: u64, due: u64, tick: u64) -> u64 {
    1 + wait.saturating_sub(due.min(tick)).div_ceil(tick)
}

impl Shared {
    #[allow(clippy::disallowed_methods, reason = "the sandbox's own pulse, which no bot sees")]
    fn new(tick: Duration) -> Self {
        let (next, ticks, running) = (AtomicU64::new(nanos(tick)), Arc::default(), AtomicU32::new(0));
        let (asleep, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { began: Instant::now(), tick, next, ticks, running, asleep, stopped }
    }

    /// Nanoseconds since the beginning.
    fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }
}

fn run(shared: &Shared, engine: &EngineWeak) {
    let (tick, mut idle) = (nanos(shared.tick), 0);
    let mut next = shared.next.load(SeqCst);
    while !shared.stopped.load(SeqCst) {
        let now = shared.now();
        // A wake-up may come at any time; a tick only when it is due, so that no deadline passes early.
        if now < next {
            thread::park_timeout(Duration::from_nanos(next - now));
            continue;
        }
        // In step with the clock; but ticks that were missed are not made up for: handlers were kept from working as well.
        next = if now - next < tick { next + tick } else { now + tick };
        shared.next.store(next, SeqCst);
        match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                shared.ticks.fetch_add(1, SeqCst);
            }
            None => return,
        }
        idle = if shared.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle > LINGER {
            shared.asleep.store(true, SeqCst);
            while shared.running.load(SeqCst) == 0 && !shared.stopped.load(SeqCst) {
                thread::park();
            }
            next = shared.now() + tick;
            shared.next.store(next, SeqCst);
            shared.asleep.store(false, SeqCst);
            idle = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_with_the_first_tick_after_it() {
        // Due now, and five more are fifty.
        assert_eq!(ticks(50, 0, 10), 6);
        // Due in nine: the fifth comes at 49, the sixth at 59.
        assert_eq!(ticks(50, 9, 10), 6);
        assert_eq!(ticks(50, 10, 10), 5);
        // Long overdue, or said to be far away: never more than a tick.
        assert_eq!((ticks(1, 0, 10), ticks(50, u64::MAX, 10)), (2, 5));
        for due in 0..=10 {
            let last = due + (ticks(50, due, 10) - 1) * 10;
            assert!((50..60).contains(&last), "due in {due}: {last}");
        }
    }
}
