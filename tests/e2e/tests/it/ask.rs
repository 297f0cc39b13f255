//! The SDK's client for threads that wait for their answers.

use std::{future::Future, path::Path};

use anyhow::{Result, bail};
use tidegate_client::{
    Address, Client, Error, Paging,
    api::{Checkpoint, Event, Page},
};
use tokio::runtime::{Builder, Runtime};

/// A client with a runtime of its own. One thread uses it.
pub(crate) struct Ask {
    runtime: Runtime,
    pub(crate) client: Client,
}

impl Ask {
    pub(crate) fn new(socket: &Path) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client: Client::new(Address::Unix(socket.to_owned())) })
    }

    /// Waits for an answer: `ask.run(ask.client.saves())`.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// All events after a place.
    pub(crate) fn events_after(&self, mut after: u64) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        loop {
            let page = self.run(self.client.events(after, 1000, std::time::Duration::ZERO))?;
            let Some(last) = page.items.last() else { return Ok(events) };
            after = last.seq;
            events.extend(page.items);
        }
    }

    /// All checkpoints of all runs.
    pub(crate) fn checkpoints(&self) -> Result<Vec<Checkpoint>, Error> {
        let mut all = Vec::new();
        for run in self.run(self.client.runs(&Paging::default()))?.items {
            // Small pages, so that there is more than one.
            let mut paging = Paging { limit: Some(4), page: None };
            loop {
                let Page { items, next } = match self.run(self.client.checkpoints(&run.run, &paging)) {
                    // The last of the run went since it was listed.
                    Err(error) if error.code() == Some("TG0005") => Page { items: Vec::new(), next: None },
                    page => page?,
                };
                all.extend(items);
                paging.page = next;
                if paging.page.is_none() {
                    break;
                }
            }
        }
        Ok(all)
    }
}

/// Whether the host may have been killed before it could answer.
pub(crate) fn unanswered(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Broken { .. } | Error::TimedOut { .. })
}

/// A number from the environment.
pub(crate) fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => bail!("{variable}={text} is no number"),
        },
        Err(_) => Ok(None),
    }
}
