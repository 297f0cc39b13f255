//! Copies to object storage.

pub use crate::bindings::tidegate::bot::replication::Request;
use crate::{Refusal, host::replication as host};

/// Asks to copy a complete checkpoint's local shards to a target and to verify them there. Returns the effect's id.
///
/// # Errors
/// The host's refusal; `unnecessary` when the copy exists or is already asked for.
///
/// ```
/// use tidegate_sdk::{replication::{self, Request}, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// let (run, target, reason) = ("gpt".to_owned(), "default".to_owned(), "complete".to_owned());
/// let request = Request { run, step: 100, target, not_before: 0, priority: 5, reason };
/// assert_eq!(replication::replicate(&request).unwrap().len(), 32);
/// ```
pub fn replicate(request: &Request) -> Result<String, Refusal> {
    host::replicate(request)
}
