//! What is in a pack, at its end.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tidegate_core::{Digest, RelPath, cbor, limits};

/// How a pack begins.
pub(crate) const HEAD: &[u8; 8] = b"TGPACK1\n";
/// How it ends.
const END: &[u8; 8] = b"TGPACKED";
/// Bytes behind the index.
pub(crate) const TAIL: usize = 8 + 32 + 8;
/// Bytes of an index: a million small files and what they need.
pub(crate) const INDEX_BYTES: usize = 256 << 20;
/// References of one kind in a unit: one for each part of a block.
const REFERENCES: usize = 4096;
/// Bytes by which a frame may be longer than its block.
const LONGER: u64 = 16;
const VERSION: u32 = 1;

/// What is in a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    version: u32,
    /// Files that references name.
    files: Vec<RelPath>,
    units: Vec<Unit>,
}

/// One encoded block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Unit {
    /// Of the block.
    pub(crate) digest: Digest,
    /// Bytes of the block.
    pub(crate) bytes: u32,
    /// Where its frame lies in the pack.
    pub(crate) frame: Range<u64>,
    pub(crate) references: Vec<Reference>,
}

/// A unit as it stands in CBOR: without names.
type Written = (Digest, u32, u64, u32, Vec<(u8, u32, u32, u32, u64)>);

/// Bytes that a frame can't be decoded without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    /// The bytes of the block that need them.
    pub(crate) of: Range<u32>,
    /// The file, as a place in the index's list.
    pub(crate) file: u32,
    /// Where they start in it.
    pub(crate) start: u64,
}

/// What they are to the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Base,
    Wide,
    First,
    FirstBefore,
    Second,
    /// From a newer Tidegate.
    Unknown,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Base, Self::Wide, Self::First, Self::FirstBefore, Self::Second];

    /// Whether they are the base's.
    pub(crate) fn of_base(self) -> bool {
        matches!(self, Self::Base | Self::FirstBefore)
    }
}

impl Reference {
    /// The bytes of the file.
    pub(crate) fn range(&self) -> Range<u64> {
        let len = u64::from(self.of.end.saturating_sub(self.of.start));
        let len = if self.kind == Kind::Wide { len * 2 } else { len };
        self.start..self.start.saturating_add(len)
    }
}

impl From<Written> for Unit {
    fn from((digest, bytes, start, len, references): Written) -> Self {
        let reference = |(kind, from, to, file, start)| {
            let kind = Kind::ALL.get(usize::from(kind)).copied().unwrap_or(Kind::Unknown);
            Reference { kind, of: from..to, file, start }
        };
        let references = references.into_iter().map(reference).collect();
        Self { digest, bytes, frame: start..start.saturating_add(u64::from(len)), references }
    }
}

impl From<Unit> for Written {
    fn from(unit: Unit) -> Self {
        let len = u32::try_from(unit.frame.end - unit.frame.start).unwrap_or(u32::MAX);
        let written = |it: Reference| (it.kind as u8, it.of.start, it.of.end, it.file, it.start);
        (unit.digest, unit.bytes, unit.frame.start, len, unit.references.into_iter().map(written).collect())
    }
}

impl Index {
    pub(crate) fn new(files: Vec<RelPath>, units: Vec<Unit>) -> Self {
        Self { version: VERSION, files, units }
    }

    pub(crate) fn into_parts(self) -> (Vec<RelPath>, Vec<Unit>) {
        (self.files, self.units)
    }

    /// Appends index and tail to the frames of a pack.
    pub(crate) fn end(&self, pack: &mut Vec<u8>) -> Result<(), String> {
        let index = cbor::encode(self).map_err(|error| error.to_string())?;
        pack.extend_from_slice(&index);
        pack.extend_from_slice(&(index.len() as u64).to_le_bytes());
        pack.extend_from_slice(Digest::of(&index).as_bytes());
        pack.extend_from_slice(END);
        Ok(())
    }

