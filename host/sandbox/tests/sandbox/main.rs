//! Real components through a real sandbox. Hostile ones are written in WebAssembly text and made components here; the
//! first-party plugins come from `target/plugins`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too, stop at once")]

mod bounds;
mod cache;
mod compile;
mod fuzz;
mod hostile;
mod isolation;
mod load;
mod plugins;
mod room;
mod support;
mod worlds;
