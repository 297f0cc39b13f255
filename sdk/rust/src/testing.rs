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
//! `unnecessary`. It is **not** the guard: which prune would lose data, and what is granted, a test scripts with
//! [`Cluster::refuse`].

mod cluster;
mod effect;
pub(crate) mod host;
mod made;
mod world;

pub use cluster::Cluster;
pub use effect::Effect;
pub use made::{checkpoint, complete, corrupt, incomplete, on, replicated, sealed, with_metric};
pub use serde_json::json;
