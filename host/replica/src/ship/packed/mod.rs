//! Shipping a shard as packs of encoded blocks.

mod encode;
mod material;
mod place;

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_core::{Body, Digest, Step};

use self::{encode::Worker, material::Material};
use super::{Base, Shipped, Trust};
use crate::{
    Error, Progress, Target,
    envelope::MANIFEST_BYTES,
    io::blocking,
    pack::{Based, Entry, Made, PACK_BYTES, Packed, Packer},
    retry,
    target::Method,
};

/// Raw bytes of blocks that are encoded in one go.
const BATCH: u64 = tidegate_core::limits::BLOCK_BYTES;
/// Packs on their way at a time.
const PACKS_AT_ONCE: usize = 2;

/// What came of shipping: what it took, and what the manifest will say.
pub(super) struct Placed {
    pub(super) shipped: Shipped,
    pub(super) packed: Packed,
    /// Objects below the rank that an earlier try left.
    pub(super) found: Vec<object_store::path::Path>,
}

impl Target {
    /// Encodes the blocks of a shard, gathers them into packs, ships these and verifies each. Memory is bounded by the encoders (some
    /// 50 MiB each) and the packs on their way (three times their size, 64 MiB).
    pub(super) async fn ship_packs(
        &self,
        body: &Body,
        dir: &Path,
        base: Option<&Base>,
        progress: &Progress,
        trust: Trust,
    ) -> Result<Placed, Error> {
        let token = progress.token();
        let method = match token.run_until_cancelled(self.method()).await.ok_or(Error::Cancelled)?? {
            Method::Size if trust == Trust::Nothing => Method::Reread,
            method => method.clone(),
        };
        let base = match base {
            Some(base) => token.run_until_cancelled(self.based(body, base)).await.ok_or(Error::Cancelled)??,
            None => None,
        };
        let (based, base) = base.unzip();
        if let Some(based) = &based {
            let refer = || self.refer(&body.run, based.step, body.step, body.rank);
            retry::again(token, refer).await?;
        }
        let (path, all) = (dir.to_owned(), body.clone());
        let material = Arc::new(blocking(move || Material::open(&path, all, base)).await?);
        let found = token.run_until_cancelled(self.below_rank(body)).await.ok_or(Error::Cancelled)??;
        let there: HashSet<Digest> =
            found.iter().filter_map(|path| crate::layout::digest_of(path.filename()?)).collect();
        let placing = place::Placing {
            target: self.clone(),
            prefix: self.0.layout.packs(&body.run, body.step, body.rank),
            method: method.clone(),
            there,
            stop: token.child_token(),
            progress: progress.clone(),
        };
        let units = units(body);
        // Equal blocks are kept once, and empty files need nothing.
        progress.add(body.bytes() - units.iter().map(|unit| unit.bytes).sum::<u64>());
        let workers: Arc<Mutex<Vec<Worker>>> = Arc::default();
        let batches = stream::iter(batches(units)).map(|batch| {
            let (material, workers) = (Arc::clone(&material), Arc::clone(&workers));
            let stop = placing.stop.clone();
            async move {
                let encode = move || {
                    let idle = workers.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let mut worker = idle.map_or_else(Worker::new, Ok)?;
                    let made: Result<Vec<Made>, Error> =
                        batch
                            .iter()
                            .map(|unit| {
                                if stop.is_cancelled() { Err(Error::Cancelled) } else { worker.encode(&material, unit) }
                            })
                            .collect();
                    workers.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
                    made
                };
                blocking(encode).await
            }
        });
        let encoded = batches.buffered(self.0.options.encoders.get());
        let (mut packer, mut needs) = (Packer::new(PACK_BYTES), false);
        let bad = |detail: String| Error::Worker(format!("a pack could not be made: {detail}"));
        // One pack is filled while others are on their way.
        let packs = encoded
            .map(|made| {
                let closed = made.and_then(|made| {
                    needs |= made.iter().flat_map(|made| &made.references).any(|(kind, ..)| kind.of_base());
                    let closed = made.into_iter().map(|made| packer.add(made).map_err(bad));
                    closed.filter_map(Result::transpose).collect::<Result<Vec<_>, Error>>()
                });
                stream::iter(match closed {
                    Ok(packs) => packs.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                })
            })
            .flatten();
        let sent = packs.map_ok(|pack| placing.place(pack)).try_buffered(PACKS_AT_ONCE);
        let mut placed: Vec<(Entry, u64)> = sent.try_collect().await?;
        if let Some(last) = packer.end().map_err(bad)? {
            placed.push(placing.place(last).await?);
        }
        // A base that nothing was made a difference of may go when it likes.
        let unneeded = based.filter(|_| !needs).map(|based| (based.step, body.step, body.rank));
        self.release(&body.run, unneeded.as_slice()).await?;
        let based = based.filter(|_| needs);
        let bytes = placed.iter().map(|(_, sent)| sent).sum();
        let packed = Packed { packs: placed.into_iter().map(|(entry, _)| entry).collect(), base: based };
        let stored = packed.stored();
        let mut verified = method.text();
        if matches!(method, Method::Checksum(_)) && bytes < stored {
            verified = format!("{verified}+{}", Method::Reread.text());
        }
        let base = based.map(|based| based.step);
        let shipped = Shipped { bytes, reused: stored.saturating_sub(bytes), stored, base, verified };
        Ok(Placed { shipped, packed, found })
    }

