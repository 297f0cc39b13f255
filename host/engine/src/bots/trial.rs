//! What a bot would have decided about facts that are recorded, had it been there: nothing is done.

use std::{sync::Arc, time::Duration};

use tidegate_core::{BotName, Code, Decision, Seq};

use super::{
    BotSpec,
    calls::Who,
    check::check_granted,
    delta::Delta,
    evaluate::{Handler, How},
    ground::{Apart, Ground},
};
use crate::{Error, Host, Result, error::blocking};

/// Events that one trial looks at.
const EVENTS: usize = 10_000;
/// After so long a trial returns what it has.
const LONGEST: Duration = Duration::from_secs(30);
/// Decisions that one trial returns.
const DECISIONS: usize = 1_000;

/// What a trial found.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Of the events that woke the bot, those on which it did anything, in order.
    pub decisions: Vec<Decision>,
    /// Events that woke it.
    pub handled: u64,
    /// The last event that was looked at: give it as `after` for the next ones.
    pub through: Seq,
    /// Whether that was the last one there is.
    pub end: bool,
}

impl Host {
    /// Lets a version decide about the events after a place, from an empty state, as if it had been installed then. Each
    /// effect is judged against the catalogue as it was at its event. Nothing is carried out, and nothing is kept.
    ///
    /// Under the name of a bot that was there, from before it was installed, it is given all that this bot was given, and a
    /// version of the same component decides the same: a replay. Under another name it gets no `started`, `woken` and
    /// `job-finished`, which are for one bot alone.
    ///
    /// # Errors
    /// As [`Host::install`].
    pub async fn try_out(&self, name: BotName, spec: BotSpec, after: Seq, limit: usize) -> Result<Trial> {
        if self.0.hurried.is_cancelled() {
            return Err(Error::new(Code::Draining, "the host is stopping"));
        }
        // One at a time, and not for long: live bots need the places in the sandbox.
        let _turn = self.0.bots.trials.try_lock().map_err(|_| {
            Error::new(Code::TooMany, "another trial is under way: try again when it has ended, within half a minute")
        })?;
        let host = self.clone();
        blocking(move || host.try_out_now(&name, &spec, after, limit.min(DECISIONS))).await
    }

    fn try_out_now(&self, name: &BotName, spec: &BotSpec, after: Seq, limit: usize) -> Result<Trial> {
        self.check_spec(spec)?;
        let plugin = self.load_plugin(spec.plugin)?;
        check_granted(plugin.about(), &spec.grants)?;
        let settings = spec.settings.to_string();
        plugin.configure(&settings).map_err(|fault| Error::new(Code::BadSettings, fault.to_string()))?;
        let who = Who { name: name.clone(), grants: spec.grants.clone(), mode: spec.mode };
        let handler = Handler { who: Arc::new(who), plugin, settings: settings.as_str().into() };
        let view = Arc::new(self.0.store.index().view());
        let mut ground = Arc::new(Ground::apart(Apart::default()));
        let how = How { record: true, lines: 64, parked: false };
        let events = view.events(after, EVENTS)?;
        let mut trial = Trial { decisions: Vec::new(), handled: 0, through: after, end: events.len() < EVENTS };
        let until = self.0.clock.monotonic().saturating_add(LONGEST);
        for event in &events {
            let late = self.0.clock.monotonic() > until;
            if trial.decisions.len() >= limit || self.0.hurried.is_cancelled() || late {
                trial.end = false;
                break;
            }
            trial.through = event.seq;
            if !spec.triggers.wakes(name, &spec.grants, event) {
                continue;
            }
            let evaluated = handler.evaluate(self, &view, &ground, event, Delta::default(), how)?;
            Ground::go_on(&mut ground, evaluated.group);
            trial.handled += 1;
            if !evaluated.decision.is_empty() {
                trial.decisions.push(evaluated.decision);
            }
        }
        Ok(trial)
    }
}
