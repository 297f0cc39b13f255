//! The only clock there is.

use crate::host::clock as host;

/// The time of the event that is being handled, in nanoseconds since 1970, UTC. It stands still during a handler.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::{clock, testing::Cluster};
/// let cluster = Cluster::new();
/// let before = clock::now();
/// cluster.advance(Duration::from_nanos(5));
/// assert_eq!(clock::now(), before + 5);
/// ```
pub fn now() -> u64 {
    host::now()
}
