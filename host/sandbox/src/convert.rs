//! From the domain's words to a contract's: compiled once for each version whose words have these shapes, with the types of
//! the module that it stands in.

use tidegate_core as core;

use super::types::{
    Checkpoint, CheckpointRef, Corruption, Event, JobOutcome, Metric, Occurrence, Pruned, Replicated, ShardRef, Tier,
    Wake,
};
use crate::bounds::shortened;

/// Bytes of a job's last word.
const DETAIL_BYTES: usize = 1024;

/// A checkpoint, as a bot sees it.
pub(crate) fn checkpoint(from: &core::Checkpoint) -> Checkpoint {
    Checkpoint {
        run: from.run.as_str().to_owned(),
        step: from.step.get(),
        world_size: from.world_size.get(),
        complete: from.complete.is_some(),
        created: from.created.0,
        bytes: from.bytes(),
        metrics: from.metrics.iter().map(|(name, value)| Metric { name: name.to_owned(), value }).collect(),
        pinned: from.pinned(),
        verified: from.verified_tiers().map(tier).collect(),
        present: core::Tier::ALL.into_iter().filter(|t| from.present(*t)).map(tier).collect(),
    }
}

/// An event, as a bot sees it; none for those that no bot is told.
pub(crate) fn event(from: &core::Event) -> Option<Event> {
    let what = occurrence(&from.kind)?;
    Some(Event { seq: from.seq, time: from.time.0, host: from.host.as_str().to_owned(), what })
}

fn occurrence(kind: &core::EventKind) -> Option<Occurrence> {
    use core::EventKind as Kind;
    let name = |run: &core::RunName| run.as_str().to_owned();
    let whole = |run, step: &core::Step| CheckpointRef { run: name(run), step: step.get() };
    Some(match kind {
        Kind::BotStarted { .. } => Occurrence::Started,
        Kind::BotWoken { key, due, .. } => Occurrence::Woken(Wake { key: key.clone(), due: due.0 }),
        Kind::ShardCommitted { run, step, rank, .. } => {
            Occurrence::ShardCommitted(ShardRef { run: name(run), step: step.get(), rank: rank.get() })
        }
        Kind::CheckpointComplete { run, step, .. } => Occurrence::CheckpointComplete(whole(run, step)),
        Kind::CheckpointSealed { run, step } => Occurrence::CheckpointSealed(whole(run, step)),
        Kind::CheckpointReplicated { run, step, target, bytes, .. } => {
            let target = target.as_str().to_owned();
            Occurrence::CheckpointReplicated(Replicated { run: name(run), step: step.get(), target, bytes: *bytes })
        }
        Kind::CheckpointPruned { run, step, tier: from, bytes, .. } => {
            let tier = tier(*from);
            Occurrence::CheckpointPruned(Pruned { run: name(run), step: step.get(), tier, bytes: *bytes })
        }
        Kind::JobFinished { effect, run, step, ok, detail, .. } => {
            let (effect, detail) = (effect.as_str().to_owned(), shortened(detail, DETAIL_BYTES));
            Occurrence::JobFinished(JobOutcome { effect, run: name(run), step: step.get(), ok: *ok, detail })
        }
        Kind::ShardCorrupt { run, step, rank, tier: on, .. } => {
            let (rank, tier) = (rank.get(), tier(*on));
            Occurrence::ShardCorrupt(Corruption { run: name(run), step: step.get(), rank, tier })
        }
        Kind::BotQuarantined { .. }
        | Kind::BotRolledBack { .. }
        | Kind::CheckpointFound { .. }
        | Kind::IndexRebuilt { .. }
        | Kind::Pinned { .. }
        | Kind::Unpinned { .. } => return None,
    })
}

fn tier(from: core::Tier) -> Tier {
    match from {
        core::Tier::Nvme => Tier::Nvme,
        core::Tier::Object => Tier::Object,
    }
}

/// A tier, as the domain names it.
pub(crate) fn tier_from(from: Tier) -> core::Tier {
    match from {
        Tier::Nvme => core::Tier::Nvme,
        Tier::Object => core::Tier::Object,
    }
}
