//! Copies to object storage.

pub use crate::bindings::tidegate::bot::replication::Request;
use crate::{Refusal, host::replication as host};

/// Asks to copy a complete checkpoint's local shards to a target and to verify them there. Returns the effect's id.
///
/// # Errors
/// The host's refusal; `unnecessary` when the copy exists or is already asked for.
pub fn replicate(request: &Request) -> Result<String, Refusal> {
    host::replicate(request)
}
