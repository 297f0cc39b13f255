//! As many handlers at once as the pool has room for; the next one waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A counting semaphore for threads.
#[derive(Debug)]
pub(crate) struct Permits {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u32,
    /// Who waits is woken; if nobody does, no system call is made.
    waiting: u32,
}

/// A place in the pool, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    /// So many at once.
    pub(crate) fn new(count: u32) -> Self {
        Self { state: Mutex::new(State { free: count, waiting: 0 }), freed: Condvar::new() }
    }

    /// Waits for a place.
    pub(crate) fn acquire(&self) -> Permit<'_> {
        let mut state = self.lock();
        while state.free == 0 {
            state.waiting += 1;
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        state.free -= 1;
        Permit(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code between a lock and its release can panic, so the numbers are right in every case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.free += 1;
        if state.waiting > 0 {
            self.0.freed.notify_one();
        }
    }
}
