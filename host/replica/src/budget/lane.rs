//! On whose behalf a request is made: told to the HTTP layer past `object_store`, which has no word for it, as a property
//! of the task.

use std::{future::Future, sync::Arc};

use super::tap::{Tap, Units};

/// A restore: a machine that stands still waits for it.
pub(crate) const RESTORE: u8 = 10;
/// Listings, markers, probes, deletions: next to no bytes, and somebody waits for them.
const ERRAND: u8 = 9;

/// How urgent a task's requests are, and its own bound on bytes a second.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    /// 0 to 9 as a replication's priority; [`RESTORE`].
    pub(crate) urgency: u8,
    /// On top of the target's; for uploads.
    pub(crate) own: Option<Arc<Tap<Units>>>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { urgency: ERRAND, own: None }
    }
}

tokio::task_local! {
    static LANE: Lane;
}

impl Lane {
    /// The restores' lane.
    pub(crate) fn of_restores() -> Self {
        Self { urgency: RESTORE, own: None }
    }

    /// The lane of this task.
    pub(crate) fn current() -> Self {
        LANE.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs on this lane. Tasks that are spawned are not on it unless they are told.
    pub(crate) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        LANE.scope(self, work)
    }
}
