//! A made-up cluster for native tests: the same functions that reach the host in a component reach it here, on the
//! thread that made it.
//!
//! ```
//! use tidegate_sdk::{Refusal, checkpoints, testing::{Cluster, checkpoint}};
//! let cluster = Cluster::new();
//! cluster.put(checkpoint("gpt", 100));
//! assert_eq!(checkpoints::newest("gpt", 10).unwrap().len(), 1);
//! assert!(matches!(checkpoints::pin("gpt", 7, "why"), Err(Refusal::NotFound(_))));
//! ```
//!
//! It keeps the rules that a bot can see: the bounds of `wit/`, one transaction a handler, `not-found` and
//! `unnecessary`, 64 effects an event and 1 MiB of state, as they are granted unless the operator says otherwise. It is **not** the guard: which prune would lose data, and what is granted, a test scripts with
//! [`Cluster::refuse`].
//!
//! A [`Scenario`] is the other half: hours of many hosts in virtual time, with the guard, in which what a bot asks for is
//! carried out and comes back as events.

mod baseline;
mod bounds;
mod cluster;
mod effect;
mod guard;
pub(crate) mod host;
mod made;
mod record;
mod scenario;
mod world;

pub use baseline::{Eager, NoSettings};
pub use cluster::Cluster;
pub use effect::Effect;
pub use made::{checkpoint, complete, corrupt, incomplete, on, replicated, sealed, with_metric};
pub use record::{Asked, Ended, Failed, Record, Refused};
pub use scenario::Scenario;
pub use serde_json::json;
