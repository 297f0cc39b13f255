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
        if let Err(error) = result {
            self.stop.cancel();
            // What others report after the first failure is only its echo.
            self.failure.get_or_insert(error);
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
