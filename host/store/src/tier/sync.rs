use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::open;
use crate::{Error, Result, error::Context};

/// Threads that sync for one commit. They wait instead of computing; several keep the device's queue full.
const SYNC_THREADS: usize = 4;

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    open(path).and_then(|dir| dir.sync_all()).during("sync the directory", path)
}

/// What everybody may pass through and only the owner may list: writers of saves and readers of restores are other users.
pub(crate) const PASSAGE: u32 = 0o711;
/// What only the owner may enter.
pub(crate) const PRIVATE: u32 = 0o700;

/// Makes a directory of this mode and its name durable, unless it exists.
pub(crate) fn make_dir(path: &Path, mode: u32) -> Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            made.during("create the directory", path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).during("set the mode of", path)?;
            path.parent().map_or(Ok(()), sync_dir)
        }
    }
}

/// Makes a directory and what is missing above it, open for passage, with every new name durable, and returns where it
/// really is.
pub(crate) fn make_way(path: &Path) -> Result<PathBuf> {
    let missing = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).count();
    fs::create_dir_all(path).during("create the directory", path)?;
    let path = path.canonicalize().during("resolve the directory", path)?;
    for made in path.ancestors().take(missing) {
        fs::set_permissions(made, fs::Permissions::from_mode(PASSAGE)).during("set the mode of", made)?;
    }
    if missing == 0 {
        // A host before this one may have died between making it and this; or it is a mount point, and its name not ours.
        let _ = path.parent().map(sync_dir);
    }
    path.ancestors().skip(1).take(missing).try_for_each(sync_dir)?;
    Ok(path)
}

/// Renames, and makes both the new name and the absence of the old one durable.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).during("rename", from)?;
    sync_all([to.parent(), from.parent()].into_iter().flatten())
}

/// Makes these files and directories durable, several at a time.
///
/// A sync that fails is not tried again: the kernel may have dropped the pages, and a second call would succeed without
/// them. The caller discards the files.
pub(crate) fn sync_all<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<()> {
    let paths: Vec<&Path> = paths.collect();
    let sync = |path: &Path| open(path).and_then(|file| file.sync_all()).during("sync", path);
    if let [only] = paths.as_slice() {
        return sync(only);
    }
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..SYNC_THREADS.min(paths.len()) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = sync(path) {
                        *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                        return;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_made_as_far_as_it_is_missing_and_leads_where_it_really_is() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&top, top.join("link")).unwrap();
        for _ in 0..2 {
            assert_eq!(make_way(&top.join("link/a/b/c")).unwrap(), top.join("a/b/c"));
        }
        fs::write(top.join("file"), "").unwrap();
        let error = make_way(&top.join("file/a")).unwrap_err().to_string();
        assert!(error.contains("create the directory"), "{error}");
    }
}
