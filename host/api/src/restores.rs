use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum StepChoice {
    /// This step.
    Step(u64),
    /// `latest`: the newest complete one.
    Name(String),
}

/// Asks for a checkpoint's files: `POST /v1/restores`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The run.
    pub run: String,
    /// The step, or `latest`.
    pub step: StepChoice,
    /// Whose shares; all if left out.
    #[serde(default)]
    pub ranks: Option<Vec<u32>>,
    /// An absolute directory that does not exist yet, in one that does; only over the Unix socket. If it is left out, the
    /// host makes one on its tier and removes it when the restore is released.
    #[serde(default)]
    pub into: Option<String>,
}

/// How a restore stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreState {
    /// Bytes are on their way.
    Running,
    /// All is at `path`, every block verified.
    Done,
    /// Nothing is at `path`; see `error`.
    Failed,
}

/// Bytes by the tier that they came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct From {
    /// From this host's NVMe.
    pub nvme: u64,
    /// From object storage.
    pub object: u64,
}

/// A restore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Restore {
    /// Names it.
    pub id: String,
    /// The run.
    pub run: String,
    /// The step.
    pub step: u64,
    /// How it stands.
    pub state: RestoreState,
    /// Holds a directory for each rank: `rank-00000`, `rank-00001`, ... It appears whole or not at all.
    pub path: String,
    /// Of how many ranks the checkpoint is.
    pub world_size: u32,
    /// What the trainer reported with it.
    pub metrics: BTreeMap<String, f64>,
    /// Bytes to restore.
    pub bytes_total: u64,
    /// Bytes restored and verified so far.
    pub bytes_done: u64,
    /// Where they came from.
    pub from: From,
    /// Seconds it took, or takes so far.
    pub seconds: f64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<crate::Problem>,
}
