//! Checkpoints and events in few words.

use crate::{Checkpoint, CheckpointRef, Corruption, Metric, Occurrence, Replicated, Tier};

/// A complete checkpoint of two ranks and 1000 bytes, verified on NVMe.
pub fn checkpoint(run: &str, step: u64) -> Checkpoint {
    Checkpoint {
        run: run.to_owned(),
        step,
        world_size: 2,
        complete: true,
        created: step,
        bytes: 1000,
        metrics: Vec::new(),
        pinned: false,
        verified: vec![Tier::Nvme],
        present: vec![Tier::Nvme],
    }
}

/// One of whose two ranks only one has committed.
pub fn incomplete(run: &str, step: u64) -> Checkpoint {
    Checkpoint { complete: false, bytes: 500, verified: Vec::new(), ..checkpoint(run, step) }
}

/// The same, verified on these tiers and nowhere else.
pub fn on(tiers: &[Tier], it: Checkpoint) -> Checkpoint {
    Checkpoint { verified: tiers.to_vec(), present: tiers.to_vec(), ..it }
}

/// The same, with a metric.
pub fn with_metric(name: &str, value: f64, mut it: Checkpoint) -> Checkpoint {
    it.metrics.push(Metric { name: name.to_owned(), value });
    it
}

/// The event that a checkpoint is complete.
pub fn complete(run: &str, step: u64) -> Occurrence {
    Occurrence::CheckpointComplete(CheckpointRef { run: run.to_owned(), step })
}

/// The event that a checkpoint is sealed.
pub fn sealed(run: &str, step: u64) -> Occurrence {
    Occurrence::CheckpointSealed(CheckpointRef { run: run.to_owned(), step })
}

/// The event that a checkpoint is on the target `default`.
pub fn replicated(run: &str, step: u64) -> Occurrence {
    let (run, target) = (run.to_owned(), "default".to_owned());
    Occurrence::CheckpointReplicated(Replicated { run, step, target, bytes: 1000 })
}

/// The event that the share of rank 0 was found damaged on a tier.
pub fn corrupt(run: &str, step: u64, tier: Tier) -> Occurrence {
    Occurrence::ShardCorrupt(Corruption { run: run.to_owned(), step, rank: 0, tier })
}
