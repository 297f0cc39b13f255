//! The writer that both sides of a comparison use, and a disk that has nothing left to do.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

/// Bytes of one write.
const PIECE: usize = 4 << 20;

/// A device that has done nothing for so long is taken to have nothing left to do.
const STILL: Duration = Duration::from_millis(200);
/// See [`quiet`].
const LONGEST: Duration = Duration::from_secs(5);

/// Bytes that nothing along the way can make smaller: they look random, and no two pieces are the same.
pub(crate) struct Writer {
    piece: Vec<u8>,
    written: u64,
}

impl Writer {
    pub(crate) fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let words = (0..PIECE / 8).flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        });
        Self { piece: words.collect(), written: 0 }
    }

    /// Writes a new file of so many bytes, through the page cache, in writes of 4 MiB. Nothing is synced.
    pub(crate) fn write(&mut self, path: &Path, bytes: u64) -> Result<File> {
        let mut file = File::create_new(path).with_context(|| format!("create {}", path.display()))?;
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            self.written += 1;
            let stamp = self.written.to_le_bytes();
            self.piece.iter_mut().zip(stamp).for_each(|(byte, stamp)| *byte = stamp);
            file.write_all(self.piece.get(..length).unwrap_or_default())?;
            left -= length as u64;
        }
        Ok(file)
    }
}

/// Makes a directory's names durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    Ok(File::open(dir)?.sync_all()?)
}

/// Waits until the file system has written all that it has to write.
pub(crate) fn sync(dir: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

/// Waits until the file system has written all that it has to write, and until its device does nothing more: what one
/// measurement leaves, such as discards of deleted bytes, must not be paid by the next one. A device that others keep
/// busy is not waited for longer than [`LONGEST`].
pub(crate) fn quiet(dir: &Path) -> Result<()> {
    let handle = File::open(dir)?;
    rustix::fs::syncfs(&handle)?;
    let device = handle.metadata()?.dev();
    let counters = format!("/sys/dev/block/{}:{}/stat", rustix::fs::major(device), rustix::fs::minor(device));
    let (started, mut since) = (Instant::now(), Instant::now());
    let mut before = fs::read_to_string(&counters).unwrap_or_default();
    while since.elapsed() < STILL && started.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(20));
        let now = fs::read_to_string(&counters).unwrap_or_default();
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// Removes a folder that may be absent.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Bytes of all files below a directory.
pub(crate) fn size(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { size(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
