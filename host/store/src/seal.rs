//! Sealing: digests of a committed shard, made while the trainer trains on. Nothing ships and nothing counts as verified
//! before. Its threads are few and run at low priority: hashing steals from training.

mod hash;
mod sealer;

pub(crate) use hash::hash_files;
pub(crate) use sealer::{Sealer, body, drop_damaged, speaks_of_the_bytes};
