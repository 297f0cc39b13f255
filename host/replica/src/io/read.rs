//! Reading a run of blocks of one file and checking each on the way.

use std::{fs::File, io, os::unix::fs::FileExt};

use tidegate_core::{Digest, FileHasher, limits};

/// What is hashed right after it was read, while it is still in the core's own cache.
const PIECE: usize = 256 << 10;

/// Bytes of one block.
pub(crate) const BLOCK: usize = limits::BLOCK_BYTES as usize;

/// Fills `into` from `offset`, which is the start of a block, and compares its blocks with `expected`.
/// Returns the places in `expected` that did not match.
///
/// # Errors
/// What the system says; `UnexpectedEof` for a file that is too short.
pub(crate) fn checked(file: &File, offset: u64, into: &mut [u8], expected: &[Digest]) -> io::Result<Vec<usize>> {
    let mut hasher = FileHasher::new();
    let mut at = offset;
    for piece in into.chunks_mut(PIECE) {
        file.read_exact_at(piece, at)?;
        hasher.update(piece);
        at += piece.len() as u64;
    }
    Ok(differing(&hasher.finish().2, expected))
}

/// The places of blocks of `bytes` that are not as expected.
pub(crate) fn compare(bytes: &[u8], expected: &[Digest]) -> Vec<usize> {
    let got: Vec<Digest> = bytes.chunks(BLOCK).map(Digest::of).collect();
    differing(&got, expected)
}

fn differing(got: &[Digest], expected: &[Digest]) -> Vec<usize> {
    (0..expected.len().max(got.len())).filter(|place| got.get(*place) != expected.get(*place)).collect()
}

/// A run of blocks of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its first block.
    pub(crate) block: usize,
    /// How many blocks.
    pub(crate) blocks: usize,
    /// Where its bytes start in the file.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) len: usize,
}

impl Span {
    /// Bytes of an object that is no file: its blocks are pieces of these bytes, and have no digests.
    pub(crate) fn bytes(offset: u64, len: usize) -> Self {
        Self { block: 0, blocks: len.div_ceil(BLOCK), offset, len }
    }

    /// The digests of its blocks among those of the file.
    pub(crate) fn of<'a>(&self, digests: &'a [Digest]) -> &'a [Digest] {
        digests.get(self.block..self.block + self.blocks).unwrap_or_default()
    }

    /// One of its blocks.
    pub(crate) fn nth(&self, place: usize) -> Self {
        let start = place * BLOCK;
        Self {
            block: self.block + place,
            blocks: 1,
            offset: self.offset + start as u64,
            len: self.len.saturating_sub(start).min(BLOCK),
        }
    }
}

/// Cuts a file into spans of `bytes`, a multiple of the block size. An empty file has none.
pub(crate) fn spans(size: u64, bytes: u64) -> impl Iterator<Item = Span> {
    let bytes = bytes.max(limits::BLOCK_BYTES);
    (0..size.div_ceil(bytes)).map(move |nth| {
        let offset = nth * bytes;
        let len = bytes.min(size - offset);
        let place = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Span {
            block: place(offset / limits::BLOCK_BYTES),
            blocks: place(len.div_ceil(limits::BLOCK_BYTES)),
            offset,
            len: place(len),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_a_file_once() {
        let block = limits::BLOCK_BYTES;
        for size in [0, 1, block, block + 1, 5 * block - 1, 5 * block] {
            let spans: Vec<Span> = spans(size, 2 * block).collect();
            let mut next = 0;
            for span in &spans {
                assert_eq!((span.offset, span.block as u64), (next, next / block));
                assert_eq!(span.blocks as u64, (span.len as u64).div_ceil(block));
                next += span.len as u64;
            }
            assert_eq!(next, size);
        }
    }

    #[test]
    fn a_wrong_block_is_named() {
        let bytes: Vec<u8> = (0..2 * BLOCK + 5).map(|i| (i % 253) as u8).collect();
        let expected: Vec<Digest> = bytes.chunks(BLOCK).map(Digest::of).collect();
        let mut damaged = bytes.clone();
        damaged[BLOCK + 9] ^= 1;
        assert_eq!(compare(&bytes, &expected), [0_usize; 0]);
        assert_eq!(compare(&damaged, &expected), [1]);
        assert_eq!(compare(&bytes[..BLOCK], &expected), [1, 2]);

        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&damaged, 0).unwrap();
        let mut into = vec![0; BLOCK + 5];
        assert_eq!(checked(&file, BLOCK as u64, &mut into, &expected[1..]).unwrap(), [0]);
        assert_eq!(into, damaged[BLOCK..]);
        assert!(checked(&file, 3 * BLOCK as u64, &mut into, &expected).is_err());
    }
}
