//! A host's life: sockets, the engine, its bots, requests until it is told to stop, the drain.

mod bots;
mod life;
mod log;
mod signals;

pub(crate) use bots::Existing;
pub(crate) use life::{Manner, Running, live};
pub(crate) use log::init as init_log;
pub(crate) use signals::watch;
