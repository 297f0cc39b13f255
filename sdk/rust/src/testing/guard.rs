//! What the host's guard would say in a scenario: its one target and safe prune, as `wit/` and the host have them.
//!
//! A cluster that a test makes up by hand has no guard: there a test scripts the refusals.

use super::{Effect, world::World};
use crate::{Checkpoint, Refusal, Tier};

/// What a guard knows beside the catalogue.
#[derive(Default)]
pub(super) struct Guard {
    /// Checkpoints that are being copied now.
    pub(super) read: Vec<(String, u64)>,
}

impl Guard {
    /// Whether an effect may be accepted: `known` is its checkpoint.
    pub(super) fn admit(&self, world: &World, effect: &Effect, known: &Checkpoint) -> Result<(), Refusal> {
        match effect {
            Effect::Replicate(request) if request.target != "default" => {
                Err(Refusal::NotFound(format!("there is no target {}", request.target)))
            }
            Effect::Prune { tier, .. } => self.admit_prune(world, known, *tier),
            _ => Ok(()),
        }
    }

    /// Safe prune: the last verified copy stays of what must be kept.
    pub(super) fn admit_prune(&self, world: &World, known: &Checkpoint, tier: Tier) -> Result<(), Refusal> {
        let name = format!("{} step {}", known.run, known.step);
        if !known.is_present(tier) {
            return Err(Refusal::Unnecessary(format!("{name} has nothing on {tier}")));
        }
        if self.read.iter().any(|(run, step)| (run, *step) == (&known.run, known.step)) {
            return Err(Refusal::Unavailable(format!("{name} is being read or restored")));
        }
        let elsewhere = known.complete && known.verified.iter().any(|other| *other != tier);
        match must_keep(world, known) {
            Some(rule) if !elsewhere => Err(Refusal::WouldLoseData(format!(
                "{name}: {rule}, and no other tier than {tier} holds a verified copy"
            ))),
            _ => Ok(()),
        }
    }
}

/// Why a checkpoint must keep a verified copy, if it must.
fn must_keep(world: &World, known: &Checkpoint) -> Option<&'static str> {
    let of_run = world.checkpoints.range((known.run.clone(), 0)..=(known.run.clone(), u64::MAX));
    let complete: Vec<&Checkpoint> = of_run.map(|(_, it)| it).filter(|it| it.complete).collect();
    // What is there unverified counts on NVMe only: on the object tier it was found damaged.
    let whole = |it: &Checkpoint| it.is_present(Tier::Nvme) || it.is_verified(Tier::Object);
    let newest = complete.iter().filter(|it| whole(it)).map(|it| it.step).max();
    let verified = complete.iter().filter(|it| !it.verified.is_empty()).map(|it| it.step).max();
    if known.pinned {
        return Some("it is pinned");
    }
    if verified == Some(known.step) {
        return Some("it is the newest complete checkpoint with a verified copy");
    }
    match newest {
        None => Some("the run has no complete checkpoint yet"),
        Some(newest) if newest == known.step => Some("it is the newest complete checkpoint"),
        Some(newest) if known.step > newest => Some("it is newer than the newest complete one"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
