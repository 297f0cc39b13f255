//! Checkpoints and events in few words.

use crate::{Checkpoint, CheckpointRef, Corruption, Metric, Occurrence, Replicated, Tier};

/// A complete checkpoint of two ranks and 1000 bytes, verified on NVMe.
///
/// ```
/// use tidegate_sdk::{Tier, testing::checkpoint};
/// let it = checkpoint("gpt", 100);
/// assert!(it.complete && it.is_verified(Tier::Nvme) && !it.is_present(Tier::Object));
/// ```
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
///
/// ```
/// assert!(!tidegate_sdk::testing::incomplete("gpt", 100).complete);
/// ```
pub fn incomplete(run: &str, step: u64) -> Checkpoint {
    Checkpoint { complete: false, bytes: 500, verified: Vec::new(), ..checkpoint(run, step) }
}

/// The same, verified on these tiers and nowhere else.
///
/// ```
/// use tidegate_sdk::{Tier, testing::{checkpoint, on}};
/// let it = on(&[Tier::Object], checkpoint("gpt", 100));
/// assert!(it.is_verified(Tier::Object) && !it.is_present(Tier::Nvme));
/// ```
pub fn on(tiers: &[Tier], it: Checkpoint) -> Checkpoint {
    Checkpoint { verified: tiers.to_vec(), present: tiers.to_vec(), ..it }
}

/// The same, with a metric.
///
/// ```
/// use tidegate_sdk::testing::{checkpoint, with_metric};
/// assert_eq!(with_metric("loss", 2.5, checkpoint("gpt", 100)).metric("loss"), Some(2.5));
/// ```
pub fn with_metric(name: &str, value: f64, mut it: Checkpoint) -> Checkpoint {
    it.metrics.push(Metric { name: name.to_owned(), value });
    it
}

/// The event that a checkpoint is complete.
///
/// ```
/// use tidegate_sdk::{Occurrence, testing::complete};
/// let Occurrence::CheckpointComplete(it) = complete("gpt", 100) else { unreachable!() };
/// assert_eq!((it.run.as_str(), it.step), ("gpt", 100));
/// ```
pub fn complete(run: &str, step: u64) -> Occurrence {
    Occurrence::CheckpointComplete(CheckpointRef { run: run.to_owned(), step })
}

/// The event that a checkpoint is sealed.
///
/// ```
/// use tidegate_sdk::{Occurrence, testing::sealed};
/// let Occurrence::CheckpointSealed(it) = sealed("gpt", 100) else { unreachable!() };
/// assert_eq!((it.run.as_str(), it.step), ("gpt", 100));
/// ```
pub fn sealed(run: &str, step: u64) -> Occurrence {
    Occurrence::CheckpointSealed(CheckpointRef { run: run.to_owned(), step })
}

/// The event that a checkpoint is on the target `default`.
///
/// ```
/// use tidegate_sdk::{Occurrence, testing::replicated};
/// let Occurrence::CheckpointReplicated(it) = replicated("gpt", 100) else { unreachable!() };
/// assert_eq!((it.run.as_str(), it.step), ("gpt", 100));
/// ```
pub fn replicated(run: &str, step: u64) -> Occurrence {
    let (run, target) = (run.to_owned(), "default".to_owned());
    Occurrence::CheckpointReplicated(Replicated { run, step, target, bytes: 1000 })
}

/// The event that the share of rank 0 was found damaged on a tier.
///
/// ```
/// use tidegate_sdk::{Occurrence, Tier, testing::corrupt};
/// let Occurrence::ShardCorrupt(it) = corrupt("gpt", 100, Tier::Object) else { unreachable!() };
/// assert_eq!((it.step, it.tier), (100, Tier::Object));
/// ```
pub fn corrupt(run: &str, step: u64, tier: Tier) -> Occurrence {
    Occurrence::ShardCorrupt(Corruption { run: run.to_owned(), step, rank: 0, tier })
}
