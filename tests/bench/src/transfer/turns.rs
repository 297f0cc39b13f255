//! Who is measured when, and what came of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use tidegate_tests_support::stats::Spread;

use super::tools::Who;
use crate::{
    figure::{Figure, spread},
    usage::Took,
};

/// One measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    pub(super) took: Took,
    /// Seconds of processors that the server used meanwhile.
    pub(super) server: f64,
    /// Seconds that the disk then needed for what was not durable yet.
    pub(super) sync: f64,
}

/// All measurements of one load.
#[derive(Debug, Default)]
pub(super) struct Turns(BTreeMap<Who, Vec<Turn>>);

/// In another order in each round.
pub(super) fn order(who: &[Who], round: usize) -> impl Iterator<Item = Who> + '_ {
    who.iter().copied().cycle().skip(round % who.len().max(1)).take(who.len())
}

impl Turns {
    pub(super) fn add(&mut self, who: Who, turn: Turn) {
        self.0.entry(who).or_default().push(turn);
    }

    /// Its speed beside the fastest peer's, and its processor time beside the thriftiest peer's.
    pub(super) fn figures(&self, name: &str, bytes: u64, what: &str) -> Result<Vec<Figure>> {
        let wall = |turn: &Turn| turn.took.wall;
        let cpu = |turn: &Turn| turn.took.cpu;
        let (took, rival) = self.beside(wall)?;
        let speed = |seconds: f64| bytes as f64 / 1e6 / seconds;
        let told: Vec<String> = self.0.iter().map(|(who, turns)| tell(*who, turns)).collect();
        let first = Figure {
            name: name.to_owned(),
            value: speed(took),
            unit: "MB/s",
            peer: rival.0.name(),
            peer_value: speed(rival.1),
            ratio: rival.1 / took,
            note: format!("{what}; {}", told.join("; ")),
        };
        let (took, rival) = self.beside(cpu)?;
        let second = Figure {
            name: format!("{name}_cpu"),
            value: took,
            unit: "s",
            peer: rival.0.name(),
            peer_value: rival.1,
            ratio: rival.1 / took,
            note: "seconds of processors, user and system, of the same runs".to_owned(),
        };
        Ok(vec![first, second])
    }

    /// Ours and the best of the others, as medians.
    fn beside(&self, part: impl Fn(&Turn) -> f64) -> Result<(f64, (Who, f64))> {
        let median = |turns: &Vec<Turn>| Spread::of(turns.iter().map(&part)).median;
        let ours = self.0.get(&Who::Tidegate).map(median).context("ours was not measured")?;
        let others = self.0.iter().filter(|(who, _)| **who != Who::Tidegate).map(|(who, turns)| (*who, median(turns)));
        Ok((ours, others.min_by(|a, b| a.1.total_cmp(&b.1)).context("nobody else was measured")?))
    }
}

fn tell(who: Who, turns: &[Turn]) -> String {
    let of = |part: fn(&Turn) -> f64| Spread::of(turns.iter().map(part));
    format!(
        "{} {} s, CPU {:.2} s, server's CPU {:.2} s, to sync after it {:.2} s",
        who.name(),
        spread(&of(|it| it.took.wall), 1.0),
        of(|it| it.took.cpu).median,
        of(|it| it.server).median,
        of(|it| it.sync).median
    )
}
