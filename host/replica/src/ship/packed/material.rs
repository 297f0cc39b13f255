//! What a shard is encoded from: its own files, and those of its base.

use std::{
    collections::HashMap,
    io,
    ops::Range,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use tidegate_core::{Body, Digest, FileEntry};

use crate::{
    Error,
    io::{
        beneath,
        buffer::Pool,
        read::{self, BLOCK},
    },
    pack::{Likeness, Shape},
};

/// Blocks that a reader keeps: those of a base lie shifted where a header has grown.
const KEPT: usize = 4;

/// The base, before it is opened.
pub(super) struct From {
    pub(super) dir: PathBuf,
    pub(super) body: Body,
}

/// Shared by the encoders of one shard.
pub(super) struct Material {
    pub(super) own: Files,
    pub(super) base: Option<Files>,
    pub(super) shape: Shape,
    pub(super) likeness: Likeness,
    /// The blocks of the base: a file and where they begin in it.
    pub(super) known: HashMap<Digest, (usize, u64)>,
}

/// The files of a shard on this host.
pub(super) struct Files {
    root: OwnedFd,
    pub(super) body: Body,
    pool: Arc<Pool>,
}

impl Material {
    /// Opens the directories and reads the headers of the files. A base that can't be opened is none. It blocks.
    pub(super) fn open(dir: &Path, body: Body, base: Option<From>) -> Result<Self, Error> {
        let own = Files::open(dir, body).map_err(Error::local("open", dir))?;
        let base = base.and_then(|base| Files::open(&base.dir, base.body).ok());
        let shape = Shape::read(&own.root, &own.body);
        let base_shape = base.as_ref().map(|base| (&base.body, Shape::read(&base.root, &base.body)));
        let like = base_shape.as_ref().map(|(body, shape)| (*body, shape));
        let likeness = Likeness::find(&own.root, &own.body, &shape, like);
        let files = base.iter().flat_map(|base| base.body.files.iter().enumerate());
        let blocks = |(file, entry): (usize, &FileEntry)| {
            let starts = (0..).step_by(BLOCK);
            let places: Vec<_> = entry.blocks.iter().copied().zip(starts.map(|start| (file, start))).collect();
            places
        };
        let known = files.flat_map(blocks).collect();
        Ok(Self { own, base, shape, likeness, known })
    }
}

impl Files {
    fn open(dir: &Path, body: Body) -> io::Result<Self> {
        Ok(Self { root: beneath::directory(dir)?, body, pool: Pool::new(BLOCK, 4 * KEPT) })
    }

    pub(super) fn entry(&self, file: usize) -> Option<&FileEntry> {
        self.body.files.get(file)
    }

    /// One block, checked.
    pub(super) fn block(&self, file: usize, block: usize) -> Result<Bytes, Error> {
        let Some(entry) = self.entry(file) else { return Err(Error::Worker("no such file".into())) };
        let damage = |detail: String| Error::LocalDamage { file: entry.path.to_string(), block: block as u64, detail };
        let unreadable = |error: io::Error| match tidegate_core::damage::is_damage(&error) {
            true => damage(format!("it can't be read: {error}")),
            false => Error::local("read", entry.path.as_path())(error),
        };
        let opened = beneath::read(&self.root, &entry.path).map_err(unreadable)?;
        let size = opened.metadata().map_err(Error::local("look at", entry.path.as_path()))?.len();
        if size != entry.size {
            return Err(damage(format!("it has {size} bytes instead of {}", entry.size)));
        }
        let offset = block as u64 * BLOCK as u64;
        let len = usize::try_from(entry.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(BLOCK);
        let mut buffer = self.pool.take(len);
        let expected = entry.blocks.get(block..=block).unwrap_or_default();
        match read::checked(&opened, offset, buffer.room(), expected).map_err(unreadable)?.is_empty() {
            true => Ok(Bytes::from_owner(buffer)),
            false => Err(damage("its bytes do not have their digest".into())),
        }
    }
}

/// Reads ranges of files and keeps the last blocks.
#[derive(Default)]
pub(super) struct Reader {
    kept: Vec<((usize, usize), Bytes)>,
}

impl Reader {
    /// Bytes of a file, checked; none if they can't be had.
    pub(super) fn range(&mut self, files: &Files, file: usize, range: &Range<u64>) -> Option<Bytes> {
        let size = files.entry(file)?.size;
        if range.start >= range.end || range.end > size {
            return None;
        }
        let place = |at: u64| usize::try_from(at).ok();
        let (first, last) = (place(range.start)? / BLOCK, place(range.end - 1)? / BLOCK);
        let within = |block: usize, at: u64| at.saturating_sub((block * BLOCK) as u64).min(BLOCK as u64) as usize;
        if first == last {
            let block = self.block(files, file, first)?;
            return Some(block.slice(within(first, range.start)..within(first, range.end)));
        }
        let mut all = BytesMut::with_capacity(place(range.end - range.start)?);
        for number in first..=last {
            let block = self.block(files, file, number)?;
            all.extend_from_slice(block.get(within(number, range.start)..within(number, range.end))?);
        }
        Some(all.freeze())
    }

    fn block(&mut self, files: &Files, file: usize, block: usize) -> Option<Bytes> {
        if let Some((_, kept)) = self.kept.iter().find(|(place, _)| *place == (file, block)) {
            return Some(kept.clone());
        }
        let read =
            files.block(file, block).inspect_err(|error| tracing::debug!(%error, "no help for a difference")).ok()?;
        if self.kept.len() >= KEPT {
            self.kept.remove(0);
        }
        self.kept.push(((file, block), read.clone()));
        Some(read)
    }
}
