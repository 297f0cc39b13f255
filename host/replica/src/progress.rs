//! How far a long piece of work is, and a way to call it off.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio_util::sync::CancellationToken;

use crate::budget::{self, Lane, lane};

/// Shared between the work and who watches it. Clones are the same progress.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    total: AtomicU64,
    done: AtomicU64,
    cancel: CancellationToken,
    lane: Lane,
}

impl Progress {
    /// Nothing done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing done yet, for uploads of a priority from 0 to 9 that move so many bytes a second at most. None: as fast as
    /// the target's budget lets them.
    pub fn of_upload(priority: u8, rate: Option<u64>) -> Self {
        let lane = Lane { urgency: priority.min(lane::RESTORE - 1), own: budget::own(rate) };
        Self(Arc::new(Inner { lane, ..Inner::default() }))
    }

    /// The lane of this work's uploads.
    pub(crate) fn lane(&self) -> Lane {
        self.0.lane.clone()
    }

    /// Bytes of the whole work; zero before it has begun.
    pub fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Bytes done: shipped and verified, or restored. Never more than the total.
    pub fn done(&self) -> u64 {
        self.0.done.load(Ordering::Relaxed).min(self.total())
    }

    /// Calls the work off: it ends soon with [`crate::Error::Cancelled`] and cleans up behind itself.
    pub fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// Whether it was called off.
    pub fn cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    pub(crate) fn begin(&self, total: u64) {
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.0.cancel
    }
}
