//! A shard that lies in packs: its blocks are decoded, with what they are differences from.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, future::BoxFuture};
use tidegate_codec::{Decoder, Given};
use tidegate_core::{Body, Digest, FileEntry, RelPath, Step};

use super::{landed::Landed, origin::Origin};
use crate::{
    Error, Target,
    io::{
        beneath, blocking,
        buffer::{Buffer, Pool},
        read::{BLOCK, Span},
    },
    pack::{Kind, Packed, Packs},
    target::Read,
};

/// How deep references within one shard lead: weights need second moments, and these first moments.
const DEEP: u32 = 3;

/// An opened shard in packs.
pub(super) struct PackedOrigin {
    body: Body,
    packs: Packs,
    base: Option<Below>,
    landed: Option<Arc<Landed>>,
    decoders: Arc<Decoders>,
}

/// The base of a shard, and where its bytes come from.
struct Below {
    body: Body,
    origins: Vec<Origin>,
    pool: Arc<Pool>,
}

/// Decoders with their memory, for who decodes next.
#[derive(Default)]
struct Decoders(Mutex<Vec<Decoder>>);

/// A frame with all that it needs.
struct Gathered {
    frame: Bytes,
    given: Vec<(Kind, Range<u32>, Bytes)>,
}

/// Bytes, or what was seen instead.
type Got<T> = Result<Result<T, String>, Error>;

