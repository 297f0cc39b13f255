//! The losses of the interrupted run beside those of the uninterrupted one.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};

/// One line of a loss log.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Loss {
    /// The step, from 1.
    pub step: u64,
    /// Whose.
    pub rank: u32,
    /// The very bits, as Python's `float.hex` writes them.
    pub loss_hex: String,
    /// The same for people.
    pub loss: f64,
}

/// A step whose loss was another.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The step.
    pub step: u64,
    /// The rank.
    pub rank: u32,
    /// The loss without interruption, as bits; none if that run has no such step.
    pub wanted: Option<String>,
    /// What it was; none if the rank never got there.
    pub found: Option<String>,
}

/// The outcome of the comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Losses that were compared: of both ranks, before and after the crash.
    pub compared: usize,
    /// Those among them of steps after the resume.
    pub after_resume: usize,
    /// Those that differ. Empty is what was promised.
    pub differing: Vec<Difference>,
    /// The first and the last loss without interruption, for people: it must fall.
    pub first: f64,
    /// See `first`.
    pub last: f64,
}

impl Comparison {
    /// Compares all that the ranks logged, and that each rank went through every step after `resumed` up to `steps`.
    pub(super) fn make(baseline: &[Loss], ranks: &[Vec<Loss>], resumed: u64, steps: u64) -> Self {
        let wanted: BTreeMap<u64, &Loss> = baseline.iter().map(|loss| (loss.step, loss)).collect();
        let mut made = Self {
            first: baseline.first().map_or(f64::NAN, |loss| loss.loss),
            last: baseline.last().map_or(f64::NAN, |loss| loss.loss),
            ..Self::default()
        };
        for (rank, losses) in (0..).zip(ranks) {
            for loss in losses.iter().filter(|loss| loss.step <= steps) {
                made.compared += 1;
                let wanted = wanted.get(&loss.step).map(|wanted| wanted.loss_hex.clone());
                if wanted.as_ref() != Some(&loss.loss_hex) {
                    let found = Some(loss.loss_hex.clone());
                    made.differing.push(Difference { step: loss.step, rank, wanted, found });
                }
            }
            // What was logged last for a step is what the resumed run had.
            for step in resumed + 1..=steps {
                made.after_resume += 1;
                if !losses.iter().any(|loss| loss.step == step) {
                    let wanted = wanted.get(&step).map(|wanted| wanted.loss_hex.clone());
                    made.differing.push(Difference { step, rank, wanted, found: None });
                }
            }
        }
        made
    }

    /// Whether every loss is the same, and there was something to compare.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.differing.is_empty() && self.after_resume > 0
    }
}

/// The records of a log of JSON lines. A file that is not there has none.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("read {}", path.display()))?,
    };
    let lines = text.lines().filter(|line| !line.is_empty());
    let records = lines.map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display())));
    records.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(bits: &[(u64, &str)]) -> Vec<Loss> {
        bits.iter().map(|(step, hex)| Loss { step: *step, rank: 0, loss_hex: (*hex).into(), loss: 1.0 }).collect()
    }

    #[test]
    fn one_other_bit_in_one_rank_is_found() {
        let baseline = losses(&[(1, "a"), (2, "b"), (3, "c")]);
        let good = losses(&[(1, "a"), (2, "b"), (2, "b"), (3, "c")]);
        assert!(Comparison::make(&baseline, &[good.clone(), good.clone()], 1, 3).holds());
        let bad = losses(&[(1, "a"), (2, "x"), (2, "b"), (3, "c")]);
        let made = Comparison::make(&baseline, &[good, bad], 1, 3);
        let (wanted, found) = (Some("b".to_owned()), Some("x".to_owned()));
        assert_eq!(made.differing, [Difference { step: 2, rank: 1, wanted, found }]);
    }

    #[test]
    fn a_step_that_was_never_reached_is_a_difference() {
        let baseline = losses(&[(1, "a"), (2, "b")]);
        let made = Comparison::make(&baseline, &[losses(&[(1, "a")])], 1, 2);
        assert!(!made.holds());
        assert_eq!(made.differing[0].found, None);
    }

    #[test]
    fn nothing_to_compare_is_no_success() {
        assert!(!Comparison::make(&[], &[], 0, 0).holds());
    }
}
