//! Copies to object storage.

pub use crate::bindings::tidegate::bot::{replication::Request, types::JobState};
use crate::{Refusal, host::replication as host};

impl Request {
    /// A copy of a checkpoint to a target: at once, as fast as it goes, at priority 5, for as long as it takes. Change the
    /// fields for anything else.
    ///
    /// ```
    /// use tidegate_sdk::replication::Request;
    /// let mut request = Request::new("gpt", 2000, "default", "a round number");
    /// request.rate = Some(50_000_000);
    /// assert_eq!((request.priority, request.deadline), (5, None));
    /// ```
    pub fn new(run: &str, step: u64, target: &str, reason: &str) -> Self {
        let [run, target, reason] = [run, target, reason].map(str::to_owned);
        let (encoding, not_before, deadline, rate, priority) = (None, 0, None, None, 5);
        Self { run, step, target, encoding, not_before, deadline, rate, priority, reason }
    }
}

/// Asks to copy a complete checkpoint's local shards to a target and to verify them there. Returns the effect's id.
///
/// # Errors
/// The host's refusal; `unnecessary` when the copy exists or is already asked for.
///
/// ```
/// use tidegate_sdk::{replication::{self, Request}, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let request = Request::new("gpt", 100, "default", "complete");
/// assert_eq!(replication::replicate(&request).unwrap().len(), 32);
/// ```
pub fn replicate(request: &Request) -> Result<String, Refusal> {
    host::replicate(request)
}

/// How far an effect of this bot has come, as of the event; none if it is not known (any more). Of copies and prunes: pins
/// hold at once.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{replication::{self, JobState, Request}, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let effect = replication::replicate(&Request::new("gpt", 100, "default", "complete")).unwrap();
/// assert_eq!(replication::status(&effect), Ok(Some(JobState::Open)));
/// ```
pub fn status(effect: &str) -> Result<Option<JobState>, Refusal> {
    host::status(effect)
}

/// Asks to call an effect of this bot off, of any kind. What is done already stays done.
///
/// # Errors
/// The host's refusal: `not-found` if this bot has not asked for it, `unnecessary` if it has ended.
///
/// ```
/// use tidegate_sdk::{replication::{self, JobState, Request}, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let effect = replication::replicate(&Request::new("gpt", 100, "default", "complete")).unwrap();
/// replication::cancel(&effect, "a newer one goes first").unwrap();
/// assert_eq!(replication::cancel(&effect, "again").unwrap_err().class(), "unnecessary");
/// ```
pub fn cancel(effect: &str, reason: &str) -> Result<(), Refusal> {
    host::cancel(effect, reason)
}
