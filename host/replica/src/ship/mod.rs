//! From a sealed shard on this host to objects and a manifest.

mod large;
mod packed;
mod plan;
mod small;
mod uploads;
mod verify;

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use tidegate_core::{Body, Digest, Metrics, Step};
use tokio_util::sync::CancellationToken;

use self::{large::Large, plan::Object};
use crate::{
    Error, Layout, Progress, Target,
    crew::{self, Crew},
    envelope::{Envelope, MANIFEST_BYTES},
    io::{beneath, blocking, buffer::Pool, read::spans},
    layout, local,
    pack::Packed,
    target::Method,
};

/// How often objects that do not read back right are written anew.
pub(crate) const ROUNDS: usize = 3;

/// What an earlier try is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// A manifest was written last: what it names is there.
    Manifest,
    /// A copy was found damaged.
    Nothing,
}

/// A sealed shard on this host.
struct Sealed<'a> {
    body: &'a Body,
    digest: Digest,
    metrics: &'a Metrics,
    dir: &'a Path,
}

/// An earlier checkpoint of the same rank that may serve as a base: it was shipped to the target, and its files are here.
#[derive(Debug, Clone)]
pub struct Base {
    step: Step,
    dir: PathBuf,
}

/// What was shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    /// Bytes uploaded by this call; an object that had to be written again counts again.
    pub bytes: u64,
    /// Bytes that needed no upload: there from an earlier try and verified, or equal to another file of the shard. Of packs.
    pub reused: u64,
    /// Bytes that the shard takes on the target.
    pub stored: u64,
    /// The step that it needs there, if it was kept as differences.
    pub base: Option<Step>,
    /// How the bytes were verified, as the shard's manifest keeps it: `checksum:crc64nvme`, `reread:blake3` or `size`,
    /// joined by `+` when objects of an earlier try were re-read.
    pub verified: String,
}

impl Shipped {
    /// Of a shard of so many bytes that was there already.
    fn found(total: u64, there: &Envelope) -> Self {
        let stored = there.packed.as_ref().map_or(total, Packed::stored);
        let base = there.packed.as_ref().and_then(|packed| packed.base).map(|base| base.step);
        Self { bytes: 0, reused: stored, stored, base, verified: there.note.clone() }
    }
}

/// What the tasks of one shipping share.
struct Shipping {
    target: Target,
    method: Method,
    root: OwnedFd,
    pool: Arc<Pool>,
    stop: CancellationToken,
    progress: Progress,
}

impl Target {
    /// Ships the files of a shard, verifies them, and writes the shard's manifest. When this returns, the shard is
    /// durable as far as the store promises it, and every byte was verified as [`Shipped::verified`] says.
    ///
    /// `dir` holds the files that `body` names; each block is compared with its digest while it is read. Calling it
    /// again after any failure, or from two hosts at once, is safe: what is there and right is kept, and the `metrics` of
    /// the first who finished stand. Dropping the future
    /// or [`Progress::cancel`] ends it soon; uploads under way are aborted.
    ///
    /// # Errors
    /// [`Error::LocalDamage`] if a local file is not what `body` says; [`Error::Conflict`] if other bytes were shipped
    /// for this run, step and rank; else what the store or the file system says.
    pub async fn ship(
        &self,
        body: &Body,
        digest: Digest,
        metrics: &Metrics,
        dir: &Path,
        progress: &Progress,
    ) -> Result<Shipped, Error> {
        self.ship_against(None, body, digest, metrics, dir, progress).await
    }

    /// As [`Target::ship`]; in the packed layout, blocks may be kept as differences from those of an earlier checkpoint, which
    /// must not be deleted from the target as long as this one is there. Whether it can be one is looked up on the target: if it is not there, or
    /// needs as many others already as [`crate::Options::chain`] allows, nothing is made a difference of it. [`Shipped::base`] tells.
    ///
    /// # Errors
    /// As [`Target::ship`].
    pub async fn ship_against(
        &self,
        base: Option<&Base>,
        body: &Body,
        digest: Digest,
        metrics: &Metrics,
        dir: &Path,
        progress: &Progress,
    ) -> Result<Shipped, Error> {
        let sealed = Sealed { body, digest, metrics, dir };
        progress.lane().scope(self.ship_shard(sealed, base, progress, Trust::Manifest)).await
    }

    /// Ships a shard again of which a copy was found damaged: a manifest that is there proves nothing, every object is read
    /// back, and what is wrong or missing is written anew, the manifest too. Otherwise as [`Target::ship`].
    ///
    /// # Errors
    /// As [`Target::ship`].
    pub async fn mend(
        &self,
        body: &Body,
        digest: Digest,
        metrics: &Metrics,
        dir: &Path,
        progress: &Progress,
    ) -> Result<Shipped, Error> {
        let sealed = Sealed { body, digest, metrics, dir };
        progress.lane().scope(self.ship_shard(sealed, None, progress, Trust::Nothing)).await
    }

