//! What a bot can ask, as its caller has to answer it. One file below for each interface of `wit/`: each takes the
//! values out of the guest, holds them to their bounds and passes them on to [`Calls`], and nothing else.

mod checkpoints;
mod clock;
mod log;
mod random;
mod refusal;
mod replication;
mod schedule;
mod state;

use std::any::Any;

use tidegate_core::{Checkpoint, Effect, EffectId, Refusal, RunName, Step, Timestamp, Why};

/// Answers a bot's calls: one event's snapshot, with the handler's own writes on top. Values are within the bounds
/// that `wit/` states. Grants, quotas and the guard are the implementer's part; a refusal's text is cut at 1024 bytes.
///
/// Every call blocks the bot, and the time that it takes counts against the bot's deadline only afterwards.
pub trait Calls: Send + 'static {
    /// Runs in the order of their names, after `after`; at most 256.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn runs(&mut self, after: Option<RunName>) -> Result<Vec<RunName>, Refusal>;

    /// Checkpoints below `before`, newest first, at most `limit` (1 to 256), and where the next page starts.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn list(
        &mut self,
        run: RunName,
        before: Option<Step>,
        limit: u32,
    ) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal>;

    /// One checkpoint.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn get(&mut self, run: RunName, step: Step) -> Result<Option<Checkpoint>, Refusal>;

    /// Takes an effect in, to be committed if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn effect(&mut self, effect: Effect) -> Result<EffectId, Refusal>;

    /// The value of a key; sees the handler's own writes.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal>;

    /// Sets a key.
    ///
    /// # Errors
    /// A refusal for the bot, `over-quota` if its state is full.
    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal>;

    /// Removes a key that may be absent.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_delete(&mut self, key: &str) -> Result<(), Refusal>;

    /// Keys that start with `prefix`, in order, after `after`; at most `limit`.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal>;

    /// Asks to be woken at a time, in place of an earlier time of the same key; to be committed if the handler ends well.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn wake_at(&mut self, time: Timestamp, key: &str, reason: String) -> Result<(), Refusal>;

    /// Takes back what was asked for a key.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn cancel_wake(&mut self, key: &str) -> Result<(), Refusal>;

    /// Draws the next bytes of the event's stream.
    ///
    /// # Errors
    /// A refusal for the bot.
    fn random(&mut self, into: &mut [u8]) -> Result<(), Refusal>;

    /// For the caller to get back what it put in, after the handler ended.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// Answers nothing: what `configure` gets, which has no event and so no snapshot.
pub(crate) struct NoCalls;

fn outside() -> Refusal {
    Refusal::new(Why::Unavailable, "only `handle` can ask this: `configure` has no event")
}

impl Calls for NoCalls {
    fn runs(&mut self, _: Option<RunName>) -> Result<Vec<RunName>, Refusal> {
        Err(outside())
    }
    fn list(&mut self, _: RunName, _: Option<Step>, _: u32) -> Result<(Vec<Checkpoint>, Option<Step>), Refusal> {
        Err(outside())
    }
    fn get(&mut self, _: RunName, _: Step) -> Result<Option<Checkpoint>, Refusal> {
        Err(outside())
    }
    fn effect(&mut self, _: Effect) -> Result<EffectId, Refusal> {
        Err(outside())
    }
    fn state_get(&mut self, _: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Err(outside())
    }
    fn state_set(&mut self, _: &str, _: Vec<u8>) -> Result<(), Refusal> {
        Err(outside())
    }
    fn state_delete(&mut self, _: &str) -> Result<(), Refusal> {
        Err(outside())
    }
    fn state_keys(&mut self, _: &str, _: Option<&str>, _: u32) -> Result<Vec<String>, Refusal> {
        Err(outside())
    }
    fn wake_at(&mut self, _: Timestamp, _: &str, _: String) -> Result<(), Refusal> {
        Err(outside())
    }
    fn cancel_wake(&mut self, _: &str) -> Result<(), Refusal> {
        Err(outside())
    }
    fn random(&mut self, _: &mut [u8]) -> Result<(), Refusal> {
        Err(outside())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
