//! The sibling directory in which a restore happens, and its way to the real name.

use std::{
    ffi::OsString,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, RenameFlags},
    io::Errno,
};

use crate::{Error, io::beneath, local};

/// A directory on its way: made beside its place, named `<into>.partial-…`, and removed when it is dropped before it has
/// landed. Several shards that are to appear together are restored into one.
#[derive(Debug)]
pub struct Landing {
    into: PathBuf,
    parent: PathBuf,
    partial: PathBuf,
    /// Locked as long as the restore runs: a directory that nobody locks was left by a crash.
    pub(super) root: OwnedFd,
}

impl Landing {
    /// Makes the sibling of `into`, after looking whether `bytes` would fit; removes those that a crash left. It blocks.
    ///
    /// # Errors
    /// [`Error::Exists`] if `into` does, [`Error::NoSpace`], or what the file system says, as for a parent that is not there.
    pub fn begin(into: &Path, bytes: u64) -> Result<Self, Error> {
        if fs::symlink_metadata(into).is_ok() {
            return Err(Error::Exists(into.to_owned()));
        }
        let nameless = || io::Error::new(io::ErrorKind::InvalidInput, "it is no name for a directory");
        let name = into.file_name().ok_or_else(nameless).map_err(Error::local("restore into", into))?;
        let parent = match into.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut start = name.to_owned();
        start.push(".partial-");
        sweep(&parent, &start).map_err(Error::local("look into", &parent))?;
        let space = rustix::fs::statvfs(&parent).map_err(io::Error::from);
        let space = space.map_err(Error::local("look into", &parent))?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < bytes {
            return Err(Error::NoSpace { path: parent, need: bytes, free });
        }
        start.push(format!("{:016x}", fastrand::u64(..)));
        let partial = parent.join(start);
        fs::create_dir(&partial).map_err(Error::local("make", &partial))?;
        let root = beneath::directory(&partial).and_then(|root| Ok((lock(&root)?, root).1));
        let root = root.map_err(|source| {
            let _ = fs::remove_dir(&partial);
            Error::Local { attempted: "lock", path: partial.clone(), source }
        })?;
        Ok(Self { into: into.to_owned(), parent, partial, root })
    }

    /// Where it is until it lands.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives the directory its real name. What [`super::restore`] has put into it is durable when this returns. It blocks.
    ///
    /// # Errors
    /// [`Error::Exists`] if that name is taken by now; what the file system says. Then nothing of it stays.
    pub fn land(self) -> Result<(), Error> {
        self.commit(&[])
    }

    /// Makes the names in all directories durable and gives the directory its real name, if that is still free.
    pub(super) fn commit(self, directories: &[PathBuf]) -> Result<(), Error> {
        for directory in directories {
            let path = self.partial.join(directory);
            local::sync_directory(&path).map_err(Error::local("sync", path))?;
        }
        rustix::fs::fsync(&self.root).map_err(io::Error::from).map_err(Error::local("sync", &self.partial))?;
        match rename(&self.partial, &self.into) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Error::Exists(self.into.clone())),
            renamed => renamed.map_err(Error::local("rename", &self.partial))?,
        }
        local::sync_directory(&self.parent).map_err(Error::local("sync", &self.parent))
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.partial)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.partial.display(), "an unfinished restore stays behind");
        }
    }
}

fn lock(directory: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::flock(directory, FlockOperation::NonBlockingLockExclusive)?)
}

/// Renames without replacing anything, not even an empty directory.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that can't: look, then rename.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if fs::symlink_metadata(to).is_err() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::AlreadyExists.into()),
        renamed => Ok(renamed?),
    }
}

/// Removes directories whose names start like this, end as ours do, and that nobody holds.
fn sweep(parent: &Path, start: &OsString) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let end = name.as_encoded_bytes().strip_prefix(start.as_encoded_bytes());
        let ours = end.is_some_and(|end| end.len() == 16 && end.iter().all(u8::is_ascii_hexdigit));
        if ours && beneath::directory(&entry.path()).is_ok_and(|left| lock(&left).is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
