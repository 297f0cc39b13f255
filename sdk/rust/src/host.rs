//! Where calls go: to the host in a component, to the [testing cluster](crate::testing) elsewhere.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::tidegate::bot::{
    checkpoints, clock, log, metrics, random, replication, schedule, state,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::host::{checkpoints, clock, log, metrics, random, replication, schedule, state};
