//! Where bots run. A [`Sandbox`] loads components, a [`Plugin`] handles one event at a time in a fresh instance, and
//! what the bot asks goes through [`Calls`], which its caller implements.
//!
//! It is **not** the guard and keeps nothing: it marshals values, holds every one of them to its bounds and hands them
//! on. What is granted, what an effect means and when it is committed is decided behind [`Calls`]. It is not
//! asynchronous either: [`Plugin::handle`] blocks, for at most about the deadline, and belongs on a thread for such work.
//!
//! What holds a bot, each from [`Options`]:
//!
//! | danger | bound |
//! | --- | --- |
//! | loops, also at start | fuel, and an epoch deadline, over instantiation and handler together |
//! | a host call that takes long | it is told the deadline and gives up after it |
//! | memory and tables | one sum over all of an instance's memories and tables |
//! | deep recursion | the size of the WebAssembly stack |
//! | a flood of calls or of bytes in them | a budget of calls and of bytes for each event, a cap for each call; for WASI see `room.rs` |
//! | compiling | a [`Compiler::Worker`] with a deadline and a bound on its memory, which can be killed |
//! | authority | the imports are those of `tidegate:bot/policy` and no more than the manifest declares, checked when it is loaded |
//! | a result that differs from run to run | no clock, no entropy, no threads, no relaxed SIMD, canonical NaNs |
//!
//! ```
//! # fn main() -> Result<(), tidegate_sandbox::Error> {
//! use tidegate_sandbox::{Error, Options, Sandbox};
//! let sandbox = Sandbox::new(Options::default())?;
//! assert!(matches!(sandbox.load(b"#!/bin/sh"), Err(Error::NotWasm)));
//! # Ok(()) }
//! ```

#![allow(clippy::duplicate_mod, reason = "`convert.rs` is written once for the types of every version")]

mod bindings;
mod bounds;
mod budget;
mod cache;
mod calls;
mod compile;
mod deadline;
mod engine;
mod error;
mod fault;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod guest;
mod logs;
mod manifest;
mod meter;
mod options;
mod permits;
mod plugin;
mod room;
mod sandbox;
mod ticker;
mod v0_1;
mod world;
mod worlds;

pub use cache::CacheOptions;
pub use calls::{Calls, MetricChange};
pub use compile::{Compiler, Worker, compile_worker};
pub use deadline::Deadline;
pub use error::Error;
pub use fault::Fault;
pub use logs::{Level, LogLine};
pub use manifest::read as manifest;
pub use options::Options;
pub use plugin::{About, Handled, Plugin, Usage};
pub use sandbox::Sandbox;
pub use world::{VERSION, VERSIONS};

/// What a fuzzer asks: see `fuzzing`. It exists in no other build.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_calls(data: &[u8]) {
    fuzzing::calls(data);
}
