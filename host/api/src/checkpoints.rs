use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A training run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its name.
    pub run: String,
    /// The world size of its newest checkpoint.
    pub world_size: u32,
    /// How many checkpoints of it are known.
    pub checkpoints: u64,
    /// The newest complete checkpoint that some tier holds.
    pub latest_complete: Option<u64>,
    /// The newest complete checkpoint with a verified copy in object storage.
    pub latest_durable: Option<u64>,
}

/// Where bytes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The NVMe of this host.
    Nvme,
    /// Object storage.
    Object,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// The run.
    pub run: String,
    /// The step.
    pub step: u64,
    /// How many ranks make it whole.
    pub world_size: u32,
    /// Whether every rank has committed.
    pub complete: bool,
    /// Whether bytes of it are lost: a copy was found damaged or missing and no tier has another. Pruning it makes it
    /// forgotten; committing the same step again makes it whole.
    pub lost: bool,
    /// Bytes of the shards known here.
    pub bytes: u64,
    /// What the trainer reported.
    pub metrics: BTreeMap<String, f64>,
    /// Whether a pin holds it.
    pub pinned: bool,
    /// The pins that hold it.
    pub pins: Vec<Pin>,
    /// Tiers with a verified copy of all of it.
    pub tiers: Vec<Tier>,
    /// Its shards by rank.
    pub shards: Vec<Shard>,
    /// When its first shard came, RFC 3339.
    pub created_at: String,
    /// Why the guard keeps it, if it does.
    pub kept_because: Option<String>,
}

/// One rank's share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shard {
    /// Whose share.
    pub rank: u32,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// Whether its digests are made.
    pub sealed: bool,
    /// The manifest body's digest, once sealed.
    pub body: Option<String>,
    /// Whether the NVMe tier holds it.
    pub nvme: bool,
    /// Whether object storage holds it, verified.
    pub object: bool,
    /// The step from which the copy in object storage is kept as differences: it can't be read without that one's. None:
    /// it stands for itself.
    #[serde(default)]
    pub base: Option<u64>,
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pin {
    /// A bot's name, or `operator`.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Holds a checkpoint: `PUT …/pin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinRequest {
    /// Why, for people: 1 to 512 bytes.
    pub reason: String,
}

/// Lets a checkpoint go: `DELETE …/pin`. It may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UnpinRequest {
    /// Why, for people: 1 to 512 bytes. Default = `taken back by the operator`.
    pub reason: String,
    /// Whose pin: a bot's name, installed or not. A bot that is at work may pin again. Default = `operator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Default for UnpinRequest {
    fn default() -> Self {
        Self { reason: "taken back by the operator".to_owned(), by: None }
    }
}

/// Asks that a checkpoint's bytes go from a tier: `POST …/prune`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneRequest {
    /// From which tier.
    pub tier: Tier,
    /// Why, for people: 1 to 512 bytes.
    pub reason: String,
    /// Only tell what the guard says.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a request to prune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PruneAnswer {
    /// The job, unless it was a dry run.
    pub job: Option<String>,
    /// Why the guard admits it.
    pub because: String,
}