impl PackedOrigin {
    /// Opens the packs of a shard, and those of the shards that it needs; `local` are the directories of steps whose files
    /// of this rank are here.
    pub(super) fn open<'a>(
        target: &'a Target,
        body: Body,
        packed: &'a Packed,
        local: &'a BTreeMap<Step, PathBuf>,
        landed: Option<Arc<Landed>>,
    ) -> BoxFuture<'a, Result<Self, Error>> {
        async move {
            let prefix = target.0.layout.packs(&body.run, body.step, body.rank);
            let packs = Packs::open(target, &prefix, packed).await?;
            let base = match packed.base {
                Some(base) => match target.shard(&body.run, base.step, body.rank).await {
                    Ok(below) if below.digest == base.body => {
                        let mut origins = Vec::new();
                        if let Some(dir) = local.get(&base.step).cloned()
                            && let Ok(root) = blocking(move || Ok(beneath::directory(&dir))).await?
                        {
                            origins.push(Origin::Dir(Arc::new(root)));
                        }
                        origins.push(Origin::of_shard(target, below.body.clone(), below.packed, local));
                        Some(Below { body: below.body, origins, pool: Pool::new(BLOCK, 16) })
                    }
                    Ok(_) | Err(Error::Missing { .. } | Error::Manifest { .. }) => {
                        tracing::warn!(%target, step = %base.step, "the base of a shard is not there");
                        None
                    }
                    Err(error) => return Err(error),
                },
                None => None,
            };
            Ok(Self { body, packs, base, landed, decoders: Arc::default() })
        }
        .boxed()
    }

    /// Whether a span is decoded with the help of other bytes of the shard.
    pub(super) fn is_helped(&self, file: &FileEntry, span: Span) -> bool {
        span.of(&file.blocks).iter().any(|block| self.packs.is_helped(block))
    }

    /// Fills a buffer with a span of a file. The bytes are not checked yet.
    pub(super) async fn read(
        &self,
        file: &FileEntry,
        span: Span,
        mut into: Buffer,
        fresh: bool,
    ) -> Result<Read, Error> {
        let mut gathered = Vec::with_capacity(span.blocks);
        let mut absent = None;
        for digest in span.of(&file.blocks) {
            match self.gather(digest, fresh, DEEP).await? {
                Ok(one) => gathered.push(Some(one)),
                Err(detail) => {
                    absent.get_or_insert(detail);
                    gathered.push(None);
                }
            }
        }
        let decoders = Arc::clone(&self.decoders);
        blocking(move || {
            let mut decoder = decoders.take()?;
            let mut right = 0;
            for (one, block) in gathered.iter().zip(into.room().chunks_mut(BLOCK)) {
                match one.as_ref().map(|one| one.decode(&mut decoder, block)) {
                    Some(Ok(())) => right += 1,
                    Some(Err(detail)) => {
                        absent.get_or_insert(detail);
                        block.fill(0);
                    }
                    // Not what it should be, whatever the buffer held before.
                    None => block.fill(0),
                }
            }
            decoders.put(decoder);
            // Blocks that are wrong have not their digests.
            Ok(match absent {
                Some(detail) if right == 0 => Read::Absent(detail),
                _ => Read::Bytes(into),
            })
        })
        .await
    }

    /// The frame of a block and all that it needs, decoded.
    async fn gather(&self, digest: &Digest, fresh: bool, deep: u32) -> Got<Gathered> {
        let place = match self.packs.frame(digest, fresh).await? {
            Ok(place) => place,
            Err(detail) => return Ok(Err(detail)),
        };
        let mut given = Vec::new();
        for (kind, of, path, range) in place.references() {
            let bytes = match (kind.of_base(), &self.base) {
                (true, Some(base)) => base.range(path, &range).await?,
                (true, None) => Err("the checkpoint that it was made from is not there".into()),
                (false, _) => self.range(path, &range, fresh, deep).await?,
            };
            match bytes {
                Ok(bytes) => given.push((kind, of, bytes)),
                Err(detail) => return Ok(Err(detail)),
            }
        }
        Ok(Ok(Gathered { frame: place.frame, given }))
    }

    /// Bytes of a file of this very shard, checked.
    fn range<'a>(
        &'a self,
        path: &'a RelPath,
        range: &'a Range<u64>,
        fresh: bool,
        deep: u32,
    ) -> BoxFuture<'a, Got<Bytes>> {
        async move {
            let Some(deep) = deep.checked_sub(1) else { return Ok(Err("its references never end".into())) };
            let mut all = Pieces::of(&self.body, path, range);
            while let Some((digest, len)) = all.next() {
                if let Some(landed) = &self.landed
                    && let Some(block) = landed.block(all.file, all.block - 1, len, digest).await
                {
                    all.push(block);
                    continue;
                }
                let gathered = match self.gather(&digest, fresh, deep).await? {
                    Ok(gathered) => gathered,
                    Err(detail) => return Ok(Err(detail)),
                };
                let decoders = Arc::clone(&self.decoders);
                let decoded = blocking(move || {
                    let (mut decoder, mut block) = (decoders.take()?, vec![0; len]);
                    let decoded = gathered.decode(&mut decoder, &mut block);
                    decoders.put(decoder);
                    Ok(decoded.and_then(|()| checked(block.into(), &digest)))
                });
                match decoded.await? {
                    Ok(block) => all.push(block),
                    Err(detail) => return Ok(Err(detail)),
                }
            }
            Ok(all.end())
        }
        .boxed()
    }
}

impl Below {
    /// Bytes of a file of the base, checked.
    fn range<'a>(&'a self, path: &'a RelPath, range: &'a Range<u64>) -> BoxFuture<'a, Got<Bytes>> {
        async move {
            let mut all = Pieces::of(&self.body, path, range);
            while let Some((digest, len)) = all.next() {
                let Some(entry) = all.entry else { break };
                match self.block(entry, all.block - 1, &digest, len).await? {
                    Ok(block) => all.push(block),
                    Err(detail) => return Ok(Err(detail)),
                }
            }
            Ok(all.end())
        }
        .boxed()
    }

    /// One block from the nearest source that has it right.
    async fn block(&self, entry: &FileEntry, block: usize, digest: &Digest, len: usize) -> Got<Bytes> {
        let span = Span { block, blocks: 1, offset: block as u64 * BLOCK as u64, len };
        let (mut detail, mut unasked) = (String::from("the base has no source"), None);
        for origin in &self.origins {
            for fresh in [false, true] {
                match origin.read(entry, span, self.pool.take(len), fresh).await {
                    Ok(Read::Bytes(buffer)) => {
                        let digest = *digest;
                        match blocking(move || Ok(checked(Bytes::from_owner(buffer), &digest))).await? {
                            Ok(block) => return Ok(Ok(block)),
                            Err(wrong) => detail = wrong,
                        }
                    }
                    Ok(Read::Absent(absent)) => detail = absent,
                    Err(error @ (Error::Cancelled | Error::Worker(_))) => return Err(error),
                    Err(error) => unasked = Some(error),
                }
            }
        }
        match unasked {
            Some(error) => Err(error),
            None => {
                Ok(Err(format!("block {block} of {} at step {}, which it needs: {detail}", entry.path, self.body.step)))
            }
        }
    }
}

