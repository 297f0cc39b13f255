//! A version of a bot that runs beside the one at work, on the same events and without any effect, so that people can see
//! how the two differ before they let it take over.
//!
//! Its state begins as the other's, brought into its form, and lives in memory: with the host's restart the comparison
//! begins anew. It never keeps the version at work from going on: its faults only count, apart from what it decided.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use tidegate_core::{BotName, Decision, Event, Ledger, Seq};
use tidegate_store::View;

use super::{
    delta::Delta,
    evaluate::{Handler, How},
    ground::Ground,
    record::Version,
    registry::push,
};
use crate::Host;

/// Differences that are kept.
const KEPT: usize = 64;
/// Faults after which it is not tried any more.
const FAULTS: u64 = 16;
/// Bytes of a failure's text that are kept.
const FAILURE_BYTES: usize = 4096;

/// Where the two versions differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What the version at work decided.
    pub now: Decision,
    /// What the other one would have.
    pub candidate: Decision,
}

/// How the comparison stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Events on which both decided the same.
    pub same: u64,
    /// Events on which they did not.
    pub different: u64,
    /// Events on which the candidate failed: a trap, an error of its own, a bound of the sandbox. They count neither as the
    /// same nor as different.
    pub failed: u64,
    /// The last of its failures, and on which event; at most 4096 bytes.
    pub last_failure: Option<String>,
    /// The last differences and failures.
    pub differences: VecDeque<Difference>,
    /// Why the candidate is not tried any more, if so.
    pub stopped: Option<String>,
    /// What the candidate has used.
    pub ledger: Ledger,
}

impl Comparison {
    /// Events that the candidate was given.
    pub fn events(&self) -> u64 {
        self.same + self.different + self.failed
    }

    /// What speaks against letting the candidate take over, if anything does.
    pub fn failure(&self) -> Option<String> {
        let failed = || {
            let last = self.last_failure.as_deref().unwrap_or_default();
            format!("it failed on {} of {} events, at last on {last}", self.failed, self.events())
        };
        self.stopped.clone().or_else(|| (self.failed > 0).then(failed))
    }

    fn fail(&mut self, event: Seq, fault: &str) {
        let mut told = format!("event {event}: {fault}");
        told.truncate(told.floor_char_boundary(FAILURE_BYTES));
        self.failed += 1;
        self.last_failure = Some(told);
    }
}

/// A candidate beside a version at work.
#[derive(Debug)]
pub(super) struct Candidate {
    version: Version,
    /// Held while it decides, for as long as its handler may take; by the bot's own task alone.
    at_work: Mutex<AtWork>,
    /// Held for a moment only: who wants to see how the comparison stands waits for no handler.
    comparison: Mutex<Comparison>,
}

/// What a candidate decides with.
#[derive(Debug, Default)]
struct AtWork {
    /// None when it is not tried any more.
    handler: Option<Handler>,
    /// Its state and counts so far; its effects go nowhere.
    ground: Arc<Ground>,
    /// The last event that it was given.
    through: Seq,
}

impl Candidate {
    /// One that starts from this state.
    pub(super) fn new(version: Version, handler: Handler, ground: Ground) -> Self {
        let at_work = AtWork { handler: Some(handler), ground: Arc::new(ground), ..AtWork::default() };
        Self { version, at_work: at_work.into(), comparison: Mutex::default() }
    }

    /// One that could not even begin.
    pub(super) fn stopped(version: Version, why: String) -> Self {
        let comparison = Comparison { stopped: Some(why), ..Comparison::default() };
        Self { version, at_work: Mutex::default(), comparison: comparison.into() }
    }

    /// How the comparison stands, without the event that the candidate is at.
    pub(super) fn comparison(&self) -> Comparison {
        self.published().clone()
    }

    /// Whether this event wakes it. A group that could not be written comes again: of that it has had its part.
    pub(super) fn wakes(&self, bot: &BotName, event: &Event) -> bool {
        let at_work = self.at_work();
        at_work.handler.is_some()
            && event.seq > at_work.through
            && self.version.triggers.wakes(bot, &self.version.grants, event)
    }

    /// Lets it decide about an event, after the version at work has; `now` is what that one decided.
    pub(super) fn compare(&self, host: &Host, view: &Arc<View>, event: &Event, now: Decision) {
        let mut at_work = self.at_work();
        let AtWork { handler, ground, through } = &mut *at_work;
        let Some(able) = handler else { return };
        *through = event.seq;
        let how = How { record: true, lines: 64, parked: false };
        let stop = match able.evaluate(host, view, ground, event, Delta::default(), how) {
            Ok(evaluated) => {
                let cost = Ground::go_on(ground, evaluated.group);
                self.take_in(&cost, now, evaluated.decision)
            }
            Err(error) => {
                self.published().stopped = Some(error.to_string());
                true
            }
        };
        if stop {
            (*handler, *ground) = Default::default();
        }
    }

    /// Counts a decision. True if there is to be no other.
    fn take_in(&self, cost: &Ledger, now: Decision, candidate: Decision) -> bool {
        let mut published = self.published();
        published.ledger.add(cost);
        let agrees = now.agrees(&candidate);
        match &candidate.fault {
            Some(fault) => published.fail(candidate.event, fault),
            None if agrees => published.same += 1,
            None => published.different += 1,
        }
        if !agrees {
            push(&mut published.differences, Difference { now, candidate }, KEPT);
        }
        if published.failed >= FAULTS {
            let last = published.last_failure.clone().unwrap_or_default();
            published.stopped = Some(format!("it failed {FAULTS} times, at last on {last}"));
        }
        published.stopped.is_some()
    }

    fn at_work(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn published(&self) -> MutexGuard<'_, Comparison> {
        self.comparison.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::{Digest, Grants, Mode, Triggers};

    use super::*;

    fn candidate() -> Candidate {
        let (grants, triggers, mode) = (Grants::default(), Triggers::default(), Mode::Enforce);
        let version = Version { plugin: Digest::of(b"x"), settings: "{}".into(), grants, triggers, mode };
        Candidate { version, at_work: Mutex::default(), comparison: Mutex::default() }
    }

    fn failed(event: Seq, fault: String) -> Decision {
        Decision { event, fault: Some(fault), ..Decision::default() }
    }

    #[test]
    fn the_comparison_is_read_while_a_handler_is_at_work() {
        let candidate = candidate();
        let deciding = candidate.at_work();
        assert_eq!(candidate.comparison(), Comparison::default());
        drop(deciding);
    }

    #[test]
    fn failures_are_counted_apart_and_their_text_is_bounded() {
        let candidate = candidate();
        let decide = |decision| candidate.take_in(&Ledger::default(), Decision::default(), decision);
        assert!(!decide(Decision::default()) && candidate.comparison().failure().is_none());
        assert!(!decide(failed(7, "é".repeat(9000))));
        let comparison = candidate.comparison();
        assert_eq!((comparison.same, comparison.different, comparison.failed), (1, 0, 1));
        assert_eq!(comparison.differences.len(), 1, "what it failed on is shown");
        let last = comparison.last_failure.as_deref().unwrap();
        assert!(last.starts_with("event 7: é") && last.len() <= FAILURE_BYTES && last.len() > FAILURE_BYTES - 2);
        assert!(comparison.failure().unwrap().starts_with("it failed on 1 of 2 events, at last on event 7"));
        (2..FAULTS).for_each(|event| assert!(!decide(failed(event, "no".into()))));
        assert!(decide(failed(99, "no".into())), "not for ever");
        assert_eq!(candidate.comparison().failure().unwrap(), "it failed 16 times, at last on event 99: no");
    }
}
