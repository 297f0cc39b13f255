//! BLAKE3 digests of blocks, files and documents.
//!
//! A file is cut into blocks of 4 MiB ([`limits::BLOCK_BYTES`]); a block's digest is plain BLAKE3 of its bytes, so equal
//! blocks have equal digests wherever they stand. A file's digest is BLAKE3, in key-derivation mode with a fixed
//! context, over its length and its blocks' digests: it binds order and size, and costs no second pass over the bytes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits;

const FILE_CONTEXT: &str = "tidegate 2026-11 file digest v1";

/// Thirty-two bytes of BLAKE3. Shown and parsed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest of a file of `size` bytes made of these blocks.
    pub fn of_file(size: u64, blocks: &[Digest]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(FILE_CONTEXT);
        hasher.update(&size.to_le_bytes());
        for block in blocks {
            hasher.update(&block.0);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.len() != 64 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestError);
        }
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| DigestError)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_bytes(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest of 32 bytes or 64 hexadecimal digits")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Digest, E> {
                bytes.try_into().map(Digest).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_bytes(Visitor)
        }
    }
}

/// Digests one file from its bytes in order, block by block, in constant memory beside the list of digests.
#[derive(Debug, Default)]
pub struct FileHasher {
    block: blake3::Hasher,
    in_block: u64,
    size: u64,
    blocks: Vec<Digest>,
}

impl FileHasher {
    /// For a new file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Take the next bytes of the file.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(limits::BLOCK_BYTES - self.in_block).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.update(now);
            self.in_block += now.len() as u64;
            self.size += now.len() as u64;
            bytes = later;
            if self.in_block == limits::BLOCK_BYTES {
                self.end_block();
            }
        }
    }

    fn end_block(&mut self) {
        self.blocks.push(Digest(*self.block.finalize().as_bytes()));
        self.block.reset();
        self.in_block = 0;
    }

    /// The size in bytes, the digest of the file and those of its blocks.
    pub fn finish(mut self) -> (u64, Digest, Vec<Digest>) {
        if self.in_block > 0 {
            self.end_block();
        }
        (self.size, Digest::of_file(self.size, &self.blocks), self.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_hashed_in_pieces_has_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..(limits::BLOCK_BYTES * 2 + 77)).map(|i| (i % 251) as u8).collect();
        let mut pieces = FileHasher::new();
        bytes.chunks(999_983).for_each(|piece| pieces.update(piece));
        let expected: Vec<Digest> = bytes.chunks(limits::BLOCK_BYTES as usize).map(Digest::of).collect();
        let (size, digest, blocks) = pieces.finish();
        assert_eq!((size, &blocks), (bytes.len() as u64, &expected));
        assert_eq!(digest, Digest::of_file(size, &expected));
    }

    #[test]
    fn size_and_order_change_a_files_digest() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_ne!(Digest::of_file(2, &[a, b]), Digest::of_file(2, &[b, a]));
        assert_ne!(Digest::of_file(1, &[a]), Digest::of_file(2, &[a]));
    }

    #[test]
    fn a_digest_survives_text_json_like_and_cbor() {
        let digest = Digest::of(b"tide");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let bytes = crate::cbor::encode(&digest).unwrap();
        assert_eq!(crate::cbor::decode::<Digest>(&bytes, 64).unwrap(), digest);
        assert!("ABCD".parse::<Digest>().is_err());
    }
}
