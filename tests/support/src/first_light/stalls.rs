//! How long saves and restores held the trainers up, as the trainers measured it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One save of one rank, in seconds; the parts add up to `total_s`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Save {
    /// The step.
    pub step: u64,
    /// The rank.
    pub rank: u32,
    /// Bytes of tensors.
    pub bytes: u64,
    /// Until there was a directory to write to.
    pub begin_s: f64,
    /// Writing.
    pub write_s: f64,
    /// Until the files were durable.
    pub commit_s: f64,
    /// All of it.
    pub total_s: f64,
    /// Whether nothing else was saved at this step before. The second of two shares the disk with the first.
    pub first: bool,
}

/// One restore of one rank.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Restore {
    /// The step that the rank went on from.
    pub step: u64,
    /// The rank.
    pub rank: u32,
    /// Bytes of all shards.
    pub bytes: u64,
    /// How many came from which tier.
    pub from: BTreeMap<String, u64>,
    /// Until all files were there, verified.
    pub restore_s: f64,
    /// And loaded into the model.
    pub total_s: f64,
}

/// One line of a stall log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line {
    Tidegate(Save),
    Plain(Save),
    Restore(Restore),
}
