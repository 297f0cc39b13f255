//! Writing a large file in whole blocks from several threads, past the page cache where the file system lets us:
//! buffered writes followed by a sync cost several times as much processor time and throw out what the trainer uses.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

use rustix::{
    fs::{FallocateFlags, OFlags},
    io::Errno,
};

use super::buffer::{ALIGN, Buffer};

/// Smaller files go through the page cache: one write and one sync.
const DIRECT_FROM: u64 = 1 << 20;
/// Bytes of one write, whatever is given at once: twice as many at a time were slower.
const PIECE: usize = 4 << 20;

/// A new file of a known size.
#[derive(Debug)]
pub(crate) struct Out {
    file: File,
    direct: bool,
    size: u64,
}

impl Out {
    /// Takes an empty file, and its room on the disk.
    ///
    /// # Errors
    /// No room, before the first byte is written.
    pub(crate) fn new(file: File, size: u64) -> io::Result<Self> {
        let direct = size >= DIRECT_FROM && direct(&file);
        // Of a small one the whole was asked for before, and to ask for each costs as much as to write it.
        if size >= DIRECT_FROM {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { file, direct, size })
    }

    /// Writes a part of the buffer, which starts at a block, to `offset`, which is the start of a block.
    pub(crate) fn write(&self, buffer: &Buffer, range: Range<usize>, offset: u64) -> io::Result<()> {
        let bytes = if self.direct { buffer.padded(range) } else { buffer.part(range) };
        let places = (offset..).step_by(PIECE);
        bytes.chunks(PIECE).zip(places).try_for_each(|(piece, place)| self.file.write_all_at(piece, place))
    }

    /// Gives the file its size and syncs it: its bytes are durable when this returns. Its name is not.
    pub(crate) fn finish(&self) -> io::Result<()> {
        if self.direct && !self.size.is_multiple_of(ALIGN as u64) {
            self.file.set_len(self.size)?;
        }
        self.file.sync_all()
    }
}

#[cfg(target_os = "linux")]
fn direct(file: &File) -> bool {
    let flags = rustix::fs::fcntl_getfl(file).unwrap_or(OFlags::empty());
    rustix::fs::fcntl_setfl(file, flags | OFlags::DIRECT).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn direct(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::buffer::Pool;

    #[test]
    fn a_file_of_any_size_holds_exactly_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for size in [0, 1, 4096, DIRECT_FROM, DIRECT_FROM + 1, DIRECT_FROM + 4095, 2 * PIECE as u64 + 5] {
            let path = dir.path().join(size.to_string());
            let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            let out = Out::new(file, size).unwrap();
            let pool = Pool::new(3 * PIECE, 1);
            let mut buffer = pool.take(size as usize);
            buffer.room().iter_mut().enumerate().for_each(|(at, byte)| *byte = (at % 251) as u8);
            out.write(&buffer, 0..size as usize, 0).unwrap();
            out.finish().unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), buffer.as_ref(), "{size}");
        }
    }
}
