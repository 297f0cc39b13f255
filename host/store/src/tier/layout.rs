use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tidegate_core::{Rank, RunName, SaveId, Step};

use super::sync::{PASSAGE, PRIVATE, make_dir, make_way};
use crate::{Result, error::Context};

/// Damaged shards that are kept for people to look at.
const KEPT: usize = 8;

/// Where everything is below the tier's directory.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    /// Tells this process from earlier ones in the names of the trash.
    tag: u64,
    trashed: AtomicU64,
}

impl Layout {
    /// Makes the directories that are missing.
    pub(crate) fn create(root: &Path, tag: u64) -> Result<Self> {
        let root = make_way(root)?;
        let layout = Self { root, tag, trashed: AtomicU64::new(0) };
        for dir in [layout.staging(), layout.restores()] {
            make_dir(&dir, PASSAGE)?;
        }
        for dir in [layout.runs(), layout.trash(), layout.quarantine()] {
            make_dir(&dir, PRIVATE)?;
        }
        Ok(layout)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(crate) fn save(&self, id: &SaveId) -> PathBuf {
        self.staging().join(id.as_str())
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn run(&self, run: &RunName) -> PathBuf {
        self.runs().join(run.as_str())
    }

    /// The directory of a committed shard. One level below its run, so that a commit makes no directory of its own.
    pub(crate) fn shard(&self, run: &RunName, step: Step, rank: Rank) -> PathBuf {
        self.run(run).join(format!("{:016}.{:05}", step.get(), rank.get()))
    }

    pub(crate) fn restores(&self) -> PathBuf {
        self.root.join("restores")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// What the name of a shard's directory says.
    pub(crate) fn parse_shard(name: &str) -> Option<(Step, Rank)> {
        let (step, rank) = name.split_once('.')?;
        Some((step.parse().ok()?, rank.parse().ok()?))
    }

    /// Takes a path out of sight, to be deleted by [`Layout::empty_trash`]. One rename: never half of it is seen.
    /// Nothing is synced: after a crash it may be back, and is found unwanted again at the next start.
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        let to = self.trash().join(format!("{:x}-{}", self.tag, self.trashed.fetch_add(1, Ordering::Relaxed)));
        moved(path, &to).during("move to the trash", path)
    }

    /// Keeps what is no shard out of the way, under a name of its own, until somebody deletes it.
    pub(crate) fn keep_aside(&self, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let nth = self.trashed.fetch_add(1, Ordering::Relaxed);
        let to = self.quarantine().join(format!("found-{:x}-{nth}-{name}", self.tag));
        moved(path, &to).during("set aside", path)
    }

    /// Keeps what was found damaged for people to look at: of each shard the last damage, of all [`KEPT`].
    pub(crate) fn set_aside(&self, path: &Path, name: &str) -> Result<()> {
        let to = self.quarantine().join(name);
        self.discard(&to)?;
        moved(path, &to).during("set aside", path)?;
        let mut kept = Vec::new();
        for path in list(&self.quarantine())? {
            // The rename changed its time; what can't be looked at is the first to go.
            let changed = path.symlink_metadata().map(|meta| (meta.ctime(), meta.ctime_nsec())).ok();
            if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"found-")) {
                kept.push((changed, path));
            }
        }
        kept.sort();
        let over = kept.len().saturating_sub(KEPT);
        kept.iter().take(over).try_for_each(|(_, path)| self.discard(path))
    }

    /// Deletes what is in the trash. Slow for many files: call it where nobody waits. What can't be deleted stays there,
    /// with a warning, and is tried again the next time: it is nobody's any more, and stops nothing.
    pub(crate) fn empty_trash(&self) {
        let trash = self.trash();
        let entries = match fs::read_dir(&trash) {
            Ok(entries) => entries,
            Err(error) => return tracing::warn!(%error, path = %trash.display(), "the trash could not be listed"),
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            match remove_tree(&path) {
                // Two sweeps may meet; what is gone is gone.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "what is in the trash could not be deleted");
                }
                _ => {}
            }
        }
    }

    /// Moves all that a directory holds to the trash.
    pub(crate) fn discard_all_in(&self, dir: &Path) -> Result<usize> {
        let mut moved = 0;
        for path in list(dir)? {
            self.discard(&path)?;
            moved += 1;
        }
        Ok(moved)
    }
}

/// What a directory holds.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).during("list", dir)?;
    entries.map(|entry| entry.map(|entry| entry.path()).during("list", dir)).collect()
}

/// Renames; what is not there is no error. A directory may have lost the right to be written, which its move needs.
fn moved(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(from).and_then(|()| fs::rename(from, to))
        }
        renamed => renamed,
    };
    match renamed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Deletes a file or a whole directory, also where a trainer took the rights to do so from its directories.
fn remove_tree(path: &Path) -> io::Result<()> {
    let removed = |path: &Path| match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_all(path)?;
            removed(path)
        }
        other => other,
    }
}

/// Gives this user all rights on every directory below.
fn open_all(top: &Path) -> io::Result<()> {
    let mut todo = vec![top.to_path_buf()];
    while let Some(dir) = todo.pop() {
        open_up(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            // Of the entry itself: a link is never followed.
            if entry.file_type()?.is_dir() {
                todo.push(entry.path());
            }
        }
    }
    Ok(())
}

fn open_up(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}
