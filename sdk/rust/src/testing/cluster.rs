//! The cluster that a test makes up.

use std::{collections::BTreeMap, marker::PhantomData, time::Duration};

use serde_json::Value;

use super::{
    Effect,
    world::{World, arrive, with},
};
use crate::{Bot, Checkpoint, Error, Event, Occurrence, Refusal, after, glue, log::Level};

/// A cluster on this thread. Making one replaces the one before it.
///
/// ```
/// use tidegate_sdk::{checkpoints, testing::{Cluster, checkpoint}};
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// assert_eq!(checkpoints::runs(10).unwrap(), ["gpt"]);
/// ```
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
    ///
    /// ```
    /// let cluster = tidegate_sdk::testing::Cluster::new();
    /// assert_eq!((cluster.host().as_str(), cluster.now()), ("host-1", 1_000_000_000));
    /// ```
    pub fn new() -> Self {
        with(|world| *world = World { host: "host-1".to_owned(), now: 1_000_000_000, ..World::default() });
        Self { stays: PhantomData }
    }

    /// The host that records the events from now on.
    ///
    /// ```
    /// let cluster = tidegate_sdk::testing::Cluster::new();
    /// cluster.set_host("host-2");
    /// assert_eq!(cluster.host(), "host-2");
    /// ```
    pub fn set_host(&self, name: &str) {
        with(|world| name.clone_into(&mut world.host));
    }

    /// The host that records the events.
    ///
    /// ```
    /// assert_eq!(tidegate_sdk::testing::Cluster::new().host(), "host-1");
    /// ```
    pub fn host(&self) -> String {
        with(|world| world.host.clone())
    }

    /// The time of the next event.
    ///
    /// ```
    /// let cluster = tidegate_sdk::testing::Cluster::new();
    /// assert_eq!(cluster.now(), tidegate_sdk::clock::now());
    /// ```
    pub fn now(&self) -> u64 {
        with(|world| world.now)
    }

    /// Lets time pass.
    ///
    /// ```
    /// let cluster = tidegate_sdk::testing::Cluster::new();
    /// let before = cluster.now();
    /// cluster.advance(std::time::Duration::from_secs(60));
    /// assert_eq!(cluster.now() - before, 60_000_000_000);
    /// ```
    pub fn advance(&self, by: Duration) {
        with(|world| world.now = after(world.now, by));
    }

    /// Puts a checkpoint in, in place of one of the same run and step.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Cluster, checkpoint, incomplete};
    /// let cluster = Cluster::new();
    /// cluster.put(incomplete("gpt", 100));
    /// cluster.put(checkpoint("gpt", 100));
    /// assert!(cluster.get("gpt", 100).unwrap().complete);
    /// ```
    pub fn put(&self, checkpoint: Checkpoint) {
        with(|world| world.checkpoints.insert((checkpoint.run.clone(), checkpoint.step), checkpoint));
    }

    /// A checkpoint as it is now.
    ///
    /// ```
    /// let cluster = tidegate_sdk::testing::Cluster::new();
    /// assert_eq!(cluster.get("gpt", 100), None);
    /// ```
    pub fn get(&self, run: &str, step: u64) -> Option<Checkpoint> {
        with(|world| world.checkpoints.get(&(run.to_owned(), step)).cloned())
    }

    /// Adds a rule of the guard: an effect for which it returns a refusal is refused. The first rule that does counts.
    /// A rule must not call the cluster.
    ///
    /// ```
    /// use tidegate_sdk::{Refusal, checkpoints, testing::{Cluster, checkpoint}};
    /// let cluster = Cluster::new();
    /// cluster.put(checkpoint("gpt", 100));
    /// cluster.refuse(|effect| (effect.step() == 100).then(|| Refusal::Denied("not this one".into())));
    /// assert_eq!(checkpoints::pin("gpt", 100, "good").unwrap_err().class(), "denied");
    /// ```
    pub fn refuse(&self, rule: impl FnMut(&Effect) -> Option<Refusal> + 'static) {
        with(|world| world.rules.push(Box::new(rule)));
    }

    /// Sets a key of the bot's state.
    ///
    /// ```
    /// use tidegate_sdk::{state, testing::Cluster};
    /// let cluster = Cluster::new();
    /// cluster.set_state("seen", b"7");
    /// assert_eq!(state::load::<u64>("seen").unwrap(), Some(7));
    /// ```
    pub fn set_state(&self, key: &str, value: &[u8]) {
        with(|world| world.state.insert(key.to_owned(), value.to_vec()));
    }

    /// The bot's state.
    ///
    /// ```
    /// use tidegate_sdk::{state, testing::Cluster};
    /// let cluster = Cluster::new();
    /// state::save("seen", &7).unwrap();
    /// assert_eq!(cluster.state()["seen"], b"7");
    /// ```
    pub fn state(&self) -> BTreeMap<String, Vec<u8>> {
        with(|world| world.state.clone())
    }

    /// When the bot is to be woken, by key. A test that lets the time come hands it
    /// [`Occurrence::Woken`](crate::Occurrence::Woken), which frees the key unless it was moved since.
    ///
    /// ```
    /// use tidegate_sdk::{schedule, testing::Cluster};
    /// let cluster = Cluster::new();
    /// schedule::wake_at(5_000_000_000, "look again", "the disk was full").unwrap();
    /// assert_eq!(cluster.wakes()["look again"], 5_000_000_000);
    /// ```
    pub fn wakes(&self) -> BTreeMap<String, u64> {
        with(|world| world.wakes.clone())
    }

    /// Lines written so far.
    ///
    /// ```
    /// use tidegate_sdk::{log, testing::Cluster};
    /// let cluster = Cluster::new();
    /// log::info("all is well");
    /// assert_eq!(cluster.lines()[0].1, "all is well");
    /// ```
    pub fn lines(&self) -> Vec<(Level, String)> {
        with(|world| world.lines.clone())
    }

    /// Whether a bot takes these settings.
    ///
    /// # Errors
    /// What the operator would read.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Cluster, Eager, json};
    /// let cluster = Cluster::new();
    /// assert_eq!(cluster.configure::<Eager>(json!({})), Ok(()));
    /// assert!(cluster.configure::<Eager>(json!({ "speed": 9 })).unwrap_err().contains("speed"));
    /// ```
    pub fn configure<B: Bot>(&self, settings: Value) -> Result<(), String> {
        glue::configure::<B>(&settings.to_string())
    }

    /// Lets a bot handle an event, as one transaction, and returns the effects that it asked for. They are not carried
    /// out: see [`Cluster::carry_out`]. A copy or a prune goes on until then, until the bot calls it off or until it is handed
    /// [`Occurrence::JobFinished`](crate::Occurrence::JobFinished); meanwhile to ask for it again is `unnecessary`.
    ///
    /// # Errors
    /// The bot's own error; then its effects, its writes to `state` and its wishes to be woken are undone.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Cluster, Eager, checkpoint, complete, json};
    /// let cluster = Cluster::new();
    /// cluster.put(checkpoint("gpt", 100));
    /// let asked = cluster.handle::<Eager>(complete("gpt", 100), json!({})).unwrap();
    /// assert_eq!(asked[0].to_string(), "replicate gpt step 100 to default: complete");
    /// ```
    pub fn handle<B: Bot>(&self, what: Occurrence, settings: Value) -> Result<Vec<Effect>, Error> {
        let (event, before) = with(|world| {
            // What was asked for outside of a handler counts, too.
            world.commit();
            world.seq += 1;
            world.begin();
            world.learn(&what);
            arrive(&mut world.wakes, &what);
            let event = Event { seq: world.seq, time: world.now, host: world.host.clone(), what };
            let World { state, wakes, jobs, metrics, .. } = &*world;
            (event, (state.clone(), wakes.clone(), jobs.clone(), metrics.clone()))
        });
        let result = glue::handle::<B>(&event, &settings.to_string());
        with(|world| match result {
            Ok(()) => Ok(world.commit()),
            Err(error) => {
                (world.state, world.wakes, world.jobs, world.metrics) = before;
                world.begin();
                Err(error.into())
            }
        })
    }

    /// The numbers that bots have reported.
    ///
    /// ```
    /// use tidegate_sdk::{metrics, testing::Cluster};
    /// let cluster = Cluster::new();
    /// metrics::set("lag", 1.5).unwrap();
    /// assert_eq!(cluster.metrics()["lag"], 1.5);
    /// ```
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        with(|world| world.metrics.clone())
    }

    /// Lets a version of a bot take over the state of another one, whose version is given. If it fails, the state stays as
    /// it was.
    ///
    /// ```
    /// use tidegate_sdk::testing::{Cluster, Eager, json};
    /// let cluster = Cluster::new();
    /// cluster.set_state("k", b"v");
    /// cluster.migrate::<Eager>("0.1.0", json!({})).unwrap();
    /// assert_eq!(cluster.state()["k"], b"v");
    /// ```
    ///
    /// # Errors
    /// What the bot said.
    pub fn migrate<B: Bot>(&self, from_version: &str, settings: Value) -> Result<(), Error> {
        let before = with(|world| world.state.clone());
        glue::migrate::<B>(from_version, &settings.to_string()).map_err(|error| {
            with(|world| world.state = before);
            error.into()
        })
    }

    /// Does what the effects ask: a copy is verified, pruned bytes are gone, a pin holds.
    ///
    /// ```
    /// use tidegate_sdk::{Tier, testing::{Cluster, Eager, checkpoint, complete, json}};
    /// let cluster = Cluster::new();
    /// cluster.put(checkpoint("gpt", 100));
    /// let asked = cluster.handle::<Eager>(complete("gpt", 100), json!({})).unwrap();
    /// cluster.carry_out(&asked);
    /// assert!(cluster.get("gpt", 100).unwrap().is_verified(Tier::Object));
    /// ```
    pub fn carry_out(&self, effects: &[Effect]) {
        with(|world| {
            world.commit();
            effects.iter().for_each(|effect| {
                world.carry_out(effect);
                world.done(effect);
            });
        });
    }
}

#[cfg(test)]
mod tests;
