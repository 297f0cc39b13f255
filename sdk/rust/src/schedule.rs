//! Being woken at a time of the bot's own choice.
//!
//! ```
//! use tidegate_sdk::{after, random, schedule, testing::Cluster};
//! let cluster = Cluster::new();
//! let soon = after(cluster.now(), std::time::Duration::from_secs(random::below(60).unwrap()));
//! schedule::wake_at(soon, "look again", "the disk was full").unwrap();
//! assert_eq!(cluster.wakes()["look again"], soon);
//! schedule::cancel("look again").unwrap();
//! assert!(cluster.wakes().is_empty());
//! ```

use crate::{Refusal, host::schedule as host};

/// Asks to be woken at a time, in nanoseconds since 1970, or soon if it is past: by
/// [`Occurrence::Woken`](crate::Occurrence::Woken) with this key of 1 to 256 bytes. A key has one time: asking again moves
/// it. At most 256 keys, at most 400 days ahead; no grant is needed.
///
/// # Errors
/// `over-quota` for too many keys, `invalid` for what is out of bounds.
///
/// ```
/// use tidegate_sdk::{after, clock, schedule, testing::Cluster};
/// let cluster = Cluster::new();
/// let soon = after(clock::now(), std::time::Duration::from_secs(60));
/// schedule::wake_at(soon, "look again", "the disk was full").unwrap();
/// assert_eq!(cluster.wakes()["look again"], soon);
/// assert_eq!(schedule::wake_at(u64::MAX, "never", "too far").unwrap_err().class(), "invalid");
/// ```
pub fn wake_at(time: u64, key: &str, reason: &str) -> Result<(), Refusal> {
    host::wake_at(time, key, reason)
}

/// Takes back what was asked for a key; no error if nothing was.
///
/// # Errors
/// The host's refusal.
///
/// ```
/// use tidegate_sdk::{schedule, testing::Cluster};
/// let cluster = Cluster::new();
/// schedule::wake_at(5_000_000_000, "look again", "the disk was full").unwrap();
/// schedule::cancel("look again").unwrap();
/// assert!(cluster.wakes().is_empty());
/// ```
pub fn cancel(key: &str) -> Result<(), Refusal> {
    host::cancel(key)
}
