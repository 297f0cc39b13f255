//! One at a time, and a short queue: compiling must not become many processes, nor many threads that wait for them.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use crate::Error;

/// Components that are compiled or wait for it.
const MOST: usize = 16;

/// Who may compile.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: AtomicUsize,
    one: Mutex<()>,
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
struct Place<'a>(&'a Turns);

/// The only one, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _one: MutexGuard<'a, ()>,
    _place: Place<'a>,
}

impl Turns {
    /// Waits for its turn.
    ///
    /// # Errors
    /// [`Error::CompilerBusy`] if too many wait already.
    pub(super) fn take(&self) -> Result<Turn<'_>, Error> {
        let before = self.waiting.fetch_add(1, SeqCst);
        let place = Place(self);
        if before >= MOST {
            return Err(Error::CompilerBusy(before));
        }
        Ok(Turn { _one: self.one.lock().unwrap_or_else(PoisonError::into_inner), _place: place })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_compiles_the_others_wait_and_too_many_are_told() {
        let (turns, inside) = (Turns::default(), AtomicUsize::new(0));
        let first = turns.take().unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (1..MOST)
                .map(|_| {
                    scope.spawn(|| {
                        let _turn = turns.take().unwrap();
                        assert_eq!(inside.fetch_add(1, SeqCst), 0);
                        inside.fetch_sub(1, SeqCst);
                    })
                })
                .collect();
            while turns.waiting.load(SeqCst) < MOST {
                thread::yield_now();
            }
            assert_eq!(turns.take().unwrap_err(), Error::CompilerBusy(MOST));
            drop(first);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
        assert_eq!(turns.waiting.load(SeqCst), 0);
        drop(turns.take().unwrap());
    }
}
