//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with full jitter, from a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait before the second try, at most.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Backoff {
    /// The wait after `failures` (1 or more) failures: between half and all of base × 2^(failures - 1), never over the
    /// cap. The seed says where between, so that many who fail together do not come back together.
    pub fn after(self, failures: u32, seed: &[u8]) -> Duration {
        let most = self.base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.cap);
        most / 2 + scatter(most / 2, &[seed, &failures.to_le_bytes()].concat())
    }
}

/// A duration from zero to `most`, evenly spread over seeds and the same for the same seed.
pub fn scatter(most: Duration, seed: &[u8]) -> Duration {
    let hash = blake3::hash(seed);
    let mut word = [0; 4];
    word.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    most.mul_f64(f64::from(u32::from_le_bytes(word)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_differ_by_seed() {
        let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(5) };
        for failures in 1..64 {
            let wait = backoff.after(failures, b"a");
            let most = Duration::from_millis(100 << (failures - 1).min(20)).min(Duration::from_secs(5));
            assert!(wait >= most / 2 && wait <= most, "{failures}: {wait:?}");
        }
        assert_ne!(backoff.after(3, b"a"), backoff.after(3, b"b"));
        assert_eq!(backoff.after(3, b"a"), backoff.after(3, b"a"));
    }
}
