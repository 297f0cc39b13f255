//! Rust client of Tidegate's REST API, version 1.
//!
//! ```no_run
//! # async fn example() -> Result<(), tidegate_client::Error> {
//! use tidegate_client::{Address, Client, api};
//!
//! let client = Client::new(Address::from_env());
//! let begin = api::Begin { run: "gpt".into(), step: 100, rank: 0, world_size: 1, bytes: None };
//! let save = client.begin(&begin).await?;
//! std::fs::write(std::path::Path::new(&save.path).join("weights.bin"), b"...").expect("the disk takes it");
//! let done = client.commit(&save.save_id, &api::Commit::default()).await?;
//! assert!(done.complete);
//! # Ok(()) }
//! ```
//!
//! Connections are kept and used again, and are driven by the calling task: a call costs no spawn and no channel between
//! threads. A [`Client`] is cheap to clone and belongs to the tokio runtime that it is first used on. It is **not** a
//! storage library: files are read and written by the caller in directories that the host names.

mod address;
mod client;
mod error;
mod options;
mod resource;
mod transport;

pub use address::{Address, InvalidAddress};
pub use client::Client;
pub use error::Error;
pub use options::Options;
pub use resource::{EventStream, Paging};
/// The values that go over the wire.
pub use tidegate_api as api;
