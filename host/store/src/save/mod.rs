//! Saves in progress.

mod book;
mod flush;
mod watch;

use std::path::PathBuf;

pub(crate) use book::{Book, Slot};
pub(crate) use flush::Flusher;
use tidegate_core::{Rank, RunName, SaveId, Seq, Step, Timestamp, WorldSize};
pub use watch::Watched;

/// Who writes, as the kernel says. When the process is gone, so is its save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Its process; none if it is of a pid namespace that is not visible from here, and can't be watched.
    pub pid: Option<i32>,
    /// Its user, which will own the staging directory.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What is asked of a new save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// Whose share.
    pub rank: Rank,
    /// Of how many.
    pub world_size: WorldSize,
    /// How many bytes will be written. None: as many as this rank's last shard had.
    pub bytes: Option<u64>,
    /// Who writes, if it is known.
    pub writer: Option<Writer>,
}

/// A save in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// Names it.
    pub id: SaveId,
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// Whose share.
    pub rank: Rank,
    /// The staging directory.
    pub path: PathBuf,
    /// When it is given up unless it is touched or committed.
    pub expires: Timestamp,
}

/// A committed shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// Whose share.
    pub rank: Rank,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// Whether every rank has committed now.
    pub complete: bool,
    /// The place of the commit in the journal.
    pub seq: Seq,
    /// The same bytes had been committed before; nothing changed.
    pub reused: bool,
}
