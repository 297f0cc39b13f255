//! What can be asked, one file a resource.

mod bots;
mod checkpoints;
mod events;
mod health;
mod jobs;
mod letters;
mod limits;
mod paging;
mod restores;
mod saves;

pub use events::EventStream;
pub use paging::Paging;
