use std::{fs::File, io, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// Opens for reading what a trainer wrote, a file or a directory. A trainer may run as another user than the host and
/// may put a link or a pipe in the place of what was seen a moment ago: no link is followed anywhere on the way (the
/// tier's own path has none, it was resolved when it was opened), and a pipe is not waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A kernel before 5.6, or a filter that does not know the call: links are refused at the end of the path only.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(path, flags, Mode::empty())?,
        opened => opened?,
    };
    let file = File::from(opened);
    let meta = file.metadata()?;
    if meta.is_file() || meta.is_dir() { Ok(file) } else { Err(io::Error::other("it is no file and no directory")) }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn links_and_pipes_are_not_opened_wherever_they_stand() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        fs::create_dir(top.join("real")).unwrap();
        fs::write(top.join("real/file"), "x").unwrap();
        symlink(top.join("real"), top.join("way")).unwrap();
        symlink(top.join("real/file"), top.join("link")).unwrap();
        assert!(Command::new("mkfifo").arg(top.join("pipe")).status().unwrap().success());
        assert!(open(&top.join("real/file")).is_ok() && open(&top.join("real")).is_ok());
        for trick in ["way", "way/file", "link", "pipe"] {
            assert!(open(&top.join(trick)).is_err(), "{trick}");
        }
    }
}
