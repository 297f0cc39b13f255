use std::sync::{Mutex, MutexGuard};

use tidegate_core::{Digest, Rank, RunName, Step};

use crate::store::lock;

const STRIPES: usize = 64;

/// Locks by shard: work on one shard never overlaps, work on two rarely waits. Bounded, however many shards there are.
#[derive(Debug)]
pub(crate) struct Stripes([Mutex<()>; STRIPES]);

impl Stripes {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    pub(crate) fn lock(&self, run: &RunName, step: Step, rank: Rank) -> MutexGuard<'_, ()> {
        let [byte, ..] = *Digest::of(format!("{run}\0{step}\0{rank}").as_bytes()).as_bytes();
        let [first, ..] = &self.0;
        lock(self.0.get(usize::from(byte) % STRIPES).unwrap_or(first))
    }
}
