//! How a call into a bot failed.

use std::{fmt::Write as _, time::Duration};

use wasmtime::{Trap, WasmBacktrace};

use crate::{Options, bounds::shortened, budget::OverBudget, meter::Meter};

/// How a call into a bot failed. In every case nothing that it asked for counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bot's own error, in its words; at most 4096 bytes.
    #[error("{0}")]
    Error(String),
    /// It trapped: a panic, an access out of bounds, a broken value.
    #[error("trapped: {0}")]
    Trap(String),
    /// It ran longer than its deadline.
    #[error("ran longer than {0:?} and was stopped")]
    TimedOut(Duration),
    /// It used up its instructions.
    #[error("used more than {0} units of fuel and was stopped")]
    OutOfFuel(u64),
    /// It needed more memory than it may have; in bytes.
    #[error("needs more than {0} bytes of memory")]
    OutOfMemory(usize),
    /// It recursed too deep.
    #[error("used up its stack")]
    StackOverflow,
    /// It called the host too often, or with too many bytes.
    #[error("stopped: {0}")]
    OverBudget(String),
    /// Not the bot's fault: the host could not run it. Trying again may help.
    #[error("the host could not run it: {0}")]
    Host(String),
}

impl Fault {
    /// What an error of wasmtime means. `meter` knows whether memory was denied before.
    pub(crate) fn of(error: &wasmtime::Error, options: &Options, meter: &Meter) -> Self {
        if let Some(over) = error.downcast_ref::<OverBudget>() {
            return Self::OverBudget(over.to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::TimedOut(options.deadline),
            Some(Trap::OutOfFuel) => Self::OutOfFuel(options.fuel.unwrap_or_default()),
            Some(Trap::StackOverflow) => Self::StackOverflow,
            // A guest that was denied memory ends in whatever its language does then.
            _ if meter.denied() => Self::OutOfMemory(meter.most()),
            _ if error.is::<wasmtime::PoolConcurrencyLimitError>() => Self::Host(error.to_string()),
            _ => Self::Trap(described(error)),
        }
    }
}

/// The cause, and the names of the innermost frames where the component has kept them.
fn described(error: &wasmtime::Error) -> String {
    let mut text = shortened(&error.root_cause().to_string(), 512);
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        let names = backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(6);
        for (nth, name) in names.enumerate() {
            let _ = write!(text, "{}{}", if nth == 0 { " in " } else { " < " }, shortened(name, 120));
        }
    }
    text
}
