//! What the scene showed.

use super::{Comparison, Facts, Pruned, Restore, Save};
use crate::stats::Spread;

/// Everything that was seen and measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The step that both ranks went on from.
    pub resumed_from: u64,
    /// Loss by loss.
    pub comparison: Comparison,
    /// Saves through the host.
    pub saves: Vec<Save>,
    /// The same files with write + fsync.
    pub plain: Vec<Save>,
    /// The restores of the resumed ranks.
    pub restores: Vec<Restore>,
    /// Seconds from the commit that made a checkpoint complete to its verified copy, of each.
    pub durable_s: Vec<f64>,
    /// Bytes that were sent to object storage.
    pub shipped: u64,
    /// What was pruned, and why.
    pub pruned: Vec<Pruned>,
    /// Jobs that failed or were tried more than once, in words.
    pub trouble: Vec<String>,
    /// Bytes of the tier that was deleted.
    pub tier_bytes: u64,
    /// Seconds until the host was ready again without its tier.
    pub restart_s: f64,
    /// The most memory that the host used, in bytes; none where the system does not say.
    pub host_memory: Option<u64>,
}

impl Report {
    /// Takes in what the host said in one of its lives.
    pub(super) fn add(&mut self, facts: &Facts) -> anyhow::Result<()> {
        self.durable_s.extend(facts.times_to_durable()?);
        self.shipped += facts.shipped();
        self.pruned.extend(facts.pruned());
        let words = facts.failures().map(|job| {
            format!("{} of step {}: {} ({} tries failed): {}", job.verb, job.step, job.state, job.failures, job.detail)
        });
        self.trouble.extend(words);
        Ok(())
    }

    /// One part of all saves that were first at their step: the fair ones to compare.
    #[must_use]
    pub fn stall(saves: &[Save], part: impl Fn(&Save) -> f64) -> Spread {
        Spread::of(saves.iter().filter(|save| save.first).map(part))
    }
}
