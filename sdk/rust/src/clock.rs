//! The only clock there is.

use crate::host::clock as host;

/// The time of the event that is being handled, in nanoseconds since 1970, UTC. It stands still during a handler.
pub fn now() -> u64 {
    host::now()
}
