//! Calling off what compiles: a pipe that nobody writes to, whose end `poll` sees like everything else it waits for.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, PoisonError},
};

/// Off or not, for good.
#[derive(Debug)]
pub(super) struct CallOff {
    reader: PipeReader,
    writer: Mutex<Option<PipeWriter>>,
}

impl CallOff {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer: Mutex::new(Some(writer)) })
    }

    /// From now on it is off.
    pub(super) fn now(&self) {
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    pub(super) fn is_off(&self) -> bool {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// What hangs up when it is off.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