    async fn ship_shard(
        &self,
        Sealed { body, digest, metrics, dir }: Sealed<'_>,
        base: Option<&Base>,
        progress: &Progress,
        trust: Trust,
    ) -> Result<Shipped, Error> {
        let total = body.bytes();
        progress.begin(total);
        let manifest = self.0.layout.manifest(&body.run, body.step, body.rank);
        let bad = |detail: String| Error::Manifest { object: manifest.to_string(), detail };
        let payload = body.encode().map_err(|error| bad(error.to_string()))?;
        if Digest::of(&payload) != digest {
            return Err(bad(format!("the body does not have the digest {digest}")));
        }
        let token = progress.token();
        let there = token.run_until_cancelled(self.envelope(&manifest, MANIFEST_BYTES)).await;
        let there = match (there.ok_or(Error::Cancelled)?, trust) {
            // Its bytes are no manifest of anything: nothing is lost with them.
            (Err(Error::Manifest { .. }), Trust::Nothing) => {
                let gone = self.store().delete(&manifest).await;
                gone.map_err(|error| self.failed("delete", &manifest, error))?;
                None
            }
            (there, _) => there?,
        };
        match there {
            Some((there, _)) if there.digest != digest => {
                return Err(Error::Conflict { target: self.name().clone(), object: manifest.to_string() });
            }
            Some((there, _)) if trust == Trust::Manifest => {
                progress.add(total);
                self.remove_all_temporaries(body).await?;
                return Ok(Shipped::found(total, &there));
            }
            // Its packs may be others than those that will be made now.
            Some((there, _)) if self.0.options.layout == Layout::Packed || there.packed.is_some() => {
                let gone = self.store().delete(&manifest).await;
                gone.map_err(|error| self.failed("delete", &manifest, error))?;
            }
            _ => {}
        }
        match self.0.options.layout {
            Layout::Plain => {
                let shipped = self.ship_files(body, dir, progress, trust).await?;
                let envelope = Envelope::new(payload, shipped.verified.clone(), metrics.clone(), None).map_err(bad)?;
                self.create_envelope(&manifest, &envelope, MANIFEST_BYTES, token).await?;
                self.remove_all_temporaries(body).await?;
                Ok(shipped)
            }
            Layout::Packed => {
                let packed::Placed { shipped, packed, found } =
                    self.ship_packs(body, dir, base, progress, trust).await?;
                let (note, metrics) = (shipped.verified.clone(), metrics.clone());
                let envelope = Envelope::new(payload, note, metrics, Some(packed)).map_err(bad)?;
                self.create_envelope(&manifest, &envelope, MANIFEST_BYTES, token).await?;
                self.settle_packs(body, &manifest, total, shipped, envelope, found).await
            }
        }
    }

    /// What is left to do when the manifest of a packed shard is there, by whomever.
    async fn settle_packs(
        &self,
        body: &Body,
        manifest: &object_store::path::Path,
        total: u64,
        mut shipped: Shipped,
        ours: Envelope,
        found: Vec<object_store::path::Path>,
    ) -> Result<Shipped, Error> {
        let missing = || Error::Missing { target: self.name().clone(), object: manifest.to_string() };
        let (there, _) = self.envelope(manifest, MANIFEST_BYTES).await?.ok_or_else(missing)?;
        if there.packed != ours.packed {
            // Somebody else's was first: its packs count.
            shipped = Shipped { bytes: shipped.bytes, ..Shipped::found(total, &there) };
        }
        if let Some(base) = there.packed.as_ref().and_then(|packed| packed.base)
            && !self.base_stands(body, &base).await?
        {
            let gone = self.store().delete(manifest).await;
            gone.map_err(|error| self.failed("delete", manifest, error))?;
            self.release(&body.run, &[(base.step, body.step, body.rank)]).await?;
            return Err(Error::Store {
                target: self.name().clone(),
                attempted: "keep",
                object: manifest.to_string(),
                detail: format!("step {}, which it needs, is being deleted", base.step),
                retryable: true,
            });
        }
        self.sweep(body, there.packed.as_ref(), found).await?;
        self.remove_all_temporaries(body).await?;
        Ok(shipped)
    }

    /// In a directory: removes what killed uploads of a shard left.
    async fn remove_all_temporaries(&self, body: &Body) -> Result<(), Error> {
        let (run, step, rank) = (&body.run, body.step, body.rank);
        self.remove_temporaries(&self.0.layout.data(run, step, rank)).await?;
        self.remove_temporaries(&self.0.layout.packs(run, step, rank)).await
    }

    /// In a directory: removes what killed uploads left right below a prefix.
    pub(crate) async fn remove_temporaries(&self, prefix: &object_store::path::Path) -> Result<(), Error> {
        let Some(dir) = self.file_of(prefix) else { return Ok(()) };
        blocking(move || local::remove_temporaries(&dir).map_err(Error::local("clean", dir))).await
    }

