//! What the threads of one round share.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tidegate_client::Error;

use super::ledger::Ledger;
use crate::ask::unanswered;

/// Why a thread stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// The host was killed.
    Killed,
    /// Something that must not be.
    Trouble(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// The ledger, and whether the host is still meant to live.
#[derive(Debug, Default)]
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    killed: AtomicBool,
    trouble: Mutex<Vec<String>>,
    /// The steps that the ranks of a run are at, by run and rank.
    places: Mutex<std::collections::BTreeMap<(String, u32), u64>>,
    moved: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(super) fn ledger_mutex(&self) -> &Mutex<Ledger> {
        &self.ledger
    }

    /// A new round begins.
    pub(super) fn begin(&self) {
        self.killed.store(false, Ordering::SeqCst);
        lock(&self.places).clear();
    }

    /// Said before the host is killed: whoever loses it earlier has found a crash.
    pub(super) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.moved.notify_all();
    }

    pub(super) fn killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// An answer, or why there is none.
    pub(super) fn answer<T>(&self, answer: Result<T, Error>) -> Result<T, Stop> {
        match answer {
            // The object store may be killed a moment before the host.
            Err(error) if self.killed() && (unanswered(&error) || error.code() == Some("TG0026")) => Err(Stop::Killed),
            answer => Ok(answer?),
        }
    }

    /// Runs a thread's work and keeps what went wrong.
    pub(super) fn run(&self, who: &str, work: impl FnOnce() -> Result<(), Stop>) {
        if let Err(Stop::Trouble(error)) = work() {
            lock(&self.trouble).push(format!("{who}: {error:#}"));
        }
    }

    pub(super) fn troubles(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.trouble))
    }

    /// Waits until the other rank of the run is at most two steps behind, as trainers do that exchange gradients.
    pub(super) fn keep_pace(&self, run: &str, rank: u32, step: u64) -> Result<(), Stop> {
        let mut places = lock(&self.places);
        places.insert((run.to_owned(), rank), step);
        self.moved.notify_all();
        loop {
            if self.killed() {
                return Err(Stop::Killed);
            }
            let other = places.get(&(run.to_owned(), 1 - rank)).copied();
            if other.is_none_or(|other| step <= other + 2) {
                return Ok(());
            }
            let waited = self.moved.wait_timeout(places, Duration::from_millis(200));
            places = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
