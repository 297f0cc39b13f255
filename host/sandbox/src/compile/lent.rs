//! What a worker may use. The host sets it from outside, before the worker has seen a byte of the component: so it
//! holds whatever the program is.

use std::time::Duration;

use rustix::{
    io::Errno,
    process::{Pid, Resource, Rlimit, prlimit, setpriority_process},
};

/// How far it steps back for the trainer: a tenth of a core where all are wanted. The same as for sealing.
const NICE: i32 = 10;
/// Descriptors: the three it has, and what the allocator and a panic's report may open.
const FILES: u64 = 16;

/// Sets them, for good: it can only lower them.
pub(super) fn limit(worker: Pid, memory_bytes: u64, deadline: Duration) -> Result<(), Errno> {
    // It has one thread, so it can't use more than the deadline; if the host dies first, this ends it in any case.
    let seconds = deadline.as_secs().saturating_add(2);
    for (resource, most) in [
        (Resource::As, memory_bytes),
        (Resource::Core, 0),
        (Resource::Cpu, seconds),
        (Resource::Fsize, 0),
        (Resource::Nofile, FILES),
    ] {
        prlimit(Some(worker), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    setpriority_process(Some(worker), NICE)
}
