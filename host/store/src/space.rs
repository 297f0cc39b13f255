//! Admission: a full disk is refused before the first byte of a save, never found in the middle of one (promise 9).

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{Error, Result, error::Context, store::lock};

/// Room that was promised to writers other than saves, by the directory that they fill. Its lock is held from the look
/// at the free space until the promise is written down: of two that fit alone and not together, one is refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Promised(Arc<Mutex<HashMap<PathBuf, u64>>>);

/// Room on the tier for files in one directory. Given back when it is dropped: by then they are written, or will not be.
#[derive(Debug)]
pub struct Room {
    promised: Promised,
    dir: PathBuf,
}

impl Promised {
    /// Runs `work` while nobody else is admitted. It is given what was promised and is not written yet.
    pub(crate) fn admitting<R>(&self, work: impl FnOnce(u64) -> R) -> R {
        let rooms = lock(&self.0);
        work(unwritten(&rooms))
    }

    /// Promises room for so many bytes in a directory, if `allow` lets it, which is given what was promised before.
    pub(crate) fn promise(&self, dir: PathBuf, bytes: u64, allow: impl FnOnce(u64) -> Result<()>) -> Result<Room> {
        let mut rooms = lock(&self.0);
        allow(unwritten(&rooms))?;
        rooms.insert(dir.clone(), bytes);
        drop(rooms);
        Ok(Room { promised: self.clone(), dir })
    }
}

fn unwritten(rooms: &HashMap<PathBuf, u64>) -> u64 {
    let rest = rooms.iter().map(|(dir, bytes)| bytes.saturating_sub(bytes_below(dir)));
    rest.fold(0, u64::saturating_add)
}

impl Drop for Room {
    fn drop(&mut self) {
        lock(&self.promised.0).remove(&self.dir);
    }
}

/// Bytes free for others than root, and in all.
pub(crate) fn free_and_size(path: &Path) -> Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).during("ask the free space of", path)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// Bytes of the files below a directory; a save in progress grows while this counts.
pub(crate) fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) if meta.is_file() => meta.len(),
        _ => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// Whether `needed` bytes fit beside the reserve and what others were promised and have not yet written.
pub(crate) fn admit(path: &Path, needed: u64, reserve: u64, promised: u64) -> Result<()> {
    let (free, _) = free_and_size(path)?;
    let free = free.saturating_sub(reserve).saturating_sub(promised);
    // A save that announces nothing still needs some room.
    if needed.max(1) <= free { Ok(()) } else { Err(Error::NoSpace { needed, free, reserve }) }
}
