//! Until when a handler may run, for host calls: neither epochs nor fuel interrupt those.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// When a call into a bot must have ended. Cheap to clone and to look at.
#[derive(Debug, Clone)]
pub struct Deadline {
    ticks: Arc<AtomicU64>,
    end: u64,
}

impl Deadline {
    /// So many ticks of this count from now.
    pub(crate) fn after(ticks: &Arc<AtomicU64>, wait: u64) -> Self {
        Self { ticks: ticks.clone(), end: ticks.load(Relaxed).saturating_add(wait) }
    }

    /// One that never passes.
    pub fn never() -> Self {
        Self { ticks: Arc::default(), end: u64::MAX }
    }

    /// One that has passed.
    pub fn past() -> Self {
        Self { ticks: Arc::default(), end: 0 }
    }

    /// Whether it has passed: a host call that is still at work gives up, and the bot is stopped as soon as it returns.
    pub fn passed(&self) -> bool {
        self.ticks.load(Relaxed) >= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_with_its_last_tick() {
        let ticks = Arc::default();
        let deadline = Deadline::after(&ticks, 2);
        ticks.fetch_add(1, Relaxed);
        assert!(!deadline.passed());
        ticks.fetch_add(1, Relaxed);
        assert!(deadline.passed() && Deadline::past().passed() && !Deadline::never().passed());
    }
}
