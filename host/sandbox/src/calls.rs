//! What a bot can ask, as its caller has to answer it. One file below for each interface of `wit/`: each takes the
//! values out of the guest, holds them to their bounds and passes them on to [`Calls`], and nothing else.

mod checkpoints;
mod clock;
mod log;
mod metrics;
mod random;
mod refusal;
mod replication;
mod schedule;
mod state;

use std::any::Any;

use tidegate_core::{Checkpoint, Effect, EffectId, JobState, Refusal, RunName, Step, Tier, Timestamp, Verdict, Why};

use crate::Deadline;

/// The types of the contract as it is, for [`crate::convert`].
use crate::bindings::tidegate::bot::types;
#[path = "convert.rs"]
pub(crate) mod convert;

/// Answers a bot's calls: one event's snapshot, with the handler's own writes on top. Values are within the bounds
/// that `wit/` states. Grants, quotas and the guard are the implementer's part; a refusal's text is cut at 1024 bytes.
/// What is not implemented is refused as `unavailable`.
///
/// Every call blocks the bot, and is not interrupted: one that may take long looks at the deadline that [`Calls::begin`]
/// hands over, and gives up when it has passed.
pub trait Calls: Send + 'static {
    /// Called before the bot runs.
    fn begin(&mut self, deadline: Deadline) {
        let _ = deadline;
    }

    /// How many log lines are kept at most; the rest is counted and dropped before it is looked at. Default = 64.
    fn log_lines(&self) -> usize {
        64
    }

    /// Runs in the order of their names, after `after`; at most 256.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        let _ = after;
        Err(outside())
    }

    /// Checkpoints below `before`, newest first, at most `limit` (1 to 256), and where the next page starts.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        let _ = (run, before, limit);
        Err(outside())
    }

    /// One checkpoint.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal> {
        let _ = (run, step);
        Err(outside())
    }

    /// What the guard would say to each prune of 1 to 256 steps, in their order.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn plan_prune(&mut self, run: RunName, steps: Vec<Step>, tier: Tier) -> Result<Vec<Verdict>, Refusal> {
        let _ = (run, steps, tier);
        Err(outside())
    }

    /// Takes an effect in, to be committed if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal> {
        let _ = effect;
        Err(outside())
    }

    /// How far an effect of this bot has come, as of the event; none if it is not known.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn status(&mut self, effect: EffectId) -> Result<Option<JobState>, Refusal> {
        let _ = effect;
        Err(outside())
    }

    /// Calls an effect of this bot off, if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn cancel(&mut self, effect: EffectId, reason: String) -> Result<(), Refusal> {
        let _ = (effect, reason);
        Err(outside())
    }

    /// The value of a key; sees the handler's own writes.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let _ = key;
        Err(outside())
    }

    /// Sets a key.
    ///
    /// # Errors
    /// A refusal for the bot, `over-quota` if its state is full.
    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        let _ = (key, value);
        Err(outside())
    }

    /// Removes a key that may be absent.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_delete(&mut self, key: &str) -> Result<(), Refusal> {
        let _ = key;
        Err(outside())
    }

    /// Keys that start with `prefix`, in order, after `after`; at most `limit`.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        let _ = (prefix, after, limit);
        Err(outside())
    }

    /// Asks to be woken at a time, in place of an earlier time of the same key; to be committed if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn wake_at(&mut self, time: Timestamp, key: &str, reason: String) -> Result<(), Refusal> {
        let _ = (time, key, reason);
        Err(outside())
    }

    /// Takes back what was asked for a key.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn cancel_wake(&mut self, key: &str) -> Result<(), Refusal> {
        let _ = key;
        Err(outside())
    }

    /// Draws the next bytes of the event's stream.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal> {
        let _ = into;
        Err(outside())
    }

    /// Sets one of the bot's numbers, or adds to it; to be committed if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot, `over-quota` if it has too many.
    fn metric(&mut self, name: &str, change: MetricChange) -> Result<(), Refusal> {
        let _ = (name, change);
        Err(outside())
    }

    /// For the caller to get back what it put in, after the handler ended.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// What becomes of a bot's number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricChange {
    /// It is this; finite.
    Set(f64),
    /// It grows by this; finite, 0 or more.
    Add(f64),
}

fn outside() -> Refusal {
    Refusal::new(Why::Unavailable, "this can't be asked here: `configure` has no event, `migrate` has state alone")
}

/// Answers nothing: what `configure` gets, which has no event and so no snapshot.
pub(crate) struct NoCalls;

impl Calls for NoCalls {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