    /// What the target says of the base that was proposed; none if it can't be one.
    async fn based(&self, body: &Body, base: &Base) -> Result<Option<(Based, material::From)>, Error> {
        // Only what is complete is deleted with care, and what is about to be deleted is no base.
        if base.step >= body.step
            || self.marked(&body.run, base.step).await.is_ok_and(|found| found.is_none())
            || self.condemned(&body.run, base.step).await?
        {
            return Ok(None);
        }
        let shard = match self.shard(&body.run, base.step, body.rank).await {
            Ok(shard) => shard,
            Err(Error::Missing { .. } | Error::Manifest { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let chain = shard.packed.as_ref().and_then(|packed| packed.base).map_or(0, |below| below.chain) + 1;
        if chain > self.0.options.chain {
            return Ok(None);
        }
        let based = Based { step: base.step, body: shard.digest, chain };
        Ok(Some((based, material::From { dir: base.dir.clone(), body: shard.body })))
    }

    /// After the manifest of a shard with a base was written: whether the base is there and stays.
    pub(super) async fn base_stands(&self, body: &Body, base: &Based) -> Result<bool, Error> {
        if self.condemned(&body.run, base.step).await? {
            return Ok(false);
        }
        let object = self.0.layout.manifest(&body.run, base.step, body.rank);
        Ok(self.envelope(&object, MANIFEST_BYTES).await?.is_some_and(|(there, _)| there.digest == base.body))
    }

    /// What lies below a rank of a checkpoint.
    async fn below_rank(&self, body: &Body) -> Result<Vec<object_store::path::Path>, Error> {
        let prefix = self.0.layout.rank(&body.run, body.step, body.rank);
        let listed: Result<Vec<_>, _> =
            self.store().list(Some(&prefix)).map_ok(|meta| meta.location).try_collect().await;
        listed.map_err(|error| self.failed("list", &prefix, error))
    }

    /// Deletes what earlier tries left below the rank and the manifest does not name.
    pub(super) async fn sweep(
        &self,
        body: &Body,
        packed: Option<&Packed>,
        found: Vec<object_store::path::Path>,
    ) -> Result<(), Error> {
        let packs = self.0.layout.packs(&body.run, body.step, body.rank);
        let named: HashSet<Digest> =
            packed.into_iter().flat_map(|packed| &packed.packs).map(|pack| pack.digest).collect();
        let stays = |path: &object_store::path::Path| {
            let digest = path.filename().and_then(crate::layout::digest_of);
            path.prefix_matches(&packs) && digest.is_some_and(|digest| named.contains(&digest))
        };
        let away: Vec<_> = found.into_iter().filter(|path| !stays(path)).map(|path| Ok((path, 0))).collect();
        self.remove_all(stream::iter(away).boxed()).await.map(drop)
    }
}

/// A block to be encoded: a file of the body and a block of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) file: usize,
    pub(super) block: usize,
    pub(super) bytes: u64,
}

/// Each distinct block once, in the order of the files.
fn units(body: &Body) -> Vec<Work> {
    let mut seen = HashSet::new();
    let blocks = body.files.iter().enumerate().flat_map(|(file, entry)| {
        let bytes = move |block: usize| {
            let start = block as u64 * tidegate_core::limits::BLOCK_BYTES;
            tidegate_core::limits::BLOCK_BYTES.min(entry.size.saturating_sub(start))
        };
        entry.blocks.iter().enumerate().map(move |(block, digest)| (*digest, Work { file, block, bytes: bytes(block) }))
    });
    blocks.filter(|(digest, _)| seen.insert(*digest)).map(|(_, work)| work).collect()
}

/// Small blocks together: handing work over costs more than encoding them.
fn batches(units: Vec<Work>) -> Vec<Vec<Work>> {
    let mut batches: Vec<Vec<Work>> = Vec::new();
    let mut bytes = BATCH;
    for unit in units {
        match batches.last_mut() {
            Some(batch) if bytes + unit.bytes <= BATCH => batch.push(unit),
            _ => {
                batches.push(vec![unit]);
                bytes = 0;
            }
        }
        bytes += unit.bytes;
    }
    batches
}

impl Base {
    /// The checkpoint of this step; `dir` holds the files of the same rank.
    pub fn new(step: Step, dir: impl std::convert::Into<std::path::PathBuf>) -> Self {
        Self { step, dir: dir.into() }
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
