//! A version of a bot that runs beside the one at work, on the same events and without any effect, so that people can see
//! how the two differ before they let it take over.
//!
//! Its state begins as the other's, brought into its form, and lives in memory: with the host's restart the comparison
//! begins anew. It never keeps the version at work from going on: its faults only count.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use tidegate_core::{Decision, Event, Ledger};
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
    /// The last differences.
    pub differences: VecDeque<Difference>,
    /// Why the candidate is not tried any more, if so.
    pub stopped: Option<String>,
    /// What the candidate has used.
    pub ledger: Ledger,
}

/// A candidate at work.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) version: Version,
    handler: Option<Handler>,
    ground: Arc<Ground>,
    /// Its state as far as it has changed; its effects go nowhere.
    overlay: Delta,
    pub(super) comparison: Comparison,
}

impl Candidate {
    /// One that starts from this state.
    pub(super) fn new(version: Version, handler: Handler, ground: Ground) -> Self {
        let (overlay, comparison) = Default::default();
        Self { version, handler: Some(handler), ground: Arc::new(ground), overlay, comparison }
    }

    /// One that could not even begin.
    pub(super) fn stopped(version: Version, why: String) -> Self {
        let comparison = Comparison { stopped: Some(why), ..Comparison::default() };
        Self { version, handler: None, ground: Arc::default(), overlay: Delta::default(), comparison }
    }

    /// Whether this event wakes it.
    pub(super) fn wakes(&self, bot: &tidegate_core::BotName, event: &Event) -> bool {
        self.handler.is_some() && self.version.triggers.wakes(bot, &self.version.grants, event)
    }

    /// Lets it decide about an event, after the version at work has; `now` is what that one decided.
    pub(super) fn compare(&mut self, host: &Host, view: &Arc<View>, event: &Event, now: Decision) {
        let Some(handler) = &self.handler else { return };
        let how = How { record: true, lines: 64 };
        let overlay = std::mem::take(&mut self.overlay);
        let mut evaluated = match handler.evaluate(host, view, &self.ground, event, overlay, how) {
            Ok(evaluated) => evaluated,
            Err(error) => {
                self.stop(error.to_string());
                return;
            }
        };
        self.comparison.ledger = evaluated.group.ledger.clone();
        evaluated.group.effects.clear();
        evaluated.group.cancels.clear();
        self.overlay = evaluated.group;
        if now.agrees(&evaluated.decision) {
            self.comparison.same += 1;
        } else {
            self.comparison.different += 1;
            push(&mut self.comparison.differences, Difference { now, candidate: evaluated.decision }, KEPT);
        }
        if self.comparison.ledger.faults >= FAULTS {
            let fault = evaluated.fault.map(|fault| fault.to_string()).unwrap_or_default();
            self.stop(format!("it failed {FAULTS} times, at last on event {}: {fault}", event.seq));
        }
    }

    fn stop(&mut self, why: String) {
        self.comparison.stopped = Some(why);
        (self.handler, self.overlay) = (None, Delta::default());
    }
}
