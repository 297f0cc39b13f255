use hyper::Method;
use tidegate_api::{Checkpoint, Page, PinRequest, PruneAnswer, PruneRequest, Run, UnpinRequest};

use crate::{Client, Error, Paging, transport::Call};

impl Client {
    /// The runs that the host knows, by name.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn runs(&self, paging: &Paging) -> Result<Page<Run>, Error> {
        self.ask(paging.on(Call::get(&["v1", "runs"]))).await
    }

    /// One run.
    ///
    /// # Errors
    /// `TG0005` when the host does not know it.
    pub async fn run(&self, run: &str) -> Result<Run, Error> {
        self.ask(Call::get(&["v1", "runs", run])).await
    }

    /// A run's checkpoints, newest first, complete or not.
    ///
    /// # Errors
    /// `TG0005` when the host does not know the run.
    pub async fn checkpoints(&self, run: &str, paging: &Paging) -> Result<Page<Checkpoint>, Error> {
        self.ask(paging.on(Call::get(&["v1", "runs", run, "checkpoints"]))).await
    }

    /// One checkpoint by its step; `latest` is the newest complete one.
    ///
    /// # Errors
    /// `TG0005` or `TG0006` when there is none.
    pub async fn checkpoint(&self, run: &str, step: impl ToString) -> Result<Checkpoint, Error> {
        self.ask(Call::get(&["v1", "runs", run, "checkpoints", &step.to_string()])).await
    }

    /// Holds a checkpoint against every prune; durable when this returns.
    ///
    /// # Errors
    /// `TG0006` when there is no such checkpoint.
    pub async fn pin(&self, run: &str, step: u64, reason: &str) -> Result<Checkpoint, Error> {
        self.ask(pin_call(Method::PUT, run, step).json(&PinRequest { reason: reason.to_owned() })?).await
    }

    /// Takes the operator's pin back; durable when this returns.
    ///
    /// # Errors
    /// `TG0006` when there is no such checkpoint; `TG0041` when only others hold it, whom the detail names.
    pub async fn unpin(&self, run: &str, step: u64, reason: &str) -> Result<Checkpoint, Error> {
        self.lift(run, step, UnpinRequest { reason: reason.to_owned(), by: None }).await
    }

    /// Lifts the pin of any holder, such as a bot that was removed; durable when this returns. A bot at work may pin again.
    ///
    /// # Errors
    /// As [`Client::unpin`]; `TG0003` for what can't be a holder's name.
    pub async fn unpin_of(&self, run: &str, step: u64, holder: &str, reason: &str) -> Result<Checkpoint, Error> {
        self.lift(run, step, UnpinRequest { reason: reason.to_owned(), by: Some(holder.to_owned()) }).await
    }

    async fn lift(&self, run: &str, step: u64, request: UnpinRequest) -> Result<Checkpoint, Error> {
        self.ask(pin_call(Method::DELETE, run, step).json(&request)?).await
    }

    /// Asks that a checkpoint's bytes go from a tier, or what the guard would say to it.
    ///
    /// # Errors
    /// `TG0023` when the guard refuses; the detail says which rule.
    pub async fn prune(&self, run: &str, step: u64, request: &PruneRequest) -> Result<PruneAnswer, Error> {
        let call = Call::post(&["v1", "runs", run, "checkpoints", &step.to_string(), "prune"]);
        self.ask(call.json(request)?.once()).await
    }
}

fn pin_call(method: Method, run: &str, step: u64) -> Call {
    Call::new(method, &["v1", "runs", run, "checkpoints", &step.to_string(), "pin"])
}
