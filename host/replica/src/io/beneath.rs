//! Opening files below a directory without ever following a symbolic link, so that nobody who can write into the
//! directory can make a copy read or write elsewhere.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use tidegate_core::RelPath;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);
const INNER: OFlags = DIRECTORY.union(OFlags::NOFOLLOW);

/// Opens a directory, which may itself be reached by links.
pub(crate) fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

/// Opens a plain file for reading.
pub(crate) fn read(root: &OwnedFd, path: &RelPath) -> io::Result<File> {
    let (parents, name) = split(path);
    let parent = parents.iter().try_fold(root.try_clone()?, |at, part| {
        rustix::fs::openat(at.as_fd(), *part, INNER, Mode::empty()).map_err(io::Error::from)
    })?;
    // Not blocking: a pipe with this name would make the open wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a plain file")) }
}

/// Makes a file that must not exist yet, and the directories above it; opens it with these flags for writing.
pub(crate) fn create(root: &OwnedFd, path: &RelPath, flags: OFlags) -> io::Result<File> {
    let (parents, name) = split(path);
    let parent = parents.iter().try_fold(root.try_clone()?, |at, part| {
        match rustix::fs::mkdirat(at.as_fd(), *part, Mode::from(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(io::Error::from(error)),
        }
        rustix::fs::openat(at.as_fd(), *part, INNER, Mode::empty()).map_err(io::Error::from)
    })?;
    let flags = flags | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(parent, name, flags, Mode::from(0o666))?))
}

fn split(path: &RelPath) -> (Vec<&str>, &str) {
    let mut parts: Vec<&str> = path.as_str().split('/').collect();
    let name = parts.pop().unwrap_or_default();
    (parts, name)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn rel(path: &str) -> RelPath {
        path.parse().unwrap()
    }

    #[test]
    fn links_on_the_way_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("secret"), b"x").unwrap();
        symlink(&outside, inside.join("way")).unwrap();
        symlink(outside.join("secret"), inside.join("file")).unwrap();
        let root = directory(&inside).unwrap();
        assert!(read(&root, &rel("way/secret")).is_err());
        assert!(read(&root, &rel("file")).is_err());
        assert!(create(&root, &rel("way/new"), OFlags::empty()).is_err());
        assert!(create(&root, &rel("file"), OFlags::empty()).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_made_once_with_its_directories() {
        let dir = tempfile::tempdir().unwrap();
        let root = directory(dir.path()).unwrap();
        create(&root, &rel("a/b/c"), OFlags::empty()).unwrap();
        assert!(read(&root, &rel("a/b/c")).is_ok());
        assert!(create(&root, &rel("a/b/c"), OFlags::empty()).is_err());
        assert!(create(&root, &rel("a/b/c/d"), OFlags::empty()).is_err());
        assert!(read(&root, &rel("a/b")).is_err(), "a directory is no file");
    }
}
