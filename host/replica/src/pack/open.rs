//! Reading frames out of packs.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use tidegate_core::{Digest, RelPath};
use tokio::sync::OnceCell;

use super::{Entry, Index, Kind, Packed, Unit};
use crate::{
    Error, Target,
    io::{buffer::Pool, read::Span},
    target::Read,
};

/// Frames are read together until they are so many bytes: small files cost no request each.
const WINDOW: u64 = 8 << 20;
/// Windows that are kept for who reads the next block.
const KEPT: usize = 12;
/// Indices that are read at a time.
const AT_ONCE: usize = 8;

/// The packs of one shard.
pub(crate) struct Packs {
    target: Target,
    prefix: Path,
    packs: Vec<Opened>,
    places: HashMap<Digest, (usize, usize)>,
    pool: Arc<Pool>,
    kept: Mutex<Vec<Kept>>,
}

/// A window that is there or on its way, with its place: a pack and where it begins.
type Kept = ((usize, u64), Arc<OnceCell<Result<Bytes, String>>>);

struct Opened {
    entry: Entry,
    files: Vec<RelPath>,
    /// In the order of their frames.
    units: Vec<Unit>,
    /// Frames that are read together, in order.
    windows: Vec<Range<u64>>,
}

/// A frame, and what it can't be decoded without.
pub(crate) struct Place<'a> {
    pub(crate) frame: Bytes,
    references: &'a [super::Reference],
    files: &'a [RelPath],
}

impl<'a> Place<'a> {
    /// Each: the kind, the bytes of the block, the file, the bytes of it.
    pub(crate) fn references(&self) -> impl Iterator<Item = (Kind, Range<u32>, &'a RelPath, Range<u64>)> + use<'a> {
        let files = self.files;
        let named =
            move |it: &'a super::Reference| Some((it.kind, it.of.clone(), files.get(it.file as usize)?, it.range()));
        self.references.iter().filter_map(named)
    }
}

impl Packs {
    /// Reads the indices of a shard's packs. A pack whose index can't be right has no blocks.
    ///
    /// # Errors
    /// A store that can't be asked now.
    pub(crate) async fn open(target: &Target, prefix: &Path, packed: &Packed) -> Result<Self, Error> {
        let read = |entry: Entry| async move {
            let object = prefix.clone().join(entry.digest.to_string());
            let pool = Pool::new(usize::try_from(entry.index).unwrap_or(usize::MAX), 0);
            let len = usize::try_from(entry.index).unwrap_or(usize::MAX);
            let span = Span::bytes(entry.size - entry.index, len);
            let mut tries = 0;
            let index = loop {
                tries += 1;
                let index = match target.read(&object, entry.size, span, pool.take(len)).await? {
                    Read::Absent(detail) => Err(detail),
                    Read::Bytes(end) => Index::read(end.as_ref(), entry.size),
                };
                match index {
                    Err(detail) if tries < 3 => tracing::debug!(%object, detail, "an index is asked for again"),
                    index => break index,
                }
            };
            let (files, mut units) = match index {
                Ok(index) => index.into_parts(),
                Err(detail) => {
                    tracing::warn!(%object, detail, "a pack can't be read");
                    Default::default()
                }
            };
            units.sort_by_key(|unit| unit.frame.start);
            let windows = windows(&units);
            Ok(Opened { entry, files, units, windows })
        };
        let packs: Result<Vec<Opened>, Error> =
            stream::iter(packed.packs.clone()).map(read).buffered(AT_ONCE).try_collect().await;
        let packs = packs?;
        let mut places = HashMap::new();
        for (pack, opened) in packs.iter().enumerate() {
            places.extend(opened.units.iter().enumerate().map(|(unit, it)| (it.digest, (pack, unit))));
        }
        let largest = packs.iter().flat_map(|pack| &pack.windows).map(|it| it.end - it.start).max().unwrap_or(0);
        let pool = Pool::new(usize::try_from(largest).unwrap_or(usize::MAX), KEPT);
        Ok(Self { target: target.clone(), prefix: prefix.clone(), packs, places, pool, kept: Mutex::default() })
    }

    /// The frame of a block. `fresh`: it was read before and was not right.
    ///
    /// # Errors
    /// A store that can't be asked now; that it does not have the bytes is told in the inner result.
    pub(crate) async fn frame(&self, block: &Digest, fresh: bool) -> Result<Result<Place<'_>, String>, Error> {
        let place = self.places.get(block).and_then(|(pack, unit)| {
            let opened = self.packs.get(*pack)?;
            let unit = opened.units.get(*unit)?;
            let nth = opened.windows.partition_point(|window| window.end <= unit.frame.start);
            Some((*pack, opened, unit, opened.windows.get(nth)?))
        });
        let Some((pack, opened, unit, window)) = place else { return Ok(Err("no pack has it".into())) };
        let cell = self.keep((pack, window.start), fresh);
        let read = cell.get_or_try_init(|| self.read(&opened.entry, window)).await?;
        let cut = |bytes: &Bytes| {
            let at = |place: u64| usize::try_from(place - window.start).ok();
            let range = at(unit.frame.start)?..at(unit.frame.end)?;
            (range.end <= bytes.len()).then(|| bytes.slice(range))
        };
        Ok(match read {
            Err(detail) => Err(detail.clone()),
            Ok(bytes) => match cut(bytes) {
                None => Err("its frame lies outside its window".into()),
                Some(frame) => Ok(Place { frame, references: &unit.references, files: &opened.files }),
            },
        })
    }

    /// Whether a block is decoded with the help of other bytes of the same shard.
    pub(crate) fn is_helped(&self, block: &Digest) -> bool {
        let unit = self.places.get(block).and_then(|(pack, unit)| self.packs.get(*pack)?.units.get(*unit));
        unit.is_some_and(|unit| unit.references.iter().any(|reference| !reference.kind.of_base()))
    }

    fn keep(&self, place: (usize, u64), fresh: bool) -> Arc<OnceCell<Result<Bytes, String>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(other, _)| *other == place);
        let known = found.map(|nth| kept.remove(nth).1);
        // Who asked for it while it is on its way asks for the same; only what is there and was wrong is read anew.
        let cell = known.filter(|cell| !fresh || !cell.initialized()).unwrap_or_default();
        kept.push((place, Arc::clone(&cell)));
        if kept.len() > KEPT {
            kept.remove(0);
        }
        cell
    }

    async fn read(&self, entry: &Entry, window: &Range<u64>) -> Result<Result<Bytes, String>, Error> {
        let object = self.prefix.clone().join(entry.digest.to_string());
        let len = usize::try_from(window.end - window.start).unwrap_or(usize::MAX);
        let span = Span::bytes(window.start, len);
        Ok(match self.target.read(&object, entry.size, span, self.pool.take(len)).await? {
            Read::Absent(detail) => Err(detail),
            Read::Bytes(buffer) => Ok(Bytes::from_owner(buffer)),
        })
    }
}

/// Neighbouring frames together.
fn windows(units: &[Unit]) -> Vec<Range<u64>> {
    let mut windows: Vec<Range<u64>> = Vec::new();
    for unit in units {
        match windows.last_mut() {
            // Frames that overlap come from nobody honest; one that is cut by its window is not decoded.
            Some(last) if unit.frame.end - last.start <= WINDOW => {
                last.end = last.end.max(unit.frame.end);
            }
            _ => windows.push(unit.frame.clone()),
        }
    }
    windows
}
