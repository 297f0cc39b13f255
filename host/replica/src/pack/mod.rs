//! Packs: many encoded blocks in one object, so that a shard is few requests whatever its files are.
//!
//! ```text
//! pack     = "TGPACK1\n", frames, index (CBOR), tail
//! frames   = encoded blocks (the codec's format), one after the other
//! index    = { version: 1, files: [path], units: [unit] }
//! unit     = [ digest of the block, its bytes, where its frame starts in the pack, bytes of the frame, [reference] ]
//! reference= [ kind, first byte of the block, end in the block, file (place in `files`), where it starts in that file ]
//! kind     = 0 the base | 1 the fp32 words that these bf16 words are roundings of | 2 first moments
//!            | 3 first moments of the base | 4 second moments
//! tail     = bytes of the index (8, little-endian), BLAKE3 of the index (32), "TGPACKED"
//! ```
//!
//! Why so:
//! - **A pack is named by the BLAKE3 of all its bytes**, so that a second try can only write the same under the same name.
//! - **A block is named by its digest.** Which file it is a part of, the body in the shard's manifest says; equal blocks
//!   are kept once, and a block whose bytes the base has under the same digest is one reference.
//! - **The index comes last**, so that a pack is written in one go, and is read with one request: the manifest of the shard
//!   tells how many bytes it takes.
//! - **References say where the bytes lie that a frame can't be decoded without**: kinds 0 and 3 in the files of the base,
//!   which the manifest of the shard names, the others in this shard's own. Fp32 words of kind 1 are twice as many bytes. References
//!   of one kind never lead to bytes that need the same kind of this shard: decoding ends.
//! - **Nothing says that a frame is right, but the digest of the block does**: it is compared with what comes out.

mod index;
mod open;
mod regions;
mod write;

pub(crate) use index::{Index, Kind, Reference, Unit};
pub(crate) use open::Packs;
pub(crate) use regions::{Likeness, Shape};
pub(crate) use write::{Made, Pack, Packer};

use serde::{Deserialize, Serialize};
use tidegate_core::{Digest, Step};

/// Bytes of frames after which a pack is closed.
pub(crate) const PACK_BYTES: usize = 64 << 20;
/// No pack is larger.
pub(crate) const PACK_MOST: u64 = 1 << 30;
/// Packs of one shard: 16 TiB in packs of 64 MiB, and some.
pub(crate) const PACKS: usize = 1 << 19;
/// Shards that a shard may need below itself, whatever the options say.
pub(crate) const CHAIN_MOST: u32 = 64;

/// What the manifest of a packed shard says beside the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// Its packs, in the order of their blocks.
    pub(crate) packs: Vec<Entry>,
    /// The shard that some of its blocks are differences from.
    pub(crate) base: Option<Based>,
}

/// One pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    /// Bytes of index and tail.
    pub(crate) index: u64,
}

/// The base: the shard of the same run and rank at another step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Based {
    pub(crate) step: Step,
    /// The digest of its body.
    pub(crate) body: Digest,
    /// How many shards are needed below this one; 1 or more.
    pub(crate) chain: u32,
}

impl Packed {
    /// Bytes of all packs.
    pub(crate) fn stored(&self) -> u64 {
        self.packs.iter().fold(0, |sum, pack| sum.saturating_add(pack.size))
    }

    /// What contradicts itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        let index = index::TAIL as u64..=(index::INDEX_BYTES + index::TAIL) as u64;
        let absurd = |pack: &&Entry| pack.size > PACK_MOST || pack.index > pack.size || !index.contains(&pack.index);
        if self.packs.len() > PACKS || self.packs.iter().any(|pack| absurd(&pack)) {
            return Err("a pack of a size that none may have".into());
        }
        match self.base {
            Some(base) if base.chain == 0 || base.chain > CHAIN_MOST => Err(format!("a chain of {}", base.chain)),
            _ => Ok(()),
        }
    }
}
