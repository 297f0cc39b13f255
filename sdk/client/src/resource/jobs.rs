use hyper::Method;
use tidegate_api::{Job, Page};

use crate::{Client, Error, transport::Call};

impl Client {
    /// At most `limit` (1 to 1000) jobs: those that run or wait, then the newest that have ended.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn jobs(&self, limit: usize) -> Result<Page<Job>, Error> {
        self.ask(Call::get(&["v1", "jobs"]).query("limit", limit)).await
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
