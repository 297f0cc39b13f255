//! Blocks that are in the staging directory already. Who needs one to decode another reads it there: to fetch and decode it
//! once more costs several times as much.

use std::{
    os::{fd::OwnedFd, unix::fs::FileExt},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use tidegate_core::{Body, Digest, RelPath};

use crate::{
    Error,
    io::{
        beneath, blocking,
        read::{BLOCK, Span},
    },
};

/// Which blocks of a shard are there.
pub(super) struct Landed {
    root: OwnedFd,
    files: Vec<(RelPath, Vec<AtomicBool>)>,
}

impl Landed {
    /// None is there yet.
    pub(super) fn new(root: &OwnedFd, body: &Body) -> Result<Arc<Self>, Error> {
        let root = root.try_clone().map_err(Error::local("open", "the staging directory"))?;
        let none = |blocks: usize| (0..blocks).map(|_| AtomicBool::new(false)).collect();
        let files = body.files.iter().map(|file| (file.path.clone(), none(file.blocks.len()))).collect();
        Ok(Arc::new(Self { root, files }))
    }

    /// The blocks of a span are written, each of them checked.
    pub(super) fn note(&self, file: usize, span: Span) {
        let blocks = self.files.get(file).and_then(|(_, blocks)| blocks.get(span.block..span.block + span.blocks));
        blocks.unwrap_or_default().iter().for_each(|block| block.store(true, Ordering::Release));
    }

    /// A block that is there, checked; none if it is not.
    pub(super) async fn block(
        self: &Arc<Self>,
        file: usize,
        block: usize,
        len: usize,
        digest: Digest,
    ) -> Option<Bytes> {
        let (path, blocks) = self.files.get(file)?;
        if !blocks.get(block)?.load(Ordering::Acquire) {
            return None;
        }
        let (this, path) = (Arc::clone(self), path.clone());
        let read = move || {
            let mut bytes = vec![0; len];
            let opened = beneath::read(&this.root, &path).map_err(Error::local("read", path.as_path()))?;
            opened.read_exact_at(&mut bytes, (block * BLOCK) as u64).map_err(Error::local("read", path.as_path()))?;
            Ok(bytes)
        };
        let bytes = blocking(read).await.ok()?;
        (Digest::of(&bytes) == digest).then(|| bytes.into())
    }
}
