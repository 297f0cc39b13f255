//! The worker's side: reads a component, compiles it, answers, ends.

use std::{fs, io, os::fd::RawFd, process::ExitCode};

use rustix::process::{Signal, set_parent_process_death_signal};
use tidegate_core::limits;

use super::wire::{self, Reply};
use crate::engine as engines;

/// What a program does that [`Compiler::Worker`](super::Compiler::Worker) starts: one request from standard input, one
/// reply to standard output. Call it first thing in `main`: it closes every other descriptor.
///
/// It does not bound itself. Its host does, before it sends the component.
pub fn compile_worker() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    // With the host; if it is dead already, so is the other end of standard input, and the request is not whole.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    close_all_but_standard()?;
    let (metered, component) = wire::read_request(&mut io::stdin().lock(), limits::COMPONENT_BYTES)?;
    let engine = engines::for_code(metered).map_err(io::Error::other)?;
    let reply = match engine.precompile_component(&component) {
        Ok(code) => Reply::Code(engines::hash(&engine), code),
        Err(error) if error.is::<wasmtime::OutOfMemory>() => Reply::OutOfMemory,
        Err(error) => Reply::Invalid(format!("{error:#}")),
    };
    wire::write_reply(&mut io::stdout().lock(), &reply)
}

/// The host opens everything so that it ends with `exec`; this is for what it got itself from who started it.
fn close_all_but_standard() -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The one of the listing is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}
