//! What the scene showed.

use super::{Comparison, Facts, Pruned, Restore, Save};

/// The middle and the ends of a few measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The median; NaN of none.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of these.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let upper = at(count / 2);
        let median = if count % 2 == 0 { (at((count / 2).wrapping_sub(1)) + upper) / 2.0 } else { upper };
        Self { count, median, least: at(0), most: at(count.wrapping_sub(1)) }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.count, spread.median, spread.least, spread.most), (4, 2.5, 1.0, 4.0));
        assert_eq!(Spread::of([7.0]).median, 7.0);
        assert!(Spread::of([]).median.is_nan());
    }
}
