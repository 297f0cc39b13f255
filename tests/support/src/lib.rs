//! What the end-to-end tests and the benchmarks stand on: real servers, real processes, real faults.
//!
//! - [`venv`]: Python environments with the tools that come from PyPI, made on demand in the user's cache;
//! - [`azurite`]: an emulator of Azure Blob Storage, [`swift`]: another S3 server, [`loose`]: servers that no checkpoint should be
//!   trusted to, all of the test's own as well;
//! - [`debian`]: programs that are packages of Debian;
//! - [`seaweed`]: an S3 server of the test's own on free loopback ports;
//! - [`fault_proxy`]: a proxy before such a server that injects the faults a plan asks for;
//! - [`first_light`]: a real training that is saved, killed, lost and resumed, act by act;
//! - [`guest`]: components written in WebAssembly text, for bots that do exactly one thing;
//! - [`host`]: the `tidegate` binary as a child process that can be killed and started again;
//! - [`npm`]: tools for JavaScript, made on demand in the user's cache as well;
//! - [`s3`]: the objects of a bucket, past everyone who uses it;
//! - [`syncs`]: what a process makes durable, and in which order, and syncs that fail;
//! - [`tree`]: trees of files, the measure of every restore;
//! - [`proc`]: child processes that die with the test, however the test ends;
//! - [`stats`]: measurements as a median and their ends;
//! - [`wait`]: waiting for a state with a deadline, and never for a time.
//!
//! It holds no test of Tidegate itself and is no part of any release.
#![allow(
    clippy::disallowed_methods,
    reason = "tests wait for real processes in real time; the system clock is theirs to read"
)]

pub mod azurite;
mod daemon;
pub mod debian;
pub mod fault_proxy;
pub mod first_light;
pub mod guest;
pub mod host;
pub mod http;
pub mod loose;
pub mod npm;
mod ports;
pub mod proc;
pub mod s3;
pub mod seaweed;
pub mod stats;
pub mod swift;
pub mod syncs;
pub mod tree;
pub mod venv;
pub mod wait;
