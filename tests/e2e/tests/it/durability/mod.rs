//! What a commit makes durable, and in which order, seen inside a real host: its syncs, its renames and its answers, and
//! what it does when a sync fails. `kill -9` keeps what the kernel holds, so it can't show that a sync is missing.

mod ends;
mod order;
mod refused;
mod scene;