/// The blocks that hold a range of a file, one after the other, and what was cut from them.
struct Pieces<'a> {
    /// The file, as a place in the body.
    file: usize,
    entry: Option<&'a FileEntry>,
    range: &'a Range<u64>,
    /// The next.
    block: usize,
    cut: Vec<Bytes>,
}

impl<'a> Pieces<'a> {
    fn of(body: &'a Body, path: &RelPath, range: &'a Range<u64>) -> Self {
        let nth = body.files.binary_search_by(|entry| entry.path.cmp(path)).ok();
        let entry = nth.and_then(|nth| body.files.get(nth));
        let entry = entry.filter(|entry| range.start < range.end && range.end <= entry.size);
        let block = usize::try_from(range.start).unwrap_or(usize::MAX) / BLOCK;
        Self { file: nth.unwrap_or(usize::MAX), entry, range, block, cut: Vec::new() }
    }

    /// The digest of the next block and its bytes.
    fn next(&mut self) -> Option<(Digest, usize)> {
        let entry = self.entry?;
        let start = self.block as u64 * BLOCK as u64;
        if start >= self.range.end {
            return None;
        }
        let digest = entry.blocks.get(self.block)?;
        self.block += 1;
        Some((*digest, usize::try_from((entry.size - start).min(BLOCK as u64)).ok()?))
    }

    /// Takes what is wanted of the block that was named last.
    fn push(&mut self, block: Bytes) {
        let start = (self.block - 1) as u64 * BLOCK as u64;
        let within = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX).min(block.len());
        self.cut.push(block.slice(within(self.range.start)..within(self.range.end)));
    }

    fn end(mut self) -> Result<Bytes, String> {
        let wanted = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let got: usize = self.cut.iter().map(Bytes::len).sum();
        match self.cut.len() {
            _ if got != wanted => Err("it needs bytes that no file has".into()),
            1 => Ok(self.cut.remove(0)),
            _ => {
                let mut all = BytesMut::with_capacity(got);
                self.cut.iter().for_each(|piece| all.extend_from_slice(piece));
                Ok(all.freeze())
            }
        }
    }
}

fn checked(block: Bytes, digest: &Digest) -> Result<Bytes, String> {
    match Digest::of(&block) == *digest {
        true => Ok(block),
        false => Err("bytes that it needs do not have their digest".into()),
    }
}

impl Gathered {
    fn decode(&self, decoder: &mut Decoder, block: &mut [u8]) -> Result<(), String> {
        let given = |part: &tidegate_codec::Part<'_>| {
            let of = |kind: Kind| {
                let holds =
                    |of: &Range<u32>| of.start as usize <= part.range.start && part.range.end <= of.end as usize;
                let (_, of, bytes) = self.given.iter().find(|(other, of, _)| *other == kind && holds(of))?;
                let times = if kind == Kind::Wide { 2 } else { 1 };
                let into = (part.range.start - of.start as usize) * times;
                bytes.get(into..into + part.range.len() * times)
            };
            Given {
                base: of(Kind::Base),
                wide: of(Kind::Wide),
                first: of(Kind::First),
                first_before: of(Kind::FirstBefore),
                second: of(Kind::Second),
            }
        };
        decoder.block(&self.frame, block, given).map_err(|error| error.to_string())
    }
}

impl Decoders {
    fn take(&self) -> Result<Decoder, Error> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(Decoder::new, Ok).map_err(|error| Error::Worker(error.to_string()))
    }

    fn put(&self, decoder: Decoder) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(decoder);
    }
}