    /// Reads the end of a pack of `size` bytes: index and tail, and nothing before them. Trusts nothing.
    pub(crate) fn read(end: &[u8], size: u64) -> Result<Self, String> {
        let cut = end.len().checked_sub(TAIL).ok_or("the pack is too short for its index")?;
        let (index, tail) = end.split_at(cut);
        let (length, tail) = tail.split_at(8);
        let (digest, mark) = tail.split_at(32);
        let length = length.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        if mark != END || length != Some(index.len() as u64) {
            return Err("the pack does not end with an index of its length".into());
        }
        if Digest::of(index).as_bytes() != digest {
            return Err("the pack's index does not have its digest".into());
        }
        let index: Self = cbor::decode(index, INDEX_BYTES).map_err(|error| format!("the pack's index: {error}"))?;
        if index.version != VERSION {
            return Err(format!(
                "a pack of version {}, and this host reads version {VERSION}: upgrade it",
                index.version
            ));
        }
        let frames = HEAD.len() as u64..size.saturating_sub(end.len() as u64);
        if index.units.iter().any(|unit| !unit.sane(&frames, index.files.len())) {
            return Err("a block of the pack's index can't be".into());
        }
        Ok(index)
    }
}

impl Unit {
    fn sane(&self, frames: &Range<u64>, files: usize) -> bool {
        let inside =
            self.frame.start >= frames.start && self.frame.start <= self.frame.end && self.frame.end <= frames.end;
        if !inside {
            return false;
        }
        let reference = |it: &Reference| {
            it.kind != Kind::Unknown && it.of.start < it.of.end && it.of.end <= self.bytes && (it.file as usize) < files
        };
        // What a frame makes a reader fetch is bounded by its block, whoever wrote it.
        let bounded = Kind::ALL.iter().all(|kind| {
            let of_kind = self.references.iter().filter(|it| it.kind == *kind);
            let bytes = of_kind.clone().map(|it| u64::from(it.of.end.saturating_sub(it.of.start))).sum::<u64>();
            of_kind.count() <= REFERENCES && bytes <= u64::from(self.bytes)
        });
        let short = self.frame.end - self.frame.start <= u64::from(self.bytes) + LONGER;
        let block = u64::from(self.bytes) <= limits::BLOCK_BYTES;
        short && block && bounded && self.references.iter().all(reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let reference = Reference { kind: Kind::Wide, of: 0..10, file: 0, start: 40 };
        let unit = Unit { digest: Digest::of(b"x"), bytes: 10, frame: 8..20, references: vec![reference] };
        Index::new(vec!["a/b".parse().unwrap()], vec![unit])
    }

    fn pack(index: &Index) -> Vec<u8> {
        let mut pack = HEAD.to_vec();
        pack.extend([7; 12]);
        index.end(&mut pack).unwrap();
        pack
    }

    #[test]
    fn an_index_is_read_back_from_the_end_of_its_pack() {
        let (index, pack) = (index(), pack(&index()));
        assert_eq!(Index::read(&pack[20..], pack.len() as u64), Ok(index.clone()));
        assert_eq!(index.units[0].references[0].range(), 40..60);
        assert!(Index::read(&pack[19..], pack.len() as u64).is_err(), "a byte of the frames too many");
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let pack = pack(&index());
        let end = &pack[20..];
        for cut in 0..end.len() {
            assert!(Index::read(&end[..cut], pack.len() as u64).is_err(), "{cut}");
        }
        for at in 0..end.len() {
            let mut flipped = end.to_vec();
            flipped[at] ^= 1;
            assert!(Index::read(&flipped, pack.len() as u64).is_err(), "{at}");
        }
    }

    #[test]
    fn an_index_that_lies_is_refused() {
        let lies: [fn(&mut Index); 9] = [
            |it| it.version = 2,
            |it| it.units[0].frame = 0..20,
            |it| it.units[0].frame = 8..21,
            |it| it.units[0].bytes = 5 << 20,
            |it| it.units[0].references[0].file = 1,
            |it| it.units[0].references[0].of = 0..11,
            |it| it.units[0].references = vec![it.units[0].references[0].clone(); 2],
            |it| it.units[0].bytes = 0,
            |it| it.units[0].references[0].kind = Kind::Unknown,
        ];
        for (nth, lie) in lies.iter().enumerate() {
            let mut bad = index();
            lie(&mut bad);
            let pack = pack(&bad);
            assert!(Index::read(&pack[20..], pack.len() as u64).is_err(), "lie {nth}");
        }
    }
}
