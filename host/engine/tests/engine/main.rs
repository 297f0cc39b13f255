//! The loop over a real tier, a real object store in a directory and real components.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may stop at what they did not expect"
)]

mod anchors;
mod beside;
mod bots;
mod deadlines;
mod decisions;
mod figures;
mod fixture;
mod grants;
mod letters;
mod parked;
mod past;
mod plugins;
mod prune;
mod replay;
mod restore;
mod uploads;
mod versions;
mod way_back;
