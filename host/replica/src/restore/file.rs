//! One file on its way back.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use rustix::fs::OFlags;
use tidegate_core::{FileEntry, limits};

use super::Restore;
use crate::{
    Error,
    io::{beneath, blocking, read::Span, write::Out},
};

/// A file being restored. The first part to come makes it, the last to be done syncs it.
pub(super) struct Restoring {
    pub(super) restore: Arc<Restore>,
    nth: usize,
    out: Mutex<Option<Arc<Out>>>,
    left: AtomicUsize,
}

impl Restoring {
    /// The nth file of the body, to be fetched in parts of so many bytes.
    pub(super) fn new(restore: &Arc<Restore>, nth: usize, part: u64) -> Option<Self> {
        let size = restore.body.files.get(nth)?.size;
        let left = usize::try_from(size.div_ceil(part.max(limits::BLOCK_BYTES))).unwrap_or(usize::MAX);
        Some(Self { restore: Arc::clone(restore), nth, out: Mutex::default(), left: AtomicUsize::new(left) })
    }

    /// What the manifest says about it.
    pub(super) fn entry(&self) -> Option<&FileEntry> {
        self.restore.body.files.get(self.nth)
    }

    pub(super) fn size(&self) -> u64 {
        self.entry().map_or(0, |entry| entry.size)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// The file to write to; made at the first call.
    pub(super) fn out(&self) -> Result<Arc<Out>, Error> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(out) = &*out {
            return Ok(Arc::clone(out));
        }
        if self.restore.stop.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let Some(entry) = self.entry() else { return Err(Error::Worker("no such file".into())) };
        let made = beneath::create(&self.restore.staging.root, &entry.path, OFlags::empty());
        let made = made.and_then(|file| Out::new(file, entry.size));
        let made = Arc::new(made.map_err(|error| {
            // The next part must not try again: it would find the file there, and that would be taken for the cause.
            self.restore.stop.cancel();
            Error::local("make", entry.path.as_path())(error)
        })?);
        Ok(Arc::clone(out.insert(made)))
    }

    /// Blocks are written, and were right.
    pub(super) fn landed(&self, span: Span) {
        self.restore.landed.note(self.nth, span);
    }

    /// Makes an empty file.
    pub(super) async fn make(self: Arc<Self>) -> Result<(), Error> {
        self.finish().await
    }

    /// Fetches a part from the first source that has it right.
    pub(super) async fn fetch(self: Arc<Self>, span: Span) -> Result<(), Error> {
        super::fetch::fetch(&self, span).await?;
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.finish().await?;
        }
        Ok(())
    }

    async fn finish(self: Arc<Self>) -> Result<(), Error> {
        blocking(move || {
            let path = self.entry().map(|entry| entry.path.as_path().to_owned()).unwrap_or_default();
            self.out()?.finish().map_err(Error::local("sync", path))?;
            // Closes it: a shard may have more files than a process may have open.
            self.out.lock().unwrap_or_else(PoisonError::into_inner).take();
            Ok(())
        })
        .await
    }
}
