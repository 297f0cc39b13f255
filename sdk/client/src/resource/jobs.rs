use hyper::Method;
use tidegate_api::{Job, Page};

use crate::{Client, Error, Paging, transport::Call};

impl Client {
    /// A page of jobs: those that run or wait, then the newest that have ended.
    ///
    /// # Errors
    /// The host can't be reached; a page token that is none.
    pub async fn jobs(&self, paging: &Paging) -> Result<Page<Job>, Error> {
        self.ask(paging.on(Call::get(&["v1", "jobs"]))).await
    }

    /// One job.
    ///
    /// # Errors
    /// `TG0017` when there is no such job.
    pub async fn job(&self, id: &str) -> Result<Job, Error> {
        self.ask(Call::get(&["v1", "jobs", id])).await
    }

    /// Calls a job off.
    ///
    /// # Errors
    /// `TG0017` when there is no such job, `TG0024` when it has ended.
    pub async fn cancel_job(&self, id: &str) -> Result<Job, Error> {
        self.ask(Call::new(Method::DELETE, &["v1", "jobs", id])).await
    }
}
