//! Chance that repeats: the same event draws the same, however often it is handled. Not for secrets.

use crate::{Refusal, host::random as host};

/// The next number of the event's stream, of all that there are.
///
/// # Errors
/// `unavailable` in `configure`, which has no event.
pub fn next_u64() -> Result<u64, Refusal> {
    host::next_u64()
}

/// A number from 0 to just below `end`, each as likely as the others; 0 if `end` is 0.
///
/// # Errors
/// As [`next_u64`].
pub fn below(end: u64) -> Result<u64, Refusal> {
    // The upper half of the product; what is uneven about it is below one in 2^64 divided by `end`.
    Ok(((u128::from(next_u64()?) * u128::from(end)) >> 64) as u64)
}

/// The next bytes of the event's stream: 1 to 4096.
///
/// # Errors
/// As [`next_u64`], and `invalid` for another count.
pub fn next_bytes(count: u32) -> Result<Vec<u8>, Refusal> {
    host::next_bytes(count)
}
