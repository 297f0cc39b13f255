//! Bounded concurrency for many small pieces of work of one job: the first failure stops the rest, and nothing is left
//! running when the job ends.

use std::{future::Future, sync::Arc};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// Runs tasks, each under a permit. Dropping it aborts them.
pub(crate) struct Crew {
    tasks: JoinSet<Result<(), Error>>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    failure: Option<Error>,
}

impl Crew {
    /// A crew that takes its permits here, and stops when `cancel` is cancelled.
    pub(crate) fn new(permits: Arc<Semaphore>, cancel: &CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), permits, stop: cancel.child_token(), failure: None }
    }

    /// Cancelled when the job was called off or a task failed: tasks look at it between blocks.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits for a permit and starts the task. False when the job is ending: there is no use in going on.
    pub(crate) async fn start<F>(&mut self, task: F) -> bool
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        while let Some(ended) = self.tasks.try_join_next() {
            self.note(ended.unwrap_or_else(|error| Err(error.into())));
        }
        let stop = self.stop.clone();
        let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&self.permits).acquire_owned()).await else {
            return false;
        };
        self.tasks.spawn(under(permit, stop, task));
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

    fn crew(permits: usize) -> Crew {
        Crew::new(Arc::new(Semaphore::new(permits)), &CancellationToken::new())
    }

    #[tokio::test]
    async fn the_failure_is_reported_and_not_what_it_stopped() {
        let mut crew = crew(2);
        let (stop, stopped) = (crew.stop(), crew.stop());
        // Ends before the failing one is heard, because of it.
        crew.start(async move {
            stop.cancelled().await;
            Err(Error::Cancelled)
        })
        .await;
        crew.start(async move {
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
        assert!(crew.start(async { Err(Error::Worker("the cause".into())) }).await);
        assert!(!crew.start(async { unreachable!() }).await || crew.stop().is_cancelled());
        assert!(matches!(crew.finish().await, Err(Error::Worker(_))));
    }

    #[tokio::test]
    async fn a_crew_that_is_called_off_says_so() {
        let cancel = CancellationToken::new();
        let crew = Crew::new(Arc::new(Semaphore::new(1)), &cancel);
        cancel.cancel();
        assert!(matches!(crew.finish().await, Err(Error::Cancelled)));
    }
}
