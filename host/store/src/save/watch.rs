use std::os::fd::OwnedFd;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use super::Writer;

/// A process that is watched for its end. A descriptor, not a number: the kernel may give the number to another.
#[derive(Debug)]
pub(crate) struct Watched(OwnedFd);

impl Watched {
    /// None if the process is not visible from here (another pid namespace) or the kernel has no such descriptors: then
    /// only the deadline ends its save.
    pub(crate) fn open(writer: Writer) -> Option<Self> {
        pidfd_open(Pid::from_raw(writer.pid)?, PidfdFlags::empty()).ok().map(Self)
    }

    pub(crate) fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(ready) if ready > 0)
    }
}
