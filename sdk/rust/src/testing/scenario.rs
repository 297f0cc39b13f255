//! Named days in a cluster's life that a bot can be run through, in virtual time.

mod copies;
mod dice;
mod host;
mod jobs;
mod sim;
mod tune;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

use self::sim::Sim;
use super::Record;
use crate::{Bot, Error, Event, glue};

/// 1 GiB.
const GIB: u64 = 1 << 30;

/// A scenario: a cluster of hosts whose runs save checkpoints, an object tier, and what befalls them, over hours that pass
/// in milliseconds.
///
/// Every host runs the bots that the test names. What they ask for is carried out after the time that it would take; its
/// outcome, and the times they ask to be woken at, come back as events. The host's rules hold: a handler is one
/// transaction that is tried four times, safe prune, one effect of a kind for a checkpoint, 64 effects an event.
/// The same scenario with the same seed is the same to the nanosecond; the seed is printed, for a test that fails.
///
/// It is **not** the host: the object tier is a rate, a number of copies at once and an outage, every grant is given, and a
/// bot is handed every kind of event, whatever its triggers will be. A host with the component shows the rest.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
///
/// let record = Scenario::partition().bot::<Eager>(json!({})).run().unwrap();
/// assert_eq!(record.bytes_at_risk, 0, "{record}");
/// assert!(record.worst_rpo.as_secs() > 45 * 60, "nothing is copied while the object tier is away: {record}");
/// ```
#[derive(Debug, Clone)]
pub struct Scenario {
    plan: Plan,
    bots: Vec<Seat>,
}

/// What is known beforehand.
#[derive(Debug, Clone)]
struct Plan {
    name: &'static str,
    seed: u64,
    hosts: u32,
    together: bool,
    every: Duration,
    lasts: Duration,
    settles: Duration,
    bytes: u64,
    disk: u64,
    link: u64,
    target_copies: usize,
    outage: Option<(Duration, Duration)>,
    tries: u32,
    copied_after: Option<Duration>,
}

/// A bot and its settings, on every host.
#[derive(Debug, Clone)]
struct Seat {
    name: &'static str,
    settings: String,
    configure: fn(&str) -> Result<(), String>,
    handle: fn(&Event, &str) -> Result<(), String>,
}

impl Scenario {
    /// An ordinary day, which the named ones change: 4 hosts with a run each, that saves 10 GiB every 10 minutes for two
    /// hours at a time of its own; 1 TiB of NVMe, a link of 1 GiB/s, an object tier that takes 64 copies at once.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::calm().bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!((record.saves_refused, record.throttled), (0, 0));
    /// assert!(record.worst_rpo.as_secs() < 11 * 60, "{record}");
    /// ```
    pub fn calm() -> Self {
        let plan = Plan {
            name: "calm",
            seed: 1,
            hosts: 4,
            together: false,
            every: Duration::from_secs(600),
            lasts: Duration::from_secs(7200),
            settles: Duration::from_secs(3600),
            bytes: 10 * GIB,
            disk: 1024 * GIB,
            link: GIB,
            target_copies: 64,
            outage: None,
            tries: 800,
            copied_after: None,
        };
        Self { plan, bots: Vec::new() }
    }

    /// Many runs finish an epoch at the same time: 48 hosts, every half hour, and an object tier that takes 16 copies at
    /// once, which last some 40 s each. A bot that spreads its copies is not throttled.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::herd().bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.most_copies >= 16 && record.throttled > 0, "{record}");
    /// ```
    pub fn herd() -> Self {
        Self::calm().named("herd").hosts(48).together().every(Duration::from_secs(1800)).link(GIB / 4).target_copies(16)
    }

    /// NVMe fills: room for 6 checkpoints, one every 5 minutes. A bot that prunes in time lets every save find room, and
    /// safe prune lets it lose nothing that must be kept.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::disk_full().bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.saves_refused > 0, "nobody prunes: {record}");
    /// ```
    pub fn disk_full() -> Self {
        Self::calm().named("disk_full").hosts(2).every(Duration::from_secs(300)).disk(64 * GIB)
    }

    /// The object tier does not answer for 45 minutes, from minute 30 on, then it is back. Copies under way fail and are
    /// tried again by the host; a bot that prunes only what is copied loses nothing.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::partition().bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(record.bytes_at_risk, 0, "{record}");
    /// ```
    pub fn partition() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self::calm().named("partition").outage(minutes(30), minutes(45))
    }

    /// Checkpoints come faster than the link takes them: one every 5 minutes, some 8 minutes to copy. What waits grows
    /// until the runs end; which of them goes first decides what a host's death would cost.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::slow_link().bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.bytes_at_risk > 0, "{record}");
    /// ```
    pub fn slow_link() -> Self {
        Self::calm().named("slow_link").hosts(2).every(Duration::from_secs(300)).link(20 << 20)
    }

    fn named(mut self, name: &'static str) -> Self {
        self.plan.name = name;
        self
    }

    /// A bot with these settings, on every host; several may be named, and each keeps its own state.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let twice = Scenario::calm().bot::<Eager>(json!({})).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(twice.refusals()["unnecessary"] > 0, "the second asks for what the first has asked for");
    /// ```
    #[must_use]
    pub fn bot<B: Bot>(mut self, settings: Value) -> Self {
        let name = std::any::type_name::<B>().rsplit("::").next().unwrap_or_default();
        let (configure, handle) = (glue::configure::<B>, glue::handle::<B>);
        self.bots.push(Seat { name, settings: settings.to_string(), configure, handle });
        self
    }

    /// What chance is made from. Default = 1.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let run = |seed| Scenario::herd().seed(seed).bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(run(7), run(7));
    /// assert_ne!(run(7), run(8));
    /// ```
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// Lets the time pass and returns what came of it. The thread's [`Cluster`](super::Cluster) is left as it is.
    ///
    /// # Errors
    /// A bot does not take its settings, or keeps itself busy: after 200,000 events nothing is waited for any more.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let error = Scenario::calm().bot::<Eager>(json!({ "speed": 9 })).run().unwrap_err();
    /// assert!(error.to_string().contains("speed"));
    /// ```
    pub fn run(self) -> Result<Record, Error> {
        println!("scenario {}, seed {}", self.plan.name, self.plan.seed);
        for bot in &self.bots {
            (bot.configure)(&bot.settings).map_err(|error| Error::new(format_args!("{}: {error}", bot.name)))?;
        }
        Sim::new(self.plan, self.bots).run()
    }
}
