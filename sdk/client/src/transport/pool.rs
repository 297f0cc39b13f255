use std::sync::{Mutex, PoisonError};

use super::Link;

/// Idle connections kept.
const IDLE: usize = 8;

/// Connections that wait for their next request.
#[derive(Default)]
pub(crate) struct Pool(Mutex<Vec<Link>>);

impl Pool {
    /// The one that was used last and still stands; those that don't are dropped.
    pub(crate) fn take(&self) -> Option<Link> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(link) = idle.pop() {
            if link.stands() {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(crate) fn put(&self, link: Link) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(link);
        }
    }
}
