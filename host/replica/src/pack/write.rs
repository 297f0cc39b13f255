//! Gathering frames into packs.

use std::{collections::HashMap, ops::Range};

use bytes::Bytes;
use tidegate_core::{Digest, RelPath};

use super::{Entry, Index, Kind, Reference, Unit, index::HEAD};

/// An encoded block on its way into a pack.
#[derive(Debug)]
pub(crate) struct Made {
    /// Of the block.
    pub(crate) digest: Digest,
    /// Bytes of the block.
    pub(crate) bytes: u32,
    pub(crate) frame: Vec<u8>,
    /// What it can't be decoded without: the kind, the bytes of the block, the file, where they start in it.
    pub(crate) references: Vec<(Kind, Range<u32>, RelPath, u64)>,
}

/// A pack that is whole.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    pub(crate) entry: Entry,
    pub(crate) bytes: Bytes,
    /// Bytes of the blocks in it.
    pub(crate) raw: u64,
}

/// Makes packs of frames in the order in which they come.
#[derive(Debug)]
pub(crate) struct Packer {
    full: usize,
    bytes: Vec<u8>,
    raw: u64,
    units: Vec<Unit>,
    files: Vec<RelPath>,
    numbers: HashMap<RelPath, u32>,
}

impl Packer {
    /// Closes a pack when its frames reach so many bytes.
    pub(crate) fn new(full: usize) -> Self {
        let (bytes, raw, units, files, numbers) = Default::default();
        Self { full, bytes, raw, units, files, numbers }
    }

    /// Adds a frame; gives the pack that is full with it.
    pub(crate) fn add(&mut self, made: Made) -> Result<Option<Pack>, String> {
        if self.bytes.is_empty() {
            // A pack grows beyond it by one frame and the index.
            self.bytes.reserve_exact(self.full + self.full / 8);
            self.bytes.extend_from_slice(HEAD);
        }
        let start = self.bytes.len() as u64;
        self.bytes.extend_from_slice(&made.frame);
        let frame = start..self.bytes.len() as u64;
        let references = made.references.into_iter().map(|(kind, of, file, start)| {
            let next = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            let file = *self.numbers.entry(file).or_insert_with_key(|file| {
                self.files.push(file.clone());
                next
            });
            Reference { kind, of, file, start }
        });
        let references = references.collect();
        self.raw += u64::from(made.bytes);
        self.units.push(Unit { digest: made.digest, bytes: made.bytes, frame, references });
        if self.bytes.len() >= self.full { self.end() } else { Ok(None) }
    }

    /// Gives the pack that is not full, if there is anything in it.
    pub(crate) fn end(&mut self) -> Result<Option<Pack>, String> {
        if self.units.is_empty() {
            return Ok(None);
        }
        let frames = self.bytes.len() as u64;
        let index = Index::new(std::mem::take(&mut self.files), std::mem::take(&mut self.units));
        self.numbers.clear();
        index.end(&mut self.bytes)?;
        let bytes = std::mem::take(&mut self.bytes);
        let size = bytes.len() as u64;
        let entry = Entry { digest: Digest::of(&bytes), size, index: size - frames };
        Ok(Some(Pack { entry, bytes: bytes.into(), raw: std::mem::take(&mut self.raw) }))
    }
}
