//! Large objects of a `file://` target. The store's own multipart upload takes one part at a time through the page
//! cache; this one takes parts in any order, from several threads, past it. The temporary name ends in `#` and a number,
//! which the store never lists.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    io::{buffer::Buffer, read::Span, write::Out},
};

/// An object in the making. Its temporary file goes when it is dropped before it is complete.
#[derive(Debug)]
pub(crate) struct LocalUpload {
    out: Out,
    temporary: PathBuf,
    path: PathBuf,
}

impl LocalUpload {
    /// Starts an object of this size.
    pub(crate) fn begin(path: PathBuf, size: u64) -> Result<Self, Error> {
        let (file, temporary) = fresh(&path).map_err(Error::local("make", &path))?;
        let out = Out::new(file, size).map_err(|source| {
            let _ = fs::remove_file(&temporary);
            Error::Local { attempted: "take room for", path: path.clone(), source }
        })?;
        Ok(Self { out, temporary, path })
    }

    /// Writes a range of a buffer that holds one part; it starts at a block.
    pub(crate) fn put(&self, buffer: &Buffer, part: Span, range: Range<usize>) -> Result<(), Error> {
        let offset = part.offset + range.start as u64;
        self.out.write(buffer, range, offset).map_err(Error::local("write", &self.temporary))
    }

    /// Makes it durable under its name.
    pub(crate) fn complete(&self) -> Result<(), Error> {
        self.out.finish().map_err(Error::local("sync", &self.temporary))?;
        fs::rename(&self.temporary, &self.path).map_err(Error::local("rename", &self.temporary))?;
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        sync_directory(parent).map_err(Error::local("sync", parent))
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        // Gone already when it is complete.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Removes what killed uploads left in a directory. An upload that is still running there loses its temporary file and
/// fails in a way that can be tried again.
pub(crate) fn remove_temporaries(directory: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().contains(&b'#') {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn fresh(path: &Path) -> io::Result<(File, PathBuf)> {
    loop {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!("#{}", fastrand::u64(1 << 32..)));
        let temporary = PathBuf::from(temporary);
        match File::options().read(true).write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_directories(path.parent().ok_or(error)?)?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes a directory and those above it, and syncs each that got a new entry.
pub(crate) fn make_directories(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(_) if path.is_dir() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_directories(path.parent().ok_or(error)?)?;
            return make_directories(path);
        }
        Err(error) => return Err(error),
    }
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
