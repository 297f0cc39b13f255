//! The store: what a host does with its NVMe tier.

mod begin;
mod commit;
mod open;
mod reap;
mod rebuild;
mod remove;
mod strays;

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use tidegate_core::{Body, Clock, HostName, Rank, RunName, SaveId, Step};

pub use open::Recovered;
pub use remove::Removed;

use crate::{
    Index, Result, Save,
    save::{Book, Flusher},
    seal::Sealer,
    space::{self, Promised, Room},
    stripes::Stripes,
    tier::{Layout, read_record},
};

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The tier's directory. One host process at a time.
    pub path: PathBuf,
    /// The host's name, which stands in every event.
    pub host: HostName,
    /// Bytes of the file system that saves must leave free. Default = 1 GiB.
    pub reserve_bytes: u64,
    /// Threads that make digests, 1 to 64. Default = one for each eight cores: hashing steals from training.
    pub hash_threads: usize,
    /// How long a save may take without being touched. Default = 1 hour.
    pub save_ttl: Duration,
    /// Saves in progress at once. Default = 1024.
    pub most_saves: usize,
    /// Tiers that must hold a verified copy before safe prune lets the last one go. Default = 1; the binary's is 2.
    pub wanted_copies: u32,
}

impl Options {
    /// Defaults for a tier in this directory.
    pub fn new(path: impl Into<PathBuf>, host: HostName) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            path: path.into(),
            host,
            reserve_bytes: 1 << 30,
            hash_threads: (cores / 8).max(1),
            save_ttl: Duration::from_secs(3600),
            most_saves: 1024,
            wanted_copies: 1,
        }
    }
}

/// The NVMe tier of one host. All calls block; a handle is shared by `Arc`.
#[derive(Debug)]
pub struct Store {
    options: Options,
    clock: Arc<dyn Clock>,
    layout: Arc<Layout>,
    index: Arc<Index>,
    book: Arc<Book>,
    flusher: Flusher,
    sealer: Sealer,
    /// Held by whoever moves a shard's directory.
    directories: Arc<Stripes>,
    durable_runs: Mutex<HashSet<RunName>>,
    promised: Promised,
    next_save: AtomicU64,
}

impl Store {
    /// The index and journal.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Ends the making of digests soon, so that who waits for it does not keep the store: what is not sealed is sealed
    /// after the next start.
    pub fn end_sealing(&self) {
        self.sealer.end();
    }

    /// Saves in progress, by id.
    pub fn saves(&self) -> Vec<Save> {
        self.book.saves()
    }

    /// How many saves are in progress.
    pub fn open_saves(&self) -> usize {
        self.book.len()
    }

    /// Bytes free on the tier's file system, and its size.
    ///
    /// # Errors
    /// A file system that does not answer.
    pub fn space(&self) -> Result<(u64, u64)> {
        space::free_and_size(self.layout.root())
    }

    /// Whether a save of no announced size would be admitted now.
    ///
    /// # Errors
    /// [`crate::Error::NoSpace`] if not.
    pub fn has_room(&self) -> Result<()> {
        self.promised.admitting(|promised| self.fits(0, promised))
    }

    /// Promises room on the tier for `bytes` in files below `dir`, beside the reserve and what others were promised.
    ///
    /// # Errors
    /// [`crate::Error::NoSpace`] if they don't fit.
    pub fn promise_room(&self, dir: PathBuf, bytes: u64) -> Result<Room> {
        self.promised.promise(dir, bytes, |promised| self.fits(bytes, promised))
    }

    /// Whether `bytes` more fit beside the reserve, what saves have announced, and what else is `promised`.
    fn fits(&self, bytes: u64, promised: u64) -> Result<()> {
        let promised = promised.saturating_add(self.announced());
        space::admit(self.layout.root(), bytes, self.options.reserve_bytes, promised)
    }

    /// The directory of a committed shard's files, whether it is there or not.
    pub fn shard_files(&self, run: &RunName, step: Step, rank: Rank) -> PathBuf {
        self.layout.shard(run, step, rank).join("files")
    }

    /// The manifest body of a sealed shard on this tier.
    ///
    /// # Errors
    /// A body that is missing or damaged.
    pub fn body(&self, run: &RunName, step: Step, rank: Rank) -> Result<Body> {
        let path = self.layout.shard(run, step, rank).join("body.cbor");
        let bytes = std::fs::read(&path);
        let bytes = crate::error::Context::during(bytes, "read", &path)?;
        Ok(Body::decode(&bytes)?)
    }

    /// Where a restore with this id may put its directory.
    pub fn restore_dir(&self, id: &str) -> PathBuf {
        self.layout.restores().join(id)
    }

    /// Removes a restore's directory, if it is there.
    ///
    /// # Errors
    /// A file system that refuses.
    pub fn release_restore(&self, id: &str) -> Result<()> {
        self.layout.discard(&self.restore_dir(id))?;
        self.layout.empty_trash();
        Ok(())
    }

    fn unknown(id: &SaveId) -> crate::Error {
        crate::Error::UnknownSave(id.clone())
    }
}

/// Locks, whatever became of an earlier holder: what is behind it is checked by its users.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn read_commit(dir: &std::path::Path) -> Result<crate::tier::CommitRecord> {
    read_record(&dir.join("commit.cbor"))
}

#[cfg(test)]
mod tests;
