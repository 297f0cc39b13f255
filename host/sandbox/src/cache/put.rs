//! Writing a file so that under its name there is the whole of it or what was there before, whenever the machine stops.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::dir::Dir;

/// What a file is called until it is whole.
const SUFFIX: &str = ".tmp";

/// What is about to be done. A test stops before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The file under its temporary name.
    Create,
    /// One part of its bytes; the number counts them.
    Write(usize),
    /// Its bytes on the disk.
    Sync,
    /// Its name.
    Rename,
    /// Its name on the disk.
    SyncDir,
}

/// Writes the parts to a new file and gives it its name. Durable when this returns.
pub(super) fn put(dir: &Dir, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let temporary = format!("{}-{}{SUFFIX}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let done = steps(dir, &temporary, name, parts, &mut |_| Ok(()));
    if done.is_err() {
        // A full disk, most likely: what is half written should not make it fuller.
        let _ = dir.remove(&temporary);
    }
    done
}

/// The steps of [`put`]. Before each, `before` may say that it comes to nothing.
pub(super) fn steps(
    dir: &Dir,
    temporary: &str,
    name: &str,
    parts: &[&[u8]],
    before: &mut dyn FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    before(Step::Create)?;
    let mut file = dir.create(temporary)?;
    for (number, part) in parts.iter().enumerate() {
        before(Step::Write(number))?;
        file.write_all(part)?;
    }
    before(Step::Sync)?;
    file.sync_all()?;
    before(Step::Rename)?;
    dir.rename(temporary, name)?;
    before(Step::SyncDir)?;
    dir.sync()
}

/// Removes what was never given its name.
pub(super) fn sweep(dir: &Dir) -> io::Result<()> {
    dir.list()?.iter().filter(|file| file.name.ends_with(SUFFIX)).try_for_each(|file| dir.remove(&file.name))
}
