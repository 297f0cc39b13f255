//! Write a Tidegate bot in a page of Rust, and test it natively.
//!
//! A bot is a type that implements [`Bot`]: settings of its own, and a function that decides about one event. It sees
//! the catalogue of checkpoints, asks for effects with a reason each, and keeps a little state. Returning `Ok` commits
//! all of that at once; an error or a panic commits none of it, and the event comes again.
//!
//! It is **not** a way around the host: there is no file, socket or clock here, and what the operator did not grant is
//! refused. The time is the event's, [`random`] draws the same for the same event, and [`jitter`] spreads hosts without chance.
//!
//! ```
//! use tidegate_sdk::prelude::*;
//!
//! /// Pins every checkpoint whose step is a round number.
//! struct Milestones;
//!
//! #[settings]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     every: u64,
//! }
//!
//! impl Bot for Milestones {
//!     type Settings = Settings;
//!
//!     fn configure(settings: &Settings) -> Result<(), String> {
//!         if settings.every == 0 { Err("`every` must be 1 or more".into()) } else { Ok(()) }
//!     }
//!
//!     fn handle(event: &Event, settings: &Settings) -> Result<(), Error> {
//!         if let Occurrence::CheckpointComplete(it) = &event.what
//!             && it.step % settings.every == 0
//!         {
//!             checkpoints::pin(&it.run, it.step, &format!("a multiple of {}", settings.every))?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! tidegate_sdk::export!(Milestones);
//!
//! // The same code runs natively against a cluster that a test makes up:
//! use tidegate_sdk::testing::{Cluster, checkpoint, complete, json};
//! let cluster = Cluster::new();
//! cluster.put(checkpoint("gpt", 2000));
//! let asked = cluster.handle::<Milestones>(complete("gpt", 2000), json!({ "every": 1000 })).unwrap();
//! assert_eq!(asked[0].to_string(), "pin gpt step 2000: a multiple of 1000");
//! ```

// For `#[settings]` on types of this crate itself.
extern crate self as tidegate_sdk;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(any(target_arch = "wasm32", test))]
mod arena;
#[doc(hidden)]
pub mod bindings;
mod bot;
pub mod checkpoints;
pub mod clock;
mod error;
mod host;
mod jitter;
pub mod log;
pub mod metrics;
pub mod random;
pub mod replication;
pub mod schedule;
#[cfg(not(target_arch = "wasm32"))]
mod schema;
mod settings;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod tier;

pub use bindings::tidegate::bot::types::{
    Checkpoint, CheckpointRef, Corruption, Event, JobOutcome, Metric, Occurrence, Pruned, Refusal, Replicated,
    ShardRef, Tier, Wake,
};
#[doc(hidden)]
pub use bot::glue;
pub use bot::{Bot, after};
pub use error::Error;
pub use jitter::jitter;
#[cfg(not(target_arch = "wasm32"))]
pub use schema::settings_schema;
pub use settings::Configurable;
/// Makes a type what an operator may set: read from JSON by serde, and described by a JSON Schema that stands in the
/// component. It goes above the type of [`Bot::Settings`] and above every type of your own within it.
///
/// It stands for serde's derives and that of [schemars](https://docs.rs/schemars), so their attributes work: give defaults with
/// `#[serde(default)]`, refuse typing errors with `#[serde(deny_unknown_fields)]`, state bounds with `#[schemars(range(min = 1))]`.
/// Doc comments are what the operator reads beside each setting. Bounds are told, not enforced: check them in
/// [`Bot::configure`].
///
/// ```
/// use tidegate_sdk::prelude::*;
///
/// #[settings]
/// #[derive(Debug)]
/// #[serde(default, deny_unknown_fields)]
/// struct Settings {
///     /// Steps that are a multiple of this are pinned.
///     #[schemars(range(min = 1))]
///     every: u64,
///     /// The tiers that are looked at.
///     tiers: Vec<Tier>,
/// }
///
/// impl Default for Settings {
///     fn default() -> Self {
///         Self { every: 10_000, tiers: vec![Tier::Nvme] }
///     }
/// }
/// ```
pub use tidegate_sdk_macros::settings;

/// What macros of this crate name. Not a part of its interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(not(target_arch = "wasm32"))]
    pub use schemars;
    pub use serde;
    #[cfg(target_arch = "wasm32")]
    pub use tidegate_sdk_macros::NoSchema;

    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::schema::write as write_schema;
}

/// What a bot needs, in one line.
pub mod prelude {
    pub use serde::Deserialize;

    pub use crate::{
        Bot, Checkpoint, Error, Event, Occurrence, Refusal, Tier, after, checkpoints, clock, jitter, log, metrics,
        random,
        replication::{self, Request},
        schedule, settings, state,
    };
}
