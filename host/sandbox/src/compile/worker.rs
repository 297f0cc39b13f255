//! The host's side: one worker from its start to its end, which it always reaches.

use std::{
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::Pid;

use super::{
    Code, Worker,
    calloff::CallOff,
    lent,
    talk::{self, Heard},
    wire::{self, Reply},
};
use crate::{Error, bounds::printable};

/// Bytes of code, and of the reply as a whole. A plugin's code is about four times its component.
const CODE_BYTES: usize = 256 << 20;
/// Bytes of a worker's last words that are shown.
const WORDS: usize = 400;

/// A child that is never left behind: whatever happens, it is killed and reaped.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a worker compile a component for the engine of this hash.
///
/// # Errors
/// [`Error::CompileTimedOut`], [`Error::CompileTooLarge`], [`Error::CodeTooLarge`], [`Error::CompilerDied`] and
/// [`Error::Invalid`] are the component's doing, [`Error::Compiler`] and [`Error::CompilerStopped`] the host's.
pub(super) fn compile(
    worker: &Worker,
    off: &CallOff,
    metered: bool,
    engine: &[u8; 32],
    component: &[u8],
) -> Result<Code, Error> {
    if off.is_off() {
        return Err(Error::CompilerStopped);
    }
    let failed = |what: &str, error: &dyn std::fmt::Display| Error::Compiler(format!("{what}: {error}"));
    let mut command = Command::new(&worker.program);
    command.args(&worker.args).arg0("tidegate").env_clear().current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C on a terminal is for the host, which then decides.
    command.process_group(0);
    let start = command.spawn();
    let mut child = Owned(start.map_err(|e| failed(&format!("start {}", worker.program.display()), &e))?);
    lent::limit(Pid::from_child(&child.0), worker.memory_bytes, worker.deadline)
        .map_err(|e| failed("set its limits", &e))?;
    let request = [&wire::request_head(metered, component.len()), component];
    let heard = talk::talk(&mut child.0, request, CODE_BYTES, worker.deadline, off.fd())
        .map_err(|e| failed("talk to it", &e))?;
    let (reply, said) = match heard {
        Heard::All { reply, said } => (reply, said),
        Heard::TooMuch => return Err(Error::CodeTooLarge(CODE_BYTES)),
        Heard::CalledOff => return Err(Error::CompilerStopped),
        Heard::TimedOut => return Err(Error::CompileTimedOut(worker.deadline)),
    };
    let status = child.0.wait().map_err(|e| failed("wait for it", &e))?;
    match wire::parse_reply(reply).filter(|_| status.success()) {
        Some(Reply::Code(made_for, code)) if made_for == *engine => Ok(Code::of_worker(code)),
        Some(Reply::Code(..)) => {
            Err(failed("use its code", &"it is of another build or set up otherwise; restart the host"))
        }
        Some(Reply::Invalid(why)) => Err(Error::Invalid(why)),
        Some(Reply::OutOfMemory) => Err(Error::CompileTooLarge(worker.memory_bytes)),
        None => Err(died(worker, status, &String::from_utf8_lossy(&said))),
    }
}

/// Why a worker ended without a reply. An allocation that fails ends a Rust program in words and by SIGABRT.
fn died(worker: &Worker, status: ExitStatus, said: &str) -> Error {
    if said.contains("memory allocation of ") {
        return Error::CompileTooLarge(worker.memory_bytes);
    }
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(0)) => "gave no answer".to_owned(),
        (None, code) => format!("ended with {}", code.unwrap_or(-1)),
    };
    Error::CompilerDied { how, said: printable(said.trim(), WORDS) }
}
