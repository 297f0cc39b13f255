//! One at a time, and a short queue: compiling must not become many processes, nor many threads that wait for them.

use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::Error;

/// Components that are compiled or wait for it.
const MOST: usize = 16;

/// Who may compile.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: AtomicUsize,
    taken: Mutex<bool>,
    free: Condvar,
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
struct Place<'a>(&'a Turns);

/// The only one, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(Place<'a>);

impl Turns {
    /// Waits for its turn, for so long or for as long as it takes.
    ///
    /// # Errors
    /// [`Error::CompilerBusy`] if too many wait already, [`Error::CompilerTaken`] if others took too long.
    pub(super) fn take(&self, patience: Option<Duration>) -> Result<Turn<'_>, Error> {
        let before = self.waiting.fetch_add(1, SeqCst);
        let place = Place(self);
        if before >= MOST {
            return Err(Error::CompilerBusy(before));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match patience {
            None => taken = self.free.wait_while(taken, |it| *it).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.free.wait_timeout_while(taken, patience, |it| *it);
                let (now, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                if waited.timed_out() {
                    return Err(Error::CompilerTaken(patience));
                }
                taken = now;
            }
        }
        *taken = true;
        Ok(Turn(place))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Self(Place(turns)) = self;
        *turns.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        turns.free.notify_one();
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
        let first = turns.take(None).unwrap();
        thread::scope(|scope| {
            let waiters: Vec<_> = (1..MOST)
                .map(|_| {
                    scope.spawn(|| {
                        let _turn = turns.take(None).unwrap();
                        assert_eq!(inside.fetch_add(1, SeqCst), 0);
                        inside.fetch_sub(1, SeqCst);
                    })
                })
                .collect();
            while turns.waiting.load(SeqCst) < MOST {
                thread::yield_now();
            }
            assert_eq!(turns.take(None).unwrap_err(), Error::CompilerBusy(MOST));
            drop(first);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        });
        assert_eq!(turns.waiting.load(SeqCst), 0);
        drop(turns.take(None).unwrap());
    }

    #[test]
    fn whoever_does_not_wait_for_ever_is_told_and_gives_its_place_back() {
        let (turns, patience) = (Turns::default(), Duration::from_millis(1));
        let first = turns.take(Some(patience)).unwrap();
        assert_eq!(turns.take(Some(patience)).unwrap_err(), Error::CompilerTaken(patience));
        assert_eq!(turns.waiting.load(SeqCst), 1);
        drop(first);
        drop(turns.take(Some(patience)).unwrap());
    }
}
