use std::time::Duration;

use hyper::Method;
use tidegate_api::{Restore, RestoreRequest};

use crate::{Client, Error, transport::Call};

impl Client {
    /// Starts to restore a checkpoint, and waits up to `wait` (at most a minute) for its end. Look at `state`: one that
    /// failed is an answer, not an error of the call.
    ///
    /// # Errors
    /// `TG0005`, `TG0006` or `TG0015` when there is no such complete checkpoint, `TG0016` when the directory exists,
    /// `TG0032` when it would be made for another user than the host's.
    pub async fn restore(&self, request: &RestoreRequest, wait: Duration) -> Result<Restore, Error> {
        let call = Call::post(&["v1", "restores"]).json(request)?.once();
        self.ask(call.wait(wait, self.options().timeout)).await
    }

    /// How a restore stands, after waiting up to `wait` (at most a minute) for its end.
    ///
    /// # Errors
    /// `TG0018` when the host does not know it any more.
    pub async fn restore_state(&self, id: &str, wait: Duration) -> Result<Restore, Error> {
        self.ask(Call::get(&["v1", "restores", id]).wait(wait, self.options().timeout)).await
    }

    /// Releases a restore: calls it off if it runs, removes its directory if it is the host's.
    ///
    /// # Errors
    /// `TG0018` when the host does not know it any more.
    pub async fn release_restore(&self, id: &str) -> Result<(), Error> {
        self.tell(Call::new(Method::DELETE, &["v1", "restores", id])).await
    }
}
