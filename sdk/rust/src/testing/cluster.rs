//! The cluster that a test makes up.

use std::{collections::BTreeMap, marker::PhantomData, time::Duration};

use serde_json::Value;

use super::{
    Effect,
    world::{World, with},
};
use crate::{Bot, Checkpoint, Error, Event, Occurrence, Refusal, after, glue, log::Level};

/// A cluster on this thread. Making one replaces the one before it.
#[derive(Debug)]
pub struct Cluster {
    // Its data belongs to the thread, so it must stay there.
    stays: PhantomData<*const ()>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

impl Cluster {
    /// An empty cluster: host `host-1`, the time one second after the epoch.
    pub fn new() -> Self {
        with(|world| *world = World { host: "host-1".to_owned(), now: 1_000_000_000, ..World::default() });
        Self { stays: PhantomData }
    }

    /// The host that records the events from now on.
    pub fn set_host(&self, name: &str) {
        with(|world| name.clone_into(&mut world.host));
    }

    /// The host that records the events.
    pub fn host(&self) -> String {
        with(|world| world.host.clone())
    }

    /// The time of the next event.
    pub fn now(&self) -> u64 {
        with(|world| world.now)
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        with(|world| world.now = after(world.now, by));
    }

    /// Puts a checkpoint in, in place of one of the same run and step.
    pub fn put(&self, checkpoint: Checkpoint) {
        with(|world| world.checkpoints.insert((checkpoint.run.clone(), checkpoint.step), checkpoint));
    }

    /// A checkpoint as it is now.
    pub fn get(&self, run: &str, step: u64) -> Option<Checkpoint> {
        with(|world| world.checkpoints.get(&(run.to_owned(), step)).cloned())
    }

    /// Adds a rule of the guard: an effect for which it returns a refusal is refused. The first rule that does counts.
    /// A rule must not call the cluster.
    pub fn refuse(&self, rule: impl FnMut(&Effect) -> Option<Refusal> + 'static) {
        with(|world| world.rules.push(Box::new(rule)));
    }

    /// Sets a key of the bot's state.
    pub fn set_state(&self, key: &str, value: &[u8]) {
        with(|world| world.state.insert(key.to_owned(), value.to_vec()));
    }

    /// The bot's state.
    pub fn state(&self) -> BTreeMap<String, Vec<u8>> {
        with(|world| world.state.clone())
    }

    /// When the bot is to be woken, by key. A test that lets the time come hands it
    /// [`Occurrence::Woken`](crate::Occurrence::Woken).
    pub fn wakes(&self) -> BTreeMap<String, u64> {
        with(|world| world.wakes.clone())
    }

    /// Lines written so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        with(|world| world.lines.clone())
    }

    /// Whether a bot takes these settings.
    ///
    /// # Errors
    /// What the operator would read.
    pub fn configure<B: Bot>(&self, settings: Value) -> Result<(), String> {
        glue::configure::<B>(&settings.to_string())
    }

    /// Lets a bot handle an event, as one transaction, and returns the effects that it asked for. They are not carried
    /// out: see [`Cluster::carry_out`].
    ///
    /// # Errors
    /// The bot's own error; then its effects, its writes to `state` and its wishes to be woken are undone.
    pub fn handle<B: Bot>(&self, what: Occurrence, settings: Value) -> Result<Vec<Effect>, Error> {
        let (event, before) = with(|world| {
            world.seq += 1;
            world.effects.clear();
            let event = Event { seq: world.seq, time: world.now, host: world.host.clone(), what };
            world.drawn = 0;
            (event, (world.state.clone(), world.wakes.clone()))
        });
        let result = glue::handle::<B>(&event, &settings.to_string());
        let effects = with(|world| std::mem::take(&mut world.effects));
        match result {
            Ok(()) => Ok(effects),
            Err(error) => {
                with(|world| (world.state, world.wakes) = before);
                Err(error.into())
            }
        }
    }

    /// Does what the effects ask: a copy is verified, pruned bytes are gone, a pin holds.
    pub fn carry_out(&self, effects: &[Effect]) {
        with(|world| effects.iter().for_each(|effect| world.carry_out(effect)));
    }
}
