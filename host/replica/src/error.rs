//! What can go wrong, with what was tried on what, and whether it is worth trying again.

use std::{io, path::PathBuf};

use tidegate_core::{Step, TargetName};

use crate::Damage;

/// Why something could not be done. Holds no credentials: the text of a store's answer is cleared of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target can't be used as it is configured.
    #[error("object target {target}: {detail}")]
    Config {
        /// The target.
        target: TargetName,
        /// What is wrong and what to change.
        detail: String,
    },
    /// The store did not do what was asked.
    #[error("object target {target}: could not {attempted} {object}: {detail}")]
    Store {
        /// The target.
        target: TargetName,
        /// What was tried.
        attempted: &'static str,
        /// On which object.
        object: String,
        /// The store's answer.
        detail: String,
        /// Whether it may work later.
        retryable: bool,
    },
    /// The shard was not shipped to this target.
    #[error("object target {target} has no {object}")]
    Missing {
        /// The target.
        target: TargetName,
        /// Which object.
        object: String,
    },
    /// Another body was shipped for this run, step and rank.
    #[error(
        "object target {target}: {object} is there already with other content; a shipped shard never changes: use another step or run name"
    )]
    Conflict {
        /// The target.
        target: TargetName,
        /// The manifest or marker.
        object: String,
    },
    /// Another checkpoint can't be read without it.
    #[error("object target {target}: step {step} can't go: step {by} is kept as differences from it and would be lost")]
    Needed {
        /// The target.
        target: TargetName,
        /// What was to be deleted.
        step: Step,
        /// What needs it.
        by: Step,
    },
    /// A manifest or marker that can't be right.
    #[error("{object} can't be used: {detail}")]
    Manifest {
        /// Which.
        object: String,
        /// What is wrong with it.
        detail: String,
    },
    /// An object's bytes were wrong each time they were read back.
    #[error("object target {target}: {object} was written several times and never read back right: {detail}")]
    NotVerified {
        /// The target.
        target: TargetName,
        /// Which object.
        object: String,
        /// What was seen.
        detail: String,
    },
    /// The local copy is not what its manifest says. Nothing of it was shipped as if it were right.
    #[error("the local copy of {file} is damaged in block {block}: {detail}; restore it from another tier")]
    LocalDamage {
        /// The file, below the shard.
        file: String,
        /// The block, from 0.
        block: u64,
        /// What was seen.
        detail: String,
    },
    /// The file system of this host failed.
    #[error("could not {attempted} {}: {source}", path.display())]
    Local {
        /// What was tried.
        attempted: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The directory to restore into exists already.
    #[error("{} exists already: give a directory that does not; the restore makes it", .0.display())]
    Exists(PathBuf),
    /// The restored files would not fit.
    #[error("{} has {free} bytes free and the restore needs {need}", path.display())]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// Bytes needed.
        need: u64,
        /// Bytes free.
        free: u64,
    },
    /// No source has the right bytes.
    #[error("no tier gave the right bytes of {file}, block {block}: {detail}")]
    Corrupt {
        /// The file, below the shard.
        file: String,
        /// The block, from 0.
        block: u64,
        /// What each source gave.
        detail: String,
        /// Whether some source could not be asked, so that it may work later.
        retryable: bool,
        /// What was found damaged until then, so that it can be written down.
        damaged: Vec<Damage>,
    },
    /// It was called off.
    #[error("cancelled")]
    Cancelled,
    /// A worker broke down.
    #[error("a worker failed: {0}")]
    Worker(String),
}

impl Error {
    /// Whether the same call may succeed later without anything else being changed.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Store { retryable, .. } | Self::Corrupt { retryable, .. } => *retryable,
            Self::NotVerified { .. } | Self::Local { .. } | Self::Worker(_) => true,
            Self::Config { .. }
            | Self::Missing { .. }
            | Self::Conflict { .. }
            | Self::Needed { .. }
            | Self::Manifest { .. }
            | Self::LocalDamage { .. }
            | Self::Exists(_)
            | Self::NoSpace { .. }
            | Self::Cancelled => false,
        }
    }

    /// A failed call of the file system.
    pub(crate) fn local(attempted: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { attempted, path, source }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        if error.is_cancelled() { Self::Cancelled } else { Self::Worker(error.to_string()) }
    }
}
