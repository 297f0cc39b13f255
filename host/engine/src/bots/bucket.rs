//! How many log lines a bot may write over time.

use std::time::Duration;

/// Lines at once, after a quiet time.
const BURST: f64 = 256.0;
/// Lines a second.
const RATE: f64 = 20.0;

/// A bucket that fills with time and is emptied by lines.
#[derive(Debug)]
pub(super) struct Bucket {
    level: f64,
    at: Duration,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { level: BURST, at: Duration::ZERO }
    }
}

impl Bucket {
    /// Lines that may be written now.
    pub(super) fn room(&mut self, now: Duration) -> usize {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.level = (self.level + passed * RATE).min(BURST);
        self.level as usize
    }

    /// So many were.
    pub(super) fn take(&mut self, lines: usize) {
        self.level = (self.level - lines as f64).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_a_rate() {
        let (mut bucket, mut kept) = (Bucket::default(), 0);
        for tenth in 0..600 {
            let room = bucket.room(Duration::from_millis(tenth * 100)).min(64);
            bucket.take(room);
            kept += room;
        }
        assert!((256 + 20 * 59..=256 + 20 * 60).contains(&kept), "{kept}");
    }
}
