//! Both directions at once and no longer than the deadline, in one thread and without a timer: `poll` waits for the
//! pipes and for the worker's end.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    process::Child,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    process::{Pid, PidfdFlags, pidfd_open},
};
use tidegate_core::{Clock, SystemClock};

/// Bytes of standard error that are kept; the rest is read and dropped.
const WORDS: usize = 4096;

/// How it went.
#[derive(Debug)]
pub(super) enum Heard {
    /// It has ended.
    All {
        /// All of its standard output.
        reply: Vec<u8>,
        /// The start of its standard error.
        said: Vec<u8>,
    },
    /// It had more to say than is taken.
    TooMuch,
    /// It was not done at the deadline.
    TimedOut,
    /// Nobody wants it any more.
    CalledOff,
}

/// A pipe until it ends.
struct Pipe<P>(Option<P>);

impl<P: AsFd> Pipe<P> {
    fn of(pipe: Option<P>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(Self(pipe))
    }

    fn waits(&self, flags: PollFlags) -> Option<PollFd<'_>> {
        self.0.as_ref().map(|pipe| PollFd::new(pipe, flags))
    }
}

impl<P: Read> Pipe<P> {
    /// Takes what is there; all but the first `most` bytes are dropped. True if there was more than that.
    fn take(&mut self, into: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        let (mut piece, mut over) = (vec![0; 64 << 10], false);
        while let Some(pipe) = &mut self.0 {
            match pipe.read(&mut piece) {
                Ok(0) => self.0 = None,
                Ok(count) => {
                    let room = most.saturating_sub(into.len()).min(count);
                    into.extend_from_slice(piece.get(..room).unwrap_or_default());
                    over |= room < count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(over)
    }
}

impl<P: Write> Pipe<P> {
    /// Gives what fits; ends the pipe when all is given, or when nobody reads any more.
    fn give(&mut self, parts: &mut [&[u8]; 2]) -> io::Result<()> {
        while let Some(pipe) = &mut self.0 {
            let Some(part) = parts.iter_mut().find(|part| !part.is_empty()) else {
                self.0 = None;
                break;
            };
            match pipe.write(part) {
                Ok(count) => *part = part.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.0 = None,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Gives the child a request and hears it out: until it has ended and its output too, but at most `most` bytes and
/// until `deadline`, or until `off` hangs up. The child is not reaped.
pub(super) fn talk(
    child: &mut Child,
    mut request: [&[u8]; 2],
    most: usize,
    deadline: Duration,
    off: BorrowedFd<'_>,
) -> io::Result<Heard> {
    let clock = SystemClock::default();
    let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut stdin = Pipe::of(child.stdin.take())?;
    let mut stdout = Pipe::of(child.stdout.take())?;
    let mut stderr = Pipe::of(child.stderr.take())?;
    let (mut reply, mut said, mut ended) = (Vec::new(), Vec::new(), false);
    while !ended || stdout.0.is_some() || stderr.0.is_some() {
        let Some(left) = deadline.checked_sub(clock.monotonic()).filter(|left| !left.is_zero()) else {
            return Ok(Heard::TimedOut);
        };
        let waits = [
            stdin.waits(PollFlags::OUT),
            stdout.waits(PollFlags::IN),
            stderr.waits(PollFlags::IN),
            (!ended).then(|| PollFd::new(&end, PollFlags::IN)),
            Some(PollFd::new(&off, PollFlags::IN)),
        ];
        wait(waits, left)?;
        if has_come(off)? {
            return Ok(Heard::CalledOff);
        }
        stdin.give(&mut request)?;
        if stdout.take(&mut reply, most)? {
            return Ok(Heard::TooMuch);
        }
        stderr.take(&mut said, WORDS)?;
        ended = ended || has_come(end.as_fd())?;
    }
    Ok(Heard::All { reply, said })
}

fn wait(on: [Option<PollFd<'_>>; 5], at_most: Duration) -> io::Result<()> {
    let mut on: Vec<PollFd<'_>> = on.into_iter().flatten().collect();
    let at_most = Timespec::try_from(at_most).ok();
    match poll(&mut on, at_most.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a descriptor says what it is waited for: a process's, that it has ended.
fn has_come(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut on = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut on, Some(&now)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
