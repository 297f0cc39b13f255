//! What can be changed about a scenario.

use std::time::Duration;

use super::Scenario;

/// What can be changed about a scenario.
impl Scenario {
    /// Hosts, each with one run: `host-0` with `run-0`, and so on. Default = 4.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let one = Scenario::calm().hosts(1).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(one.asked.iter().all(|it| it.host == "host-0"));
    /// ```
    #[must_use]
    pub fn hosts(mut self, count: u32) -> Self {
        self.plan.hosts = count;
        self
    }

    /// All runs save at the same time. Default = each at a time of its own, but in [`herd`](Self::herd).
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::calm().together().bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(record.asked[0].at, record.asked[3].at);
    /// ```
    #[must_use]
    pub fn together(mut self) -> Self {
        self.plan.together = true;
        self
    }

    /// The time between two saves of a run. Default = 10 minutes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let often = Scenario::calm().every(Duration::from_secs(60)).bytes(1 << 30).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(often.worst_rpo.as_secs() < 2 * 60);
    /// ```
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.plan.every = interval.max(Duration::from_secs(1));
        self
    }

    /// How long the runs train. Default = 2 hours.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let short = Scenario::calm().lasts(Duration::from_secs(1800)).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(short.saves <= 4 * 3);
    /// ```
    #[must_use]
    pub fn lasts(mut self, time: Duration) -> Self {
        self.plan.lasts = time;
        self
    }

    /// How long is waited after the runs have ended for what is still under way. Default = 1 hour.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::slow_link().settles(Duration::from_secs(24 * 3600)).bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(record.bytes_at_risk, 0, "a day is enough for what has queued up");
    /// ```
    #[must_use]
    pub fn settles(mut self, time: Duration) -> Self {
        self.plan.settles = time;
        self
    }

    /// Bytes of a checkpoint; each is up to a tenth larger. Default = 10 GiB.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let small = Scenario::herd().bytes(1 << 20).bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(small.throttled, 0, "small ones are done before the next begin");
    /// ```
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.plan.bytes = bytes;
        self
    }

    /// Bytes of a host's NVMe. Default = 1 TiB.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let tight = Scenario::calm().disk(25 << 30).bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(tight.saves, 4 * 2, "two fit on each host");
    /// ```
    #[must_use]
    pub fn disk(mut self, bytes: u64) -> Self {
        self.plan.disk = bytes;
        self
    }

    /// Bytes a second that a host sends to the object tier, shared by its copies. Default = 1 GiB.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let slow = Scenario::calm().link(50 << 20).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(slow.worst_rpo > Scenario::calm().bot::<Eager>(json!({})).run().unwrap().worst_rpo);
    /// ```
    #[must_use]
    pub fn link(mut self, bytes_a_second: u64) -> Self {
        self.plan.link = bytes_a_second.max(1);
        self
    }

    /// Copies that the object tier takes at once; others are told to come later. Default = 64.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let wide = Scenario::herd().target_copies(1000).bot::<Eager>(json!({})).run().unwrap();
    /// assert_eq!(wide.throttled, 0);
    /// ```
    #[must_use]
    pub fn target_copies(mut self, most: usize) -> Self {
        self.plan.target_copies = most;
        self
    }

    /// The object tier does not answer from a time on, for so long. Default = it always does.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let hour = Duration::from_secs(3600);
    /// let record = Scenario::calm().outage(Duration::ZERO, hour).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.copies().all(|it| it.ended.as_ref().unwrap().at > hour));
    /// ```
    #[must_use]
    pub fn outage(mut self, from: Duration, time: Duration) -> Self {
        self.plan.outage = Some((from, from.saturating_add(time)));
        self
    }

    /// Tries of a copy before the host gives it up, and the bot is told that it failed. Default = 800, as a host's.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Eager, Scenario, json};
    /// let record = Scenario::partition().tries(3).bot::<Eager>(json!({})).run().unwrap();
    /// assert!(record.bytes_at_risk > 0, "this bot does not ask again: {record}");
    /// ```
    #[must_use]
    pub fn tries(mut self, most: u32) -> Self {
        self.plan.tries = most.max(1);
        self
    }

    /// Another bot copies each checkpoint so long after it was saved: for a bot that does something else, such as pruning.
    /// Default = nobody but the bots of the test.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate_sdk::testing::Scenario;
    /// let record = Scenario::calm().copied_after(Duration::from_secs(30)).run().unwrap();
    /// assert_eq!((record.bytes_at_risk, record.asked.len()), (0, 0));
    /// ```
    #[must_use]
    pub fn copied_after(mut self, wait: Duration) -> Self {
        self.plan.copied_after = Some(wait);
        self
    }
}
