//! Bounded concurrency for many small pieces of work of one job: the first failure stops the rest, and nothing is left
//! running when the job ends.

use std::{future::Future, num::NonZeroUsize, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{Error, budget::Lane};

/// What a whole part takes of the permits. A small file takes less, down to one: many of them cost no more memory than
/// one part, and their speed is how many are on the way at once.
pub(crate) const WHOLE: usize = 16;

/// Permits for so many whole parts at a time.
pub(crate) fn permits(parts: NonZeroUsize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(parts.get().saturating_mul(WHOLE).min(Semaphore::MAX_PERMITS)))
}

/// The permits for `bytes` where a whole part has `part`.
pub(crate) fn share(bytes: u64, part: u64) -> u32 {
    let whole = WHOLE as u64;
    u32::try_from(bytes.saturating_mul(whole).div_ceil(part.max(1)).clamp(1, whole)).unwrap_or(1)
}

/// Runs tasks, each under its permits. Dropping it aborts them.
pub(crate) struct Crew {
    tasks: JoinSet<Result<(), Error>>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    failure: Option<Error>,
    /// The lane of the job, which its tasks go on too.
    lane: Lane,
}

impl Crew {
    /// A crew that takes its permits here, and stops when `cancel` is cancelled.
    pub(crate) fn new(permits: Arc<Semaphore>, cancel: &CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), permits, stop: cancel.child_token(), failure: None, lane: Lane::current() }
    }

    /// Cancelled when the job was called off or a task failed: tasks look at it between blocks.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits for permits and starts the task. False when the job is ending: there is no use in going on.
    pub(crate) async fn start<F>(&mut self, share: u32, task: F) -> bool
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        while let Some(ended) = self.tasks.try_join_next() {
            self.note(ended.unwrap_or_else(|error| Err(error.into())));
        }
        let stop = self.stop.clone();
        let acquire = Arc::clone(&self.permits).acquire_many_owned(share);
        let Some(Ok(permit)) = stop.run_until_cancelled(acquire).await else {
            return false;
        };
        self.tasks.spawn(self.lane.clone().scope(under(permit, stop, task)));
        true
    }

    fn note(&mut self, result: Result<(), Error>) {
        let Err(error) = result else { return };
        self.stop.cancel();
        // Those that a failure stopped may be heard before it, and are only its echo.
        if self.failure.is_none() || matches!(self.failure, Some(Error::Cancelled)) {
            self.failure = Some(error);
        }
    }

    /// Waits until every task has ended.
    ///
    /// # Errors
    /// The first failure, or [`Error::Cancelled`].
    pub(crate) async fn finish(mut self) -> Result<(), Error> {
        while let Some(ended) = self.tasks.join_next().await {
            self.note(ended.unwrap_or_else(|error| Err(error.into())));
        }
        match self.failure {
            Some(error) => Err(error),
            None if self.stop.is_cancelled() => Err(Error::Cancelled),
            None => Ok(()),
        }
    }
}

async fn under<F>(permit: OwnedSemaphorePermit, stop: CancellationToken, task: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>>,
{
    let result = if stop.is_cancelled() { Err(Error::Cancelled) } else { task.await };
    if result.is_err() {
        stop.cancel();
    }
    drop(permit);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(parts: usize) -> Crew {
        Crew::new(permits(NonZeroUsize::new(parts).unwrap()), &CancellationToken::new())
    }

    #[tokio::test]
    async fn the_failure_is_reported_and_not_what_it_stopped() {
        let mut crew = crew(2);
        let (stop, stopped) = (crew.stop(), crew.stop());
        // Ends before the failing one is heard, because of it.
        crew.start(16, async move {
            stop.cancelled().await;
            Err(Error::Cancelled)
        })
        .await;
        crew.start(16, async move {
            stopped.cancel();
            tokio::task::yield_now().await;
            Err(Error::Worker("the cause".into()))
        })
        .await;
        assert!(matches!(crew.finish().await, Err(Error::Worker(_))));
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_started() {
        let mut crew = crew(1);
        assert!(crew.start(16, async { Err(Error::Worker("the cause".into())) }).await);
        assert!(!crew.start(16, async { unreachable!() }).await || crew.stop().is_cancelled());
        assert!(matches!(crew.finish().await, Err(Error::Worker(_))));
    }

    #[tokio::test]
    async fn a_crew_that_is_called_off_says_so() {
        let cancel = CancellationToken::new();
        let crew = Crew::new(permits(NonZeroUsize::MIN), &cancel);
        cancel.cancel();
        assert!(matches!(crew.finish().await, Err(Error::Cancelled)));
    }

    #[test]
    fn small_files_take_small_shares_and_no_share_is_more_than_a_part() {
        let part = 16 << 20;
        let shares = [0, 1000, 1 << 20, (1 << 20) + 1, 8 << 20, part, part * 10].map(|bytes| share(bytes, part));
        assert_eq!(shares, [1, 1, 1, 2, 8, 16, 16]);
    }
}
