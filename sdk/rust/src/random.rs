//! Chance that repeats: the same event draws the same, however often it is handled. Not for secrets.

use crate::{Refusal, host::random as host};

/// The next number of the event's stream, of all that there are.
///
/// # Errors
/// `unavailable` in `configure`, which has no event.
///
/// ```
/// use tidegate_sdk::{random, testing::Cluster};
/// let draw = || {
///     let _cluster = Cluster::new();
///     (random::next_u64().unwrap(), random::next_u64().unwrap())
/// };
/// assert_eq!(draw(), draw());
/// assert_ne!(draw().0, draw().1);
/// ```
pub fn next_u64() -> Result<u64, Refusal> {
    host::next_u64()
}

/// A number from 0 to just below `end`, each as likely as the others; 0 if `end` is 0.
///
/// # Errors
/// As [`next_u64`].
///
/// ```
/// use tidegate_sdk::{random, testing::Cluster};
/// let _cluster = Cluster::new();
/// assert!((0..100).all(|_| random::below(6).unwrap() < 6));
/// assert_eq!(random::below(0).unwrap(), 0);
/// ```
pub fn below(end: u64) -> Result<u64, Refusal> {
    // The upper half of the product; what is uneven about it is below one in 2^64 divided by `end`.
    Ok(((u128::from(next_u64()?) * u128::from(end)) >> 64) as u64)
}

/// The next bytes of the event's stream: 1 to 4096.
///
/// # Errors
/// As [`next_u64`], and `invalid` for another count.
///
/// ```
/// use tidegate_sdk::{random, testing::Cluster};
/// let _cluster = Cluster::new();
/// assert_eq!(random::next_bytes(20).unwrap().len(), 20);
/// assert_eq!(random::next_bytes(0).unwrap_err().class(), "invalid");
/// ```
pub fn next_bytes(count: u32) -> Result<Vec<u8>, Refusal> {
    host::next_bytes(count)
}
