//! The manifest body: what one shard consists of, digest by digest. A body is immutable; its own digest names it.
//!
//! Metrics are not part of it: a step that is trained again after a restore gives the same bytes and so the same digest,
//! whatever the trainer measures beside them. They travel next to the body (`ship` takes them, the shard manifest in
//! object storage holds them beside the body's bytes).

use serde::{Deserialize, Serialize};

use crate::{Digest, Rank, RelPath, RunName, Step, WorldSize, cbor, limits};

/// One file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it stands below the shard.
    pub path: RelPath,
    /// Bytes.
    pub size: u64,
    /// See [`Digest::of_file`].
    pub digest: Digest,
    /// Digests of its blocks of 4 MiB; the last may be shorter. Empty for an empty file.
    pub blocks: Vec<Digest>,
}

/// What one shard consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// Version of this format: 1.
    pub version: u32,
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// Which share of the checkpoint this is.
    pub rank: Rank,
    /// Of how many.
    pub world_size: WorldSize,
    /// In the order of their paths, each once.
    pub files: Vec<FileEntry>,
}

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not the CBOR of a body.
    #[error("manifest body: {0}")]
    Cbor(#[from] cbor::Error),
    /// From a newer Tidegate.
    #[error("manifest body of version {0}; this host reads version 1: upgrade it")]
    Version(u32),
    /// Contradicts itself.
    #[error("manifest body: {0}")]
    Inconsistent(String),
}

impl Body {
    /// The format's version.
    pub const VERSION: u32 = 1;

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Its CBOR, which is also what its digest is made of.
    ///
    /// # Errors
    /// A body over [`limits::BODY_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        let bytes = cbor::encode(self)?;
        if bytes.len() > limits::BODY_BYTES {
            return Err(cbor::Error::TooLong { got: bytes.len(), max: limits::BODY_BYTES }.into());
        }
        Ok(bytes)
    }

    /// Reads a body and checks that it agrees with itself; trusts nothing in it.
    ///
    /// # Errors
    /// Bytes that are no body, of another version, or contradictory.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let body: Self = cbor::decode(bytes, limits::BODY_BYTES)?;
        if body.version != Self::VERSION {
            return Err(ManifestError::Version(body.version));
        }
        body.check().map_err(ManifestError::Inconsistent)?;
        Ok(body)
    }

    fn check(&self) -> Result<(), String> {
        if !self.world_size.holds(self.rank) {
            return Err(format!("rank {} of a world of {}", self.rank, self.world_size));
        }
        if self.files.len() > limits::SHARD_FILES || self.bytes() > limits::SHARD_BYTES {
            return Err("more files or bytes than a shard may have".into());
        }
        for pair in self.files.windows(2) {
            if let [a, b] = pair
                && (a.path >= b.path || b.path.as_path().starts_with(a.path.as_path()))
            {
                return Err(format!("{} after {}: paths out of order, twice, or below a file", b.path, a.path));
            }
        }
        for file in &self.files {
            let blocks = file.size.div_ceil(limits::BLOCK_BYTES);
            if blocks != file.blocks.len() as u64 {
                return Err(format!("{}: {} blocks for {} bytes", file.path, file.blocks.len(), file.size));
            }
            if Digest::of_file(file.size, &file.blocks) != file.digest {
                return Err(format!("{}: its digest is not that of its blocks", file.path));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        let blocks = vec![Digest::of(b"hello")];
        let file = |path: &str| FileEntry {
            path: path.parse().unwrap(),
            size: 5,
            digest: Digest::of_file(5, &blocks),
            blocks: blocks.clone(),
        };
        Body {
            version: 1,
            run: "gpt".parse().unwrap(),
            step: 7.try_into().unwrap(),
            rank: 1.try_into().unwrap(),
            world_size: 2.try_into().unwrap(),
            files: vec![file("a/x.bin"), file("b.bin")],
        }
    }

    #[test]
    fn a_body_survives_the_wire() {
        assert_eq!(Body::decode(&body().encode().unwrap()), Ok(body()));
    }

    #[test]
    fn a_body_that_contradicts_itself_is_refused() {
        let breaks: [fn(&mut Body); 6] = [
            |b| b.files.swap(0, 1),
            |b| b.files[1].path = b.files[0].path.clone(),
            |b| b.files[0].size = 4 << 30,
            |b| b.files[0].blocks[0] = Digest::of(b"jello"),
            |b| b.rank = 2.try_into().unwrap(),
            |b| b.version = 2,
        ];
        for (nth, damage) in breaks.iter().enumerate() {
            let mut damaged = body();
            damage(&mut damaged);
            assert!(Body::decode(&cbor::encode(&damaged).unwrap()).is_err(), "break {nth}");
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error_or_another_digest() {
        let bytes = body().encode().unwrap();
        for cut in 0..bytes.len() {
            assert!(Body::decode(&bytes[..cut]).is_err());
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let _ = Body::decode(&flipped);
            assert_ne!(Digest::of(&flipped), Digest::of(&bytes));
        }
    }
}
