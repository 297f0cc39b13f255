use std::{io, path::PathBuf};

use tidegate_core::{InvalidPath, ManifestError, Rank, RunName, SaveId, Step, WorldSize, cbor};

/// What can go wrong on the tier. Each says what was tried and on what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Another process has the tier open.
    #[error("the tier {} is in use by another host process: stop it, or give this one a tier of its own", .0.display())]
    Locked(PathBuf),
    /// The index could not be opened.
    #[error("the index {} can't be opened ({cause}): restore it from a backup, or move it away: the shards on the tier and in object storage are found again, and pins, jobs, bots and the journal are lost", path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
        /// What the database says.
        cause: fjall::Error,
    },
    /// The index could not be read or written.
    #[error("index: {0}")]
    Index(#[from] fjall::Error),
    /// A write or sync of the index failed once: nothing is accepted any more.
    #[error("the index could not be synced; the host must be restarted")]
    Broken,
    /// A record is not what it should be.
    #[error("a record of the index is damaged: {0}")]
    Record(#[from] cbor::Error),
    /// There is no such save.
    #[error("save {0} is not known")]
    UnknownSave(SaveId),
    /// Too many saves at once.
    #[error("{0} saves are in progress, which is the most that is allowed")]
    TooManySaves(usize),
    /// The rank has committed other bytes for this step.
    #[error("run {run} step {step} rank {rank} was committed before with other bytes")]
    OtherBytes {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// The rank.
        rank: Rank,
    },
    /// What was committed can't be compared with now.
    #[error("run {run} step {step} rank {rank} was committed before, and its digests can't be made now: try again")]
    Unsealed {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// The rank.
        rank: Rank,
    },
    /// The ranks of one checkpoint disagree.
    #[error("run {run} step {step} was begun with world size {known}, not {given}")]
    OtherWorld {
        /// The run.
        run: RunName,
        /// The step.
        step: Step,
        /// What earlier ranks said.
        known: WorldSize,
        /// What this one says.
        given: WorldSize,
    },
    /// A rank outside its world.
    #[error("rank {0} is not one of a world of {1}: ranks count from 0")]
    OutsideWorld(Rank, WorldSize),
    /// The tier has no room.
    #[error(
        "{needed} bytes are needed and {free} are free beside the reserve of {reserve} and what other saves have announced"
    )]
    NoSpace {
        /// What was announced.
        needed: u64,
        /// What is left.
        free: u64,
        /// What is kept free.
        reserve: u64,
    },
    /// The same, of a save that announced nothing.
    #[error(
        "nothing was announced, the last such save of this run had {needed} bytes, and {free} are free beside the reserve of {reserve} and what other saves have announced: if this one is smaller, begin it with its bytes"
    )]
    NoSpaceAsBefore {
        /// Bytes of the last save.
        needed: u64,
        /// What is left.
        free: u64,
        /// What is kept free.
        reserve: u64,
    },
    /// Files with holes, larger than what the tier's disk could hold.
    #[error(
        "the save's files have {bytes} bytes by their length, and the tier's disk has {size}: they have holes, and could not be restored"
    )]
    Sparse {
        /// Their length.
        bytes: u64,
        /// The disk's size.
        size: u64,
    },
    /// A shard larger than any may be.
    #[error("{0} bytes are more than a shard may have")]
    TooLarge(u64),
    /// A file that can't be committed.
    #[error("{path}: {rule}")]
    BadFile {
        /// Which, below the staging directory.
        path: String,
        /// Why not.
        rule: String,
    },
    /// A file that was still being written.
    #[error("{0} changed while it was committed")]
    ChangedFile(String),
    /// Nothing was written.
    #[error("the save has no file")]
    EmptySave,
    /// A manifest body that is none.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// Bytes on the tier are not what was committed.
    #[error("{0}")]
    Damaged(String),
    /// A worker of the store is gone.
    #[error("the store is closing")]
    Closing,
}

impl From<InvalidPath> for Error {
    fn from(e: InvalidPath) -> Self {
        Self::BadFile { path: e.shown, rule: e.rule.into() }
    }
}

/// Shorthand.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was tried on what when the system refuses.
pub(crate) trait Context<T> {
    fn during(self, what: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn during(self, what: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|e| Error::Io { what, path: path.into(), source: e.into() })
    }
}
