//! The thread that makes time pass for bots, only while there are any at work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
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

#[derive(Debug, Default)]
struct Shared {
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
        let shared = Arc::<Shared>::default();
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("tidegate-epoch".into()).spawn(move || run(&theirs, &engine, tick))?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// So many ticks from now, while somebody runs.
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

fn run(shared: &Shared, engine: &EngineWeak, tick: Duration) {
    let mut idle = 0;
    while !shared.stopped.load(SeqCst) {
        thread::park_timeout(tick);
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
            shared.asleep.store(false, SeqCst);
            idle = 0;
        }
    }
}
