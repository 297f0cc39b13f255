//! What came of a scenario, for a test to look at.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::Effect;
use crate::{Refusal, log::Level};

/// What came of a [`Scenario`](super::Scenario). All times are virtual, from its beginning.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let record = Scenario::slow_link().bot::<Eager>(json!({})).run().unwrap();
/// let first = &record.asked[0];
/// assert_eq!((first.bot, first.effect.reason()), ("Eager", "complete"));
/// assert_eq!(record.bytes_lost, 0, "{record}");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The seed that it ran with.
    pub seed: u64,
    /// Events that were handled, by whichever bot.
    pub events: u64,
    /// The effects that were accepted, in order, with what became of them.
    pub asked: Vec<Asked>,
    /// The effects that the guard refused, in order.
    pub refused: Vec<Refused>,
    /// Handlers that returned an error, in order.
    pub failed: Vec<Failed>,
    /// The bots that were stopped for failing again and again, as (host, bot).
    pub stopped: Vec<(String, &'static str)>,
    /// Lines that bots wrote, in order: when, on which host, how weighty, what.
    pub lines: Vec<(Duration, String, Level, String)>,
    /// Saves that trainers made.
    pub saves: u64,
    /// Saves that found no room on NVMe: the trainer was refused before its first byte.
    pub saves_refused: u64,
    /// Times that the object tier had too many copies at once and told one to come again later.
    pub throttled: u64,
    /// Copies that were under way at once, over all hosts, when most were.
    pub most_copies: usize,
    /// The longest time of a run's work that a host's death would have cost: from the newest verified copy on the object
    /// tier, or from the run's beginning, to the moment.
    pub worst_rpo: Duration,
    /// Bytes of complete checkpoints whose last copy was pruned.
    pub bytes_lost: u64,
    /// Bytes of complete checkpoints that at the end were on NVMe only: what was still to be copied.
    pub bytes_at_risk: u64,
}

/// An effect that was accepted.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let record = Scenario::calm().bot::<Eager>(json!({})).run().unwrap();
/// assert_eq!((record.asked[0].bot, record.asked[0].effect.step()), ("Eager", 1000));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// When.
    pub at: Duration,
    /// On which host.
    pub host: String,
    /// By which bot: the name of its type.
    pub bot: &'static str,
    /// What was asked, with its reason.
    pub effect: Effect,
    /// How it ended; none if it had not by the end.
    pub ended: Option<Ended>,
}

/// How an effect ended.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let record = Scenario::calm().bot::<Eager>(json!({})).run().unwrap();
/// let ended = record.asked[0].ended.as_ref().unwrap();
/// assert!(ended.ok && ended.at > record.asked[0].at && ended.detail.ends_with("verified on default"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Duration,
    /// Whether it did what was asked.
    pub ok: bool,
    /// In words, as `job-finished` has them.
    pub detail: String,
}

/// An effect that the guard refused.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let twice = Scenario::calm().bot::<Eager>(json!({})).bot::<Eager>(json!({}));
/// let record = twice.run().unwrap();
/// assert_eq!(record.refused[0].refusal.class(), "unnecessary");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// When.
    pub at: Duration,
    /// On which host.
    pub host: String,
    /// Which bot: the name of its type.
    pub bot: &'static str,
    /// What was asked.
    pub effect: Effect,
    /// Why not.
    pub refusal: Refusal,
}

/// A handler that returned an error: it left no effect.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let twice = Scenario::calm().bot::<Eager>(json!({})).bot::<Eager>(json!({}));
/// let record = twice.run().unwrap();
/// assert!(record.failed[0].error.ends_with("is doing this"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When.
    pub at: Duration,
    /// On which host.
    pub host: String,
    /// Which bot: the name of its type.
    pub bot: &'static str,
    /// The place in the host's journal of the event that it failed on.
    pub seq: u64,
    /// The error.
    pub error: String,
}

impl Record {
    /// The effects of one run, in order.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::slow_link().bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.of_run("run-1").all(|it| it.effect.run() == "run-1"));
    /// ```
    pub fn of_run<'a>(&'a self, run: &'a str) -> impl Iterator<Item = &'a Asked> {
        self.asked.iter().filter(move |it| it.effect.run() == run)
    }

    /// The copies that reached the object tier.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::partition().bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(record.copies().count() as u64, record.saves, "after the heal all arrive: {record}");
    /// ```
    pub fn copies(&self) -> impl Iterator<Item = &Asked> {
        let done = |it: &&Asked| it.ended.as_ref().is_some_and(|ended| ended.ok);
        self.asked.iter().filter(|it| matches!(it.effect, Effect::Replicate(_))).filter(done)
    }

    /// How many effects were refused for each class of refusal, such as `would-lose-data`.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::herd().bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.refusals().is_empty(), "{record}");
    /// ```
    pub fn refusals(&self) -> BTreeMap<&'static str, usize> {
        let mut classes = BTreeMap::new();
        self.refused.iter().for_each(|it| *classes.entry(it.refusal.class()).or_default() += 1);
        classes
    }
}

/// The figures, for the message of an assertion.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = |ok: bool| self.asked.iter().filter_map(|it| it.ended.as_ref()).filter(|it| it.ok == ok).count();
        writeln!(f, "scenario {}, seed {}: {} events", self.scenario, self.seed, self.events)?;
        writeln!(
            f,
            "  effects: {} accepted, {} done, {} failed; refused: {:?}",
            self.asked.len(),
            ended(true),
            ended(false),
            self.refusals()
        )?;
        writeln!(f, "  handlers: {} failed, {} bots stopped", self.failed.len(), self.stopped.len())?;
        writeln!(f, "  copies: {} at once at most, {} throttled", self.most_copies, self.throttled)?;
        writeln!(f, "  saves: {}, and {} found no room", self.saves, self.saves_refused)?;
        write!(
            f,
            "  worst recovery point: {} s; bytes lost: {}, at risk at the end: {}",
            self.worst_rpo.as_secs(),
            self.bytes_lost,
            self.bytes_at_risk
        )?;
        match self.failed.first() {
            Some(it) => write!(f, "\n  first error: {} on {} at {} s: {}", it.bot, it.host, it.at.as_secs(), it.error),
            None => Ok(()),
        }
    }
}
