//! Admission: a full disk is refused before the first byte of a save, never found in the middle of one (promise 9).

use std::{fs, path::Path};

use crate::{Error, Result, error::Context};

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

/// Whether `needed` bytes fit beside the reserve and what other saves have announced and not yet written.
pub(crate) fn admit(path: &Path, needed: u64, reserve: u64, announced: impl FnOnce() -> u64) -> Result<()> {
    let (free, _) = free_and_size(path)?;
    let free = free.saturating_sub(reserve).saturating_sub(announced());
    // A save that announces nothing still needs some room.
    if needed.max(1) <= free { Ok(()) } else { Err(Error::NoSpace { needed, free, reserve }) }
}
