//! The NVMe tier: where a trainer's files become a shard, durably, at the speed of the device.
//!
//! A save is `begin` (a staging directory), files written by the trainer itself, `commit` (fsync of files and
//! directories, one rename, one synced index batch, in that order) and, behind the trainer's back, *sealing* (digests).
//! It is **not** a file format: the files stay exactly what the trainer wrote. What may be deleted is decided elsewhere,
//! by the guard of `tidegate-core`; this crate carries it out.
//!
//! ```text
//! <tier>/staging/<save>/files/...        a save in progress; gone after a restart
//! <tier>/runs/<run>/<step>.<rank>/files/...  a committed shard
//!                                /commit.cbor  what was committed (sizes, metrics): written before the rename
//!                                /body.cbor    its manifest body: written when it is sealed
//! <tier>/restores/<id>/...               directories handed out by restores; gone after a restart
//! <tier>/trash/...                       on its way out; emptied at leisure
//! <tier>/quarantine/...                  shards that were found damaged, the last eight, for people to look at
//! <tier>/index/...                       fjall: checkpoints, journal, jobs, bots
//! ```
//!
//! What a crash leaves, step by step, stands in [`Store::commit`]; what is put right at the next start in
//! [`Store::open`].

mod error;
mod index;
mod save;
mod seal;
mod space;
mod store;
mod stripes;
mod tier;

pub use error::{Error, Result};
pub use index::{Index, Space, Tx, View, checkpoint_key};
pub use save::{Begin, Committed, Save, Watched, Writer};
pub use space::Room;
pub use store::{Options, Recovered, Removed, Store};
