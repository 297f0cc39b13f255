//! A directory that is this user's alone, and plain files in it. No link is followed, neither to it nor in it.

use std::{fs, io, io::Read as _, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW},
    io::Errno,
};

/// Only the owner may enter.
const PRIVATE: u32 = 0o700;

/// An open directory.
#[derive(Debug)]
pub(super) struct Dir(OwnedFd);

/// A plain file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// When it was last used: seconds and nanoseconds of the file system's clock.
    pub(super) used: (i64, i64),
}

/// What there is under a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Absent,
    Bytes(Vec<u8>),
    /// Nothing that was written here.
    Other(&'static str),
}

impl Dir {
    /// Opens it, and makes it if it is missing. If others could enter it, what is in it may be theirs: it is emptied.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(PRIVATE)) {
            Ok(()) => path.parent().map_or(Ok(()), |parent| fs::File::open(parent)?.sync_all())?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(dir) => Self(dir),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(io::Error::other("it is no directory, or a link to one")),
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&dir.0)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!("it belongs to user {}: give it to this one", stat.st_uid)));
        }
        if stat.st_mode & 0o7777 != PRIVATE {
            rustix::fs::fchmod(&dir.0, Mode::from_raw_mode(PRIVATE))?;
        }
        if stat.st_mode & 0o077 != 0 {
            tracing::warn!(dir = %path.display(), "others could use it: what it holds is not trusted and removed");
            dir.list()?.iter().try_for_each(|file| dir.remove(&file.name))?;
        }
        Ok(dir)
    }

    /// Held by one opener at a time, in whatever process, until it is dropped.
    pub(super) fn lock(&self) -> io::Result<OwnedFd> {
        // Opened anew: a lock belongs to an open directory, and would last as long as the cache.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let own = rustix::fs::openat(&self.0, ".", flags, Mode::empty())?;
        rustix::fs::flock(&own, FlockOperation::LockExclusive)?;
        Ok(own)
    }

    /// Its plain files and links. Names that are no UTF-8 are not ours.
    pub(super) fn list(&self) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let stat = match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            if !matches!(FileType::from_raw_mode(stat.st_mode), FileType::Directory) {
                let (bytes, used) = (size(&stat), (stat.st_mtime as i64, stat.st_mtime_nsec as i64));
                files.push(File { name: name.to_owned(), bytes, used });
            }
        }
        Ok(files)
    }

    /// The bytes of a file that is ours, and ours alone, and has at most so many.
    pub(super) fn read(&self, name: &str, most: u64) -> io::Result<Read> {
        // Not to wait for somebody at the other end of a named pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(Read::Absent),
            Err(Errno::LOOP) => return Ok(Read::Other("it is a link")),
            file => file?,
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(Read::Other("it is no plain file"));
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            return Ok(Read::Other("others may use it"));
        }
        if size(&stat) > most {
            return Ok(Read::Other("it is too large"));
        }
        let mut bytes = Vec::new();
        fs::File::from(file).take(most).read_to_end(&mut bytes)?;
        Ok(Read::Bytes(bytes))
    }

    /// A new file, which must not exist.
    pub(super) fn create(&self, name: &str) -> io::Result<fs::File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o600))?.into())
    }

    /// Gives a file its name, in place of what had it.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file or a link; one that is gone is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a file was used now. It matters to the order in which they go, and to nothing else.
    pub(super) fn touch(&self, name: &str) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        let _ = rustix::fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Makes its names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(u64::MAX)
}
