//! How far work of several steps is, each of which reports for itself.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tidegate_replica::Progress;

/// Progress over several shards. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    total: AtomicU64,
    past: AtomicU64,
    step: Mutex<Step>,
}

#[derive(Debug, Default)]
struct Step {
    current: Progress,
    cancelled: bool,
}

impl Track {
    fn step(&self) -> MutexGuard<'_, Step> {
        self.0.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    pub(crate) fn done(&self) -> u64 {
        let now = self.step().current.done();
        self.0.past.load(Ordering::Relaxed).saturating_add(now).min(self.total())
    }

    /// The progress of the next step, which has this priority and moves so many bytes a second at most; that of the last
    /// one no longer counts.
    pub(crate) fn begin_step(&self, priority: u8, rate: Option<u64>) -> Progress {
        let mut step = self.step();
        step.current = Progress::of_upload(priority, rate);
        if step.cancelled {
            step.current.cancel();
        }
        step.current.clone()
    }

    /// A step of so many bytes is over.
    pub(crate) fn end_step(&self, bytes: u64) {
        let mut step = self.step();
        step.current = Progress::new();
        self.0.past.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Calls this step off, and those to come.
    pub(crate) fn cancel(&self) {
        let mut step = self.step();
        step.cancelled = true;
        step.current.cancel();
    }
}
