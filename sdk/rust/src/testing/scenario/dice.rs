//! Chance that a seed makes.

use std::time::Duration;

use crate::jitter::mixed;

/// The stream of splitmix64.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(mixed(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// From 0 to just below `end`, or 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// From half of a time to all of it, in nanoseconds.
    pub(super) fn about(&mut self, most: Duration) -> u64 {
        let half = nanos(most) / 2;
        half + self.below(half)
    }
}

/// A time in nanoseconds; stops at the end of the range.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_and_within_bounds() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..1000).map(|_| dice.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        let mut counts = [0; 10];
        draw(3).into_iter().for_each(|drawn| counts[drawn as usize] += 1);
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        let about = Dice::new(5).about(Duration::from_secs(2));
        assert!((1_000_000_000..2_000_000_000).contains(&about), "{about}");
    }
}
