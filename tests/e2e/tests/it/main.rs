//! End-to-end tests: the real binary, real servers, real training. One module a behaviour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may stop at what they did not expect"
)]

mod ask;
mod author;
mod bad_input;
mod crash;
mod durability;
mod faults;
mod first_light;
mod format;
mod hostile;
mod other_languages;
mod tutorial;
mod workshop;
