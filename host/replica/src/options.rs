//! How a target is used.

use std::{
    collections::BTreeMap,
    fmt,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use tidegate_core::limits;

/// How uploaded bytes are proven before they count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verify {
    /// [`Verify::Checksum`] on a server that was seen to refuse damaged bytes, else [`Verify::Reread`].
    #[default]
    Auto,
    /// A checksum goes along with every request, and the server refuses bytes that do not have it. Before the first
    /// shard is shipped it is tried whether this server does; one that does not is an error.
    Checksum,
    /// Every object is read back and the BLAKE3 digest of every block compared.
    Reread,
    /// Only the size is compared. Bytes that are damaged on the way are found at the restore, when it may be too late.
    Size,
}

impl FromStr for Verify {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "checksum" => Ok(Self::Checksum),
            "reread" => Ok(Self::Reread),
            "size" => Ok(Self::Size),
            _ => Err(format!("{text:?} is no way of verifying: use auto, checksum, reread or size")),
        }
    }
}

/// How a shard lies on a target. What was shipped one way is read whatever is set later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// The objects are the very files, so that any tool can read them.
    Plain,
    /// Blocks are encoded, lossless, and gathered into packs of some 64 MiB.
    #[default]
    Packed,
}

impl FromStr for Layout {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "plain" => Ok(Self::Plain),
            "packed" => Ok(Self::Packed),
            _ => Err(format!("{text:?} is no layout: use plain or packed")),
        }
    }
}

/// How a target is used. `Debug` shows the names of the settings in `store`, never their values.
#[derive(Clone)]
pub struct Options {
    /// Parts in flight over all files and shards of the target; of small files as many more as weigh the same, up to
    /// sixteen for a part. Default = 8.
    pub concurrency: NonZeroUsize,
    /// Bytes of one part, rounded up to whole blocks of 4 MiB, at least 8 MiB on a server (S3 refuses parts of less than
    /// 5) and more for files of more than 10,000 parts. Smaller files go in one request. The most memory in use is `concurrency` × `part_bytes`. Default = 16 MiB.
    pub part_bytes: u64,
    /// How long one request may take, from the connection to the last byte. Default = 2 minutes.
    pub deadline: Duration,
    /// How often one request is tried again after the server failed or the connection broke, with exponential backoff
    /// and jitter from 100 ms to 10 s. Default = 6.
    pub retries: usize,
    /// How uploaded bytes are proven. Default = [`Verify::Auto`].
    pub verify: Verify,
    /// How shards lie there. Default = [`Layout::Packed`].
    pub layout: Layout,
    /// How many checkpoints may be needed below one in the packed layout, each as the base of the next: 0 to 64; 0 for none.
    /// More make copies smaller, and restores without the NVMe of this host longer. Default = 16.
    pub chain: u32,
    /// Blocks that are encoded at a time, each on a core of its own. Default = 2.
    pub encoders: NonZeroUsize,
    /// A directory of this host alone in which uploads under way are noted, so that after a kill only the parts go again that were
    /// not there. Default = none: they begin anew.
    pub uploads: Option<PathBuf>,
    /// Bytes a second to the target, over all its transfers; restores go first. Default = none, as fast as it goes.
    pub upload_rate: Option<NonZeroU64>,
    /// Bytes a second from the target. Default = none.
    pub download_rate: Option<NonZeroU64>,
    /// Requests a second. Default = none.
    pub requests: Option<NonZeroU64>,
    /// Settings of the store, on top of the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`): `endpoint`, `region`,
    /// `access_key_id`, `secret_access_key`, `allow_http`, `path_style`, `checksum_algorithm`, and whatever else
    /// `object_store` knows for this kind of store.
    pub store: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            part_bytes: 16 << 20,
            deadline: Duration::from_secs(120),
            retries: 6,
            verify: Verify::Auto,
            layout: Layout::Packed,
            chain: 16,
            encoders: NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN),
            uploads: None,
            upload_rate: None,
            download_rate: None,
            requests: None,
            store: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("concurrency", &self.concurrency)
            .field("part_bytes", &self.part_bytes)
            .field("deadline", &self.deadline)
            .field("retries", &self.retries)
            .field("verify", &self.verify)
            .field("layout", &self.layout)
            .field("chain", &self.chain)
            .field("encoders", &self.encoders)
            .field("uploads", &self.uploads)
            .field("upload_rate", &self.upload_rate)
            .field("download_rate", &self.download_rate)
            .field("requests", &self.requests)
            .field("store", &self.store.keys())
            .finish()
    }
}

/// S3's bound on the parts of one object.
const PARTS: u64 = 10_000;
/// Servers refuse smaller ones.
pub(crate) const SERVER_PART_BYTES: u64 = 8 << 20;
/// No part is larger, whatever the options say: it is held in memory, and S3 takes at most 5 GiB.
const PART_BYTES: u64 = 1 << 30;

/// Bytes of a part of a file of `size` bytes: whole blocks, few enough parts.
pub(crate) fn part_bytes(wanted: u64, size: u64) -> u64 {
    let blocks = wanted.max(size.div_ceil(PARTS)).clamp(1, PART_BYTES).div_ceil(limits::BLOCK_BYTES);
    blocks * limits::BLOCK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_blocks_and_few_enough() {
        assert_eq!(part_bytes(0, 1), limits::BLOCK_BYTES);
        assert_eq!(part_bytes(9 << 20, 1 << 30), 12 << 20);
        let size = 5 << 40;
        assert!(size / part_bytes(16 << 20, size) <= PARTS);
    }

    #[test]
    fn what_is_printed_holds_no_secret() {
        let mut options = Options::default();
        options.store.insert("secret_access_key".into(), "hunter2".into());
        let shown = format!("{options:?}");
        assert!(shown.contains("secret_access_key") && !shown.contains("hunter2"), "{shown}");
    }
}
