//! What the host keeps while a bot handles one event.

use tidegate_core::{Refusal, Timestamp};

use crate::{Calls, Options, budget::Budget, logs::Logs, meter::Meter, room::Room};

/// The data of a store: one event's.
pub(crate) struct Guest {
    /// What answers the calls.
    pub(crate) calls: Box<dyn Calls>,
    /// The time of the event.
    pub(crate) now: Timestamp,
    /// Memory.
    pub(crate) meter: Meter,
    /// Host calls.
    pub(crate) budget: Budget,
    /// Lines written.
    pub(crate) logs: Logs,
    /// Effects accepted.
    pub(crate) effects: u32,
    /// WASI, for a component that needs it, from the first time it calls it.
    pub(crate) room: Option<Box<Room>>,
}

/// Why a host call does not answer with a value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The guest is told and goes on.
    Refused(Refusal),
    /// The guest is ended.
    Trap(wasmtime::Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl Guest {
    /// For one event at `now`.
    pub(crate) fn new(calls: Box<dyn Calls>, now: Timestamp, options: &Options) -> Self {
        let logs = Logs::new(calls.log_lines());
        let (meter, budget) = (Meter::new(options.memory_bytes), Budget::new(options));
        Self { calls, now, meter, budget, logs, effects: 0, room: None }
    }

    /// Takes a call with so many bytes of strings and lists from the budget. Every host function does so first.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Stop> {
        self.budget.spend(bytes).map_err(|over| Stop::Trap(wasmtime::Error::new(over)))
    }
}
