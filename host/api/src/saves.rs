use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a staging directory: `POST /v1/saves`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The run: 1 to 128 of `A-Z a-z 0-9 . _ -`.
    pub run: String,
    /// The step.
    pub step: u64,
    /// Whose share this is, from 0.
    pub rank: u32,
    /// How many ranks make the checkpoint whole.
    pub world_size: u32,
    /// How many bytes will be written. If it is left out, the size of this rank's last shard is taken.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// A save in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Save {
    /// Names the save.
    pub save_id: String,
    /// The run.
    pub run: String,
    /// The step.
    pub step: u64,
    /// Whose share.
    pub rank: u32,
    /// The staging directory: write any files below it, then commit.
    pub path: String,
    /// When it is given up unless it is touched or committed.
    pub expires_at: String,
}

/// Commits a save: `POST /v1/saves/{id}/commit`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Commit {
    /// At most 64 finite numbers, such as `loss`.
    pub metrics: BTreeMap<String, f64>,
}

/// The answer to a commit. When it comes, the shard survives `kill -9` and power loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Committed {
    /// The run.
    pub run: String,
    /// The step.
    pub step: u64,
    /// Whose share.
    pub rank: u32,
    /// Bytes of the shard.
    pub bytes: u64,
    /// Files of the shard.
    pub files: u64,
    /// Whether every rank of the checkpoint has committed now.
    pub complete: bool,
    /// The place of this commit in the journal.
    pub seq: u64,
    /// The very same bytes had been committed before; nothing changed.
    pub reused: bool,
}
