use std::{
    fs::{self, File, Metadata},
    io::Write,
    os::unix::fs::MetadataExt,
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tidegate_core::{
    Metrics, Rank, RelPath, RunName, Seq, Step, Timestamp, WorldSize, cbor, damage::is_damage, limits,
};

use super::sync::sync_dir;
use crate::{Result, error::Context};

/// A file as it was when it was committed. Whoever reads it later compares: a change after the commit is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStat {
    /// Below the shard's `files`.
    pub(crate) path: RelPath,
    /// Bytes.
    pub(crate) size: u64,
    /// When its bytes last changed, nanoseconds since the epoch, as the file system says.
    pub(crate) mtime: i128,
}

impl FileStat {
    pub(crate) fn of(path: RelPath, meta: &Metadata) -> Self {
        let mtime = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        Self { path, size: meta.len(), mtime }
    }

    /// Whether the file at `top` still has this size and time.
    fn is_unchanged(&self, top: &Path) -> Result<bool> {
        let path = top.join(self.path.as_path());
        match fs::symlink_metadata(&path) {
            Ok(meta) => Ok(meta.is_file() && Self::of(self.path.clone(), &meta) == *self),
            // It is not there, or something else is: what speaks of the bytes is a change, and nothing else.
            Err(error) if is_damage(&error) => Ok(false),
            Err(error) => Err(error).during("look at", path),
        }
    }
}

/// The first of these files below `top` that is not as it was.
pub(crate) fn first_changed<'a>(files: &'a [FileStat], top: &Path) -> Result<Option<&'a FileStat>> {
    for file in files {
        if !file.is_unchanged(top)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// What was committed, kept beside the files, so that the index can be made anew from the tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CommitRecord {
    pub(crate) version: u32,
    pub(crate) run: RunName,
    pub(crate) step: Step,
    pub(crate) rank: Rank,
    pub(crate) world_size: WorldSize,
    pub(crate) committed: Timestamp,
    /// The journal's last durable place when it was committed: an index that ends before has lost its end.
    #[serde(default)]
    pub(crate) after: Seq,
    pub(crate) metrics: Metrics,
    pub(crate) files: Vec<FileStat>,
}

/// Writes a record into a directory: a temporary file, its sync, a rename. With `sync_name` the name is durable as well;
/// without it the caller syncs the directory.
pub(crate) fn write_record(dir: &Path, name: &str, bytes: &[u8], sync_name: bool) -> Result<()> {
    let (temporary, to) = (dir.join(format!("{name}.tmp")), dir.join(name));
    File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .during("write", &temporary)?;
    fs::rename(&temporary, &to).during("rename", &temporary)?;
    if sync_name { sync_dir(dir) } else { Ok(()) }
}

/// Reads a record.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = fs::read(path).during("read", path)?;
    Ok(cbor::decode(&bytes, limits::BODY_BYTES)?)
}
