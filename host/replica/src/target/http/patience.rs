//! How long a request may take. What it waits for its turn is ours, not the server's, and does not count.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The time that one request has left, shared by its body and its answer's.
#[derive(Debug, Clone)]
pub(super) struct Patience(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    /// None: any time.
    due: Option<Instant>,
    waiting: Option<Instant>,
}

/// It took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(super) struct Expired(pub(super) Duration);

impl Patience {
    /// From now on.
    pub(super) fn new(deadline: Option<Duration>) -> Self {
        let due = deadline.and_then(|deadline| Instant::now().checked_add(deadline));
        Self(Arc::new(Mutex::new(Inner { due, waiting: None })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece waits for its turn from now on.
    pub(super) fn waits(&self) {
        self.inner().waiting.get_or_insert_with(Instant::now);
    }

    /// Its turn has come.
    pub(super) fn goes_on(&self) {
        let mut inner = self.inner();
        if let Some(since) = inner.waiting.take() {
            inner.due = inner.due.map(|due| due + since.elapsed());
        }
    }

    /// When it is over, if nothing more waits.
    pub(super) fn due(&self) -> Option<Instant> {
        let inner = self.inner();
        inner.due.map(|due| due + inner.waiting.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    /// Waits for something so long; none if it took longer.
    pub(super) async fn enforce<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::pin!(work);
        loop {
            let Some(due) = self.due() else { return Some(work.await) };
            tokio::select! {
                biased;
                result = &mut work => return Some(result),
                () = sleep_until(due) => {}
            }
            if self.due().is_some_and(|due| due <= Instant::now()) {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_it_waits_for_its_turn_does_not_count() {
        let patience = Patience::new(Some(Duration::from_secs(2)));
        let work = async {
            sleep(Duration::from_secs(1)).await;
            patience.waits();
            sleep(Duration::from_secs(100)).await;
            patience.goes_on();
            sleep(Duration::from_millis(900)).await;
        };
        assert!(patience.enforce(work).await.is_some());
        assert!(patience.enforce(sleep(Duration::from_millis(200))).await.is_none());
        advance(Duration::from_secs(9)).await;
        assert!(patience.due().unwrap() < Instant::now());
        assert!(Patience::new(None).enforce(sleep(Duration::from_secs(1 << 20))).await.is_some());
    }
}