    async fn ship_files(&self, body: &Body, dir: &Path, progress: &Progress, trust: Trust) -> Result<Shipped, Error> {
        let token = progress.token();
        let method = match token.run_until_cancelled(self.method()).await.ok_or(Error::Cancelled)?? {
            // What rotted has kept its size.
            Method::Size if trust == Trust::Nothing => Method::Reread,
            method => method.clone(),
        };
        let options = &self.0.options;
        let prefix = self.0.layout.data(&body.run, body.step, body.rank);
        let objects = plan::objects(body, &prefix, self);
        // Files that are equal to another one, and empty ones, need nothing.
        let distinct: u64 = objects.iter().map(|object| object.size).sum();
        progress.add(body.bytes() - distinct);
        let there = token.run_until_cancelled(self.sizes(&prefix)).await.ok_or(Error::Cancelled)??;
        let kept = |object: &Arc<Object>| there.get(&object.digest) == Some(&object.size);
        let (kept, mut missing): (Vec<_>, Vec<_>) = objects.into_iter().partition(kept);
        let largest = kept.iter().chain(&missing).map(|object| object.size.min(object.part)).max().unwrap_or(0);
        let path = dir.to_owned();
        let shipping = Arc::new(Shipping {
            target: self.clone(),
            root: blocking(move || beneath::directory(&path).map_err(Error::local("open", path))).await?,
            pool: Pool::new(usize::try_from(largest).unwrap_or(usize::MAX), options.concurrency.get()),
            stop: token.child_token(),
            progress: progress.clone(),
            method: method.clone(),
        });
        let mut verified = method.text();
        if matches!(method, Method::Checksum(_)) && !kept.is_empty() {
            verified = format!("{verified}+{}", Method::Reread.text());
        }
        let mut bytes = 0;
        let mut sent = HashMap::new();
        let mut check = kept;
        for _ in 0..ROUNDS {
            bytes += missing.iter().map(|object| object.size).sum::<u64>();
            sent.extend(missing.iter().map(|object| (object.digest, object.size)));
            let (doubtful, resumed) = upload(&shipping, &missing).await?;
            bytes -= resumed;
            let wrong = match method {
                Method::Reread => verify::reread(&shipping, check.into_iter().chain(missing)).await?,
                Method::Checksum(_) => verify::reread(&shipping, check.into_iter().chain(doubtful)).await?,
                Method::Size => verify::sizes(&shipping, &prefix, check.into_iter().chain(missing)).await?,
            };
            if wrong.is_empty() {
                let (reused, stored) = (body.bytes() - sent.values().sum::<u64>(), distinct);
                return Ok(Shipped { bytes, reused, stored, base: None, verified });
            }
            (missing, check) = (wrong, Vec::new());
        }
        let object = missing.first().map(|object| object.name.to_string()).unwrap_or_default();
        let detail = format!("{} objects were wrong in the end", missing.len());
        Err(Error::NotVerified { target: self.name().clone(), object, detail })
    }

    /// The data objects of a shard that are there, with their sizes.
    pub(crate) async fn sizes(&self, prefix: &object_store::path::Path) -> Result<HashMap<Digest, u64>, Error> {
        let listed = self.store().list(Some(prefix)).try_filter_map(async |meta| {
            let digest = meta.location.filename().and_then(layout::digest_of);
            Ok(digest.map(|digest| (digest, meta.size)))
        });
        listed.try_collect().await.map_err(|error| self.failed("list", prefix, error))
    }
}

/// Uploads objects; returns those whose upload may or may not have come to its end, and the bytes of parts that were there.
async fn upload(shipping: &Arc<Shipping>, objects: &[Arc<Object>]) -> Result<(Vec<Arc<Object>>, u64), Error> {
    let mut crew = Crew::new(Arc::clone(&shipping.target.0.permits), &shipping.stop);
    let mut uploads = Vec::new();
    'all: for object in objects {
        if object.size <= object.part {
            if !crew
                .start(crew::share(object.size, object.part), small::upload(Arc::clone(shipping), Arc::clone(object)))
                .await
            {
                break;
            }
            continue;
        }
        let upload = Arc::new(Large::new(Arc::clone(shipping), Arc::clone(object)));
        uploads.push(Arc::clone(&upload));
        for (nth, span) in spans(object.size, object.part).enumerate() {
            let share = crew::share(span.len as u64, object.part);
            if !crew.start(share, Arc::clone(&upload).part(nth, span)).await {
                break 'all;
            }
        }
    }
    let ended = crew.finish().await;
    if let Err(failure) = &ended {
        for upload in &uploads {
            upload.give_up(failure).await;
        }
    }
    ended?;
    let resumed = uploads.iter().map(|upload| upload.resumed()).sum();
    let doubtful = uploads.iter().filter(|upload| upload.doubtful());
    Ok((doubtful.map(|upload| Arc::clone(&upload.object)).collect(), resumed))
}
