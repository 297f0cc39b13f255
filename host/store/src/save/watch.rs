use std::os::fd::OwnedFd;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::Writer;

/// A process that is watched for its end. A descriptor, not a number: the kernel may give the number to another.
#[derive(Debug)]
pub struct Watched(Option<OwnedFd>);

impl Watched {
    /// None if the kernel has no such descriptors, or the process has no number here: then only a deadline ends what it began.
    pub fn open(writer: Writer) -> Option<Self> {
        match pidfd_open(Pid::from_raw(writer.pid?)?, PidfdFlags::empty()) {
            Ok(process) => Some(Self(Some(process))),
            // It was there when it asked.
            Err(Errno::SRCH) => Some(Self(None)),
            Err(_) => None,
        }
    }

    /// Whether the process has ended.
    pub fn is_gone(&self) -> bool {
        let Some(process) = &self.0 else { return true };
        let mut fds = [PollFd::new(process, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }
}
