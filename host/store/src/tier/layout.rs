use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tidegate_core::{Rank, RunName, SaveId, Step};

use super::sync::make_dir;
use crate::{Result, error::Context};

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
        fs::create_dir_all(root).during("create the directory", root)?;
        let root = root.canonicalize().during("resolve the directory", root)?;
        let layout = Self { root, tag, trashed: AtomicU64::new(0) };
        for dir in [layout.staging(), layout.runs(), layout.restores(), layout.trash(), layout.quarantine()] {
            make_dir(&dir)?;
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
        match fs::rename(path, &to) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.during("move to the trash", path),
        }
    }

    /// Deletes what is in the trash. Slow for many files: call it where nobody waits.
    pub(crate) fn empty_trash(&self) -> Result<()> {
        let trash = self.trash();
        for entry in fs::read_dir(&trash).during("list", &trash)? {
            let path = entry.during("list", &trash)?.path();
            let removed =
                if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                // Two sweeps may meet; what is gone is gone.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other.during("delete", &path)?,
            }
        }
        Ok(())
    }

    /// Moves all that a directory holds to the trash.
    pub(crate) fn discard_all_in(&self, dir: &Path) -> Result<usize> {
        let mut moved = 0;
        for entry in fs::read_dir(dir).during("list", dir)? {
            self.discard(&entry.during("list", dir)?.path())?;
            moved += 1;
        }
        Ok(moved)
    }
}
