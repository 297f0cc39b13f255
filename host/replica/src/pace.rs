//! At most so many bytes a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Spaces pieces of work so that their bytes keep to a rate over time. A piece starts when those before it would have
/// ended at that rate, and then goes as fast as it can: what is bounded is the mean, not the moment.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes a second; 1 or more.
    rate: u64,
    /// When the next piece may start.
    free: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many bytes a second; 0 is taken as 1.
    pub(crate) fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), free: Mutex::new(None) }
    }

    /// Waits for the turn of a piece of so many bytes.
    pub(crate) async fn turn(&self, bytes: u64) {
        sleep_until(self.book(Instant::now(), bytes)).await;
    }

    /// When a piece of so many bytes that is there at `now` may start; the next one waits for its end.
    fn book(&self, now: Instant, bytes: u64) -> Instant {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free.map_or(now, |free| free.max(now));
        *free = start.checked_add(takes).or(Some(start));
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_start_when_those_before_would_have_ended() {
        let (pace, began) = (Pace::new(1_000), Instant::now());
        for (bytes, starts) in [(500, 0), (2_000, 500), (0, 2_500), (1, 2_500)] {
            assert_eq!(pace.book(began, bytes) - began, Duration::from_millis(starts));
        }
        let idle = began + Duration::from_secs(60);
        assert_eq!(pace.book(idle, 1_000), idle, "who was idle is not kept waiting");
    }
}
