//! Which objects a shard becomes.

use std::{collections::HashSet, sync::Arc};

use object_store::path::Path;
use tidegate_core::{Body, Digest, RelPath};

use crate::Target;

/// One object to be shipped.
#[derive(Debug)]
pub(super) struct Object {
    /// Its name on the target.
    pub(super) name: Path,
    /// The digest that it is named by.
    pub(super) digest: Digest,
    /// A file of the shard that holds its bytes.
    pub(super) file: RelPath,
    /// Bytes; never zero.
    pub(super) size: u64,
    /// The digests of its blocks.
    pub(super) blocks: Vec<Digest>,
    /// Bytes of its parts. An object of at most one part goes in one request.
    pub(super) part: u64,
}

/// The objects of a shard: one for each distinct content. Empty files need none.
pub(super) fn objects(body: &Body, prefix: &Path, target: &Target) -> Vec<Arc<Object>> {
    let mut seen = HashSet::new();
    let distinct = body.files.iter().filter(|file| file.size > 0 && seen.insert(file.digest));
    let object = distinct.map(|file| Object {
        name: prefix.clone().join(file.digest.to_string()),
        digest: file.digest,
        file: file.path.clone(),
        size: file.size,
        blocks: file.blocks.clone(),
        part: target.part_bytes(file.size),
    });
    object.map(Arc::new).collect()
}
