//! A loaded component, and one event through it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tidegate_core::{Digest, Event, PluginManifest, Timestamp, Want};
use wasmtime::Store;

use crate::{
    Calls, Fault, LogLine, Options, Sandbox,
    bounds::printable,
    calls::NoCalls,
    guest::Guest,
    worlds::{Call, Ready},
};

/// Bytes of a bot's own error.
const ERROR_BYTES: usize = 4096;

/// A component that was checked and compiled. Cheap to clone; usable from many threads at once.
#[derive(Clone)]
pub struct Plugin {
    sandbox: Sandbox,
    ready: Ready,
    about: Arc<About>,
}

/// What can be said of a component without running it.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it says of itself; none if it says nothing.
    pub manifest: Option<PluginManifest>,
    /// The functions that it imports, by the full names of their interfaces, such as `tidegate:bot/log@0.2.0`.
    pub imports: BTreeMap<String, BTreeSet<String>>,
    /// What its imports can do.
    pub used: BTreeSet<Want>,
    /// The world that it was made for, such as `tidegate:bot/policy@0.2.0`.
    pub world: String,
    /// Whether it looks after its own state when it takes over from another version.
    pub migrates: bool,
}

/// How one event went.
pub struct Handled {
    /// What was given to [`Plugin::handle`], with all that the bot asked.
    pub calls: Box<dyn Calls>,
    /// Whether what it asked counts.
    pub result: Result<(), Fault>,
    /// The lines that it wrote, in every case.
    pub logs: Vec<LogLine>,
    /// What it used.
    pub usage: Usage,
}

/// What one event used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instructions, about; 0 where they are not counted.
    pub fuel: u64,
    /// How long it took, host calls included, without the wait for a place in the pool.
    pub wall: Duration,
    /// Bytes of memories and tables, at the end and so at most.
    pub memory_bytes: u64,
    /// Host calls, those of WASI too, log lines apart.
    pub host_calls: u32,
    /// Bytes of strings and lists in those calls; of WASI those that are printed or drawn.
    pub host_bytes: u64,
    /// Effects that were accepted.
    pub effects: u32,
    /// Log lines beyond those that are kept.
    pub dropped_lines: u64,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("digest", &self.about.digest).finish_non_exhaustive()
    }
}

impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls: _, result, logs, usage } = self;
        f.debug_struct("Handled").field("result", result).field("logs", logs).field("usage", usage).finish()
    }
}

impl Plugin {
    pub(crate) fn new(sandbox: Sandbox, ready: Ready, about: Arc<About>) -> Self {
        Self { sandbox, ready, about }
    }

    /// The digest of the component's bytes.
    pub fn digest(&self) -> Digest {
        self.about.digest
    }

    /// What can be said of it without running it.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Lets the component check its settings, a JSON text. Nothing can be asked from there.
    ///
    /// # Errors
    /// [`Fault::Error`] with the component's words if it does not take them; the others as in [`Plugin::handle`].
    pub fn configure(&self, settings: &str) -> Result<(), Fault> {
        let Handled { result, logs, .. } =
            self.run(Box::new(NoCalls), Timestamp::default(), Call::Configure { settings });
        // Who installs it sees no log: what it said before it died is told with the fault.
        result.map_err(|fault| match fault {
            Fault::Trap(what) if !logs.is_empty() => {
                let said: Vec<&str> = logs.iter().map(|line| line.message.as_str()).collect();
                Fault::Trap(format!("{what}; it had said: {}", printable(&said.join(" | "), ERROR_BYTES)))
            }
            fault => fault,
        })
    }

    /// Lets the component decide about one event, in a fresh instance. Blocks the thread: for a place in the pool, then
    /// for at most about the deadline. An event of a kind that no bot is told ends well and runs nothing.
    ///
    /// What `calls` has taken in counts only if the result is `Ok`. A fault leaves nothing behind in the sandbox.
    pub fn handle(&self, calls: Box<dyn Calls>, event: &Event, settings: &str) -> Handled {
        if !self.ready.tells(event) {
            return Handled { calls, result: Ok(()), logs: Vec::new(), usage: Usage::default() };
        }
        self.run(calls, event.time, Call::Handle { event, settings })
    }

    /// Lets the component bring the state of another version, which `calls` gives access to, into its own form. One that
    /// has no such function ([`About::migrates`]) takes the state as it is.
    ///
    /// The state has at most `state_bytes`, before and after. A migration has the budget of an event and, the larger the state
    /// may be, more: one host call for each 16 bytes, twice the state's bytes handed over, and time and fuel in proportion.
    pub fn migrate(
        &self,
        calls: Box<dyn Calls>,
        now: Timestamp,
        from: &str,
        settings: &str,
        state_bytes: u64,
    ) -> Handled {
        if !self.about.migrates {
            return Handled { calls, result: Ok(()), logs: Vec::new(), usage: Usage::default() };
        }
        let options = self.sandbox.0.options.for_state(state_bytes);
        self.run_within(&options, calls, now, Call::Migrate { from, settings })
    }

    fn run(&self, calls: Box<dyn Calls>, now: Timestamp, call: Call<'_>) -> Handled {
        self.run_within(&self.sandbox.0.options, calls, now, call)
    }

    #[allow(clippy::disallowed_methods, reason = "how long it took is for the ledger, and no bot sees it")]
    fn run_within(&self, options: &Options, mut calls: Box<dyn Calls>, now: Timestamp, call: Call<'_>) -> Handled {
        let inner = &*self.sandbox.0;
        let _permit = inner.permits.acquire();
        let _running = inner.ticker.enter();
        let started = Instant::now();
        let ticks = inner.ticker.until(options.deadline);
        calls.begin(inner.ticker.deadline(ticks));
        let mut store = Store::new(&inner.engine, Guest::new(calls, now, options));
        store.limiter(|guest| &mut guest.meter);
        store.set_epoch_deadline(ticks);
        store.set_hostcall_fuel(options.bytes_per_call);
        let outcome = match options.fuel {
            Some(fuel) => store.set_fuel(fuel).and_then(|()| self.ready.call(&mut store, call)),
            None => self.ready.call(&mut store, call),
        };
        let fuel = options.fuel.map_or(0, |given| given.saturating_sub(store.get_fuel().unwrap_or(given)));
        let result = match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(said)) => Err(Fault::Error(printable(&said, ERROR_BYTES))),
            Err(error) => Err(Fault::of(&error, options, &store.data().meter)),
        };
        let mut guest = store.into_data();
        if let Some(room) = guest.room.take() {
            room.close(&mut guest.logs, &mut guest.budget);
        }
        // Calls into the room could not be refused when they were made.
        let result = result.and_then(|()| guest.budget.check().map_err(|over| Fault::OverBudget(over.to_string())));
        let usage = Usage {
            fuel,
            wall: started.elapsed(),
            memory_bytes: guest.meter.used() as u64,
            host_calls: guest.budget.calls_made(),
            host_bytes: guest.budget.bytes_spent() as u64,
            effects: guest.effects,
            dropped_lines: guest.logs.dropped,
        };
        Handled { calls: guest.calls, result, logs: guest.logs.lines, usage }
    }
}
