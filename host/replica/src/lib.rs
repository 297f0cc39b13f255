//! The object tier: it ships a sealed shard to an object store, finds and deletes what is there, and restores shards
//! from whichever tier has the right bytes.
//!
//! What it promises:
//! - **Nothing wrong leaves.** Every 4 MiB block is checked against the shard's manifest while it is read; a local copy
//!   that has rotted is [`Error::LocalDamage`], never an object.
//! - **Nothing counts before it is proven.** A shard's manifest is written last, by conditional create, after every
//!   object was verified as [`Verify`] says; [`Shipped::verified`] tells how, and the manifest keeps it.
//! - **Nothing wrong comes back.** [`restore`] checks every block from every source, goes on to the next source where
//!   one is wrong, and makes the directory appear whole or not at all.
//! - **Everything can be tried again.** A killed upload, restore or delete leaves only what the next try keeps,
//!   replaces or removes.
//!
//! It is **not** a place for policy: what is shipped, when, and what may be deleted is decided elsewhere. It keeps no
//! state of its own, starts no thread of its own, and reads no clock. Directories without a file are not kept.
//!
//! ```
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tidegate_replica::{Options, Target};
//! let target = Target::open("archive".parse()?, "memory://", Options::default())?;
//! target.probe().await?;
//! assert!(target.scan(None).await?.is_empty());
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
//! ```

mod budget;
mod crew;
mod envelope;
mod error;
mod io;
mod layout;
mod local;
mod marker;
mod options;
mod pack;
mod progress;
mod restore;
mod retry;
mod ship;
mod target;

#[cfg(test)]
mod tests;

pub use budget::{Figures, Limits, Rate, SLOT, Slot, TapFigures};
pub use error::Error;
#[doc(hidden)]
pub use io::trial;
pub use options::{Layout, Options, Verify};
pub use progress::Progress;
pub use restore::{Damage, Landing, RestoreOptions, Restored, Source, restore};
pub use ship::{Base, Shipped};
pub use target::{Found, FoundShard, Target};
