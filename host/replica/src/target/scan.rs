//! What is there.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, path::Path};
use tidegate_core::{Body, Digest, FileEntry, Metrics, Rank, RunName, Step, Timestamp};

use super::{Found, Target};
use crate::{
    Error,
    envelope::{Envelope, MANIFEST_BYTES},
    layout,
    marker::{MARKER_BYTES, Marker},
    pack::{CHAIN_MOST, Packed},
};

/// Markers read at a time.
const AT_ONCE: usize = 16;

/// What the manifest of a shard says.
pub(crate) struct ShippedShard {
    pub(crate) body: Body,
    pub(crate) digest: Digest,
    /// What was shipped with it.
    pub(crate) metrics: Metrics,
    pub(crate) packed: Option<Packed>,
}

impl ShippedShard {
    /// The objects that it consists of, with their sizes.
    fn objects(&self, data: &Path, packs: &Path) -> Vec<(Path, u64)> {
        match &self.packed {
            Some(packed) => {
                packed.packs.iter().map(|pack| (packs.clone().join(pack.digest.to_string()), pack.size)).collect()
            }
            None => {
                let files = self.body.files.iter().filter(|file| file.size > 0);
                files.map(|file: &FileEntry| (data.clone().join(file.digest.to_string()), file.size)).collect()
            }
        }
    }
}

impl Target {
    /// The complete checkpoints of one run or of all, in the order of run and step. What is not complete on this target
    /// is not named. A marker that can't be read is left out, with a warning: one rotten object must not hide the rest. So
    /// is a checkpoint whose objects are not all there with their sizes, such as one that somebody copied half.
    ///
    /// # Errors
    /// What the store says. An unreachable store is an error, never an empty list.
    pub async fn scan(&self, run: Option<&RunName>) -> Result<Vec<Found>, Error> {
        let runs = match run {
            Some(run) => vec![run.clone()],
            None => self.directories(&self.0.layout.runs()).await?.iter().filter_map(|n| n.parse().ok()).collect(),
        };
        let mut found = Vec::new();
        for run in runs {
            let steps = self.steps(&run).await?;
            let read = stream::iter(steps).map(|step| self.found(&run, step)).buffered(AT_ONCE);
            let of_run: Vec<Option<Found>> = read.try_collect().await?;
            found.extend(of_run.into_iter().flatten());
        }
        Ok(found)
    }

    /// The steps of a run of which there is anything on this target, in order, whether complete or not.
    ///
    /// # Errors
    /// What the store says.
    pub async fn steps(&self, run: &RunName) -> Result<Vec<Step>, Error> {
        let names = self.directories(&self.0.layout.run(run)).await?;
        let mut steps: Vec<Step> = names.iter().filter_map(|name| layout::step_of(name)).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// One checkpoint, if it is complete and whole on this target. One whose marker can't be read is none, with a warning.
    ///
    /// # Errors
    /// What the store says. An unreachable store is an error, never a checkpoint that is not there.
    pub async fn look(&self, run: &RunName, step: Step) -> Result<Option<Found>, Error> {
        self.found(run, step).await
    }

    async fn found(&self, run: &RunName, step: Step) -> Result<Option<Found>, Error> {
        match self.marked(run, step).await {
            Err(error @ Error::Manifest { .. }) => {
                tracing::warn!(%error, "a checkpoint on the target is left out");
                Ok(None)
            }
            Ok(Some(found)) => match self.lacking_below(&found).await? {
                None => Ok(Some(found)),
                Some(lacking) => {
                    tracing::warn!(%run, %step, lacking, "a checkpoint on the target is not whole and is left out");
                    Ok(None)
                }
            },
            other => other,
        }
    }

    /// What a checkpoint lacks on this target, if it is not whole: its marker, a manifest, or an object of the right size.
    /// Cheap enough to be asked before another copy is let go; the bytes are not read.
    ///
    /// # Errors
    /// What the store says. An unreachable store is an error, never a checkpoint that is not there.
    pub async fn lacks(&self, run: &RunName, step: Step) -> Result<Option<String>, Error> {
        match self.marked(run, step).await {
            Ok(Some(found)) => self.lacking_below(&found).await,
            Ok(None) => Ok(Some(self.0.layout.marker(run, step).to_string())),
            Err(Error::Manifest { object, detail }) => Ok(Some(format!("{object}: {detail}"))),
            Err(error) => Err(error),
        }
    }

    /// What a checkpoint that has its marker lacks, or one that it needs.
    async fn lacking_below(&self, found: &Found) -> Result<Option<String>, Error> {
        if let Some(lacking) = self.lacking(found).await? {
            return Ok(Some(lacking));
        }
        let mut needed: BTreeSet<Step> = found.shards.iter().filter_map(|shard| shard.base).collect();
        // The latest first: each leads to earlier ones only.
        let mut seen = 0;
        while let Some(step) = needed.pop_last() {
            seen += 1;
            let object = self.0.layout.marker(&found.run, step).to_string();
            let below = match self.marked(&found.run, step).await {
                Ok(Some(below)) if seen <= CHAIN_MOST * 2 => below,
                Ok(_) => return Ok(Some(object)),
                Err(Error::Manifest { object, detail }) => return Ok(Some(format!("{object}: {detail}"))),
                Err(error) => return Err(error),
            };
            if let Some(lacking) = self.lacking(&below).await? {
                return Ok(Some(lacking));
            }
            needed.extend(below.shards.iter().filter_map(|shard| shard.base));
        }
        Ok(None)
    }

    /// What a checkpoint that has its marker lacks: a manifest, or an object of the size that its manifest says. One
    /// listing tells, but for shards with equal files, whose manifest is read.
    async fn lacking(&self, found: &Found) -> Result<Option<String>, Error> {
        let Found { run, step, .. } = found;
        let prefix = self.0.layout.step(run, *step);
        let listed: Vec<ObjectMeta> = self
            .store()
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|error| self.failed("list", &prefix, error))?;
        let sizes: HashMap<Path, u64> = listed.into_iter().map(|meta| (meta.location, meta.size)).collect();
        for shard in &found.shards {
            let manifest = self.0.layout.manifest(run, *step, shard.rank);
            if !sizes.contains_key(&manifest) {
                return Ok(Some(manifest.to_string()));
            }
            let (data, packs) =
                (self.0.layout.data(run, *step, shard.rank), self.0.layout.packs(run, *step, shard.rank));
            let below = if shard.packed.is_some() { &packs } else { &data };
            let there = sizes.iter().filter(|(path, _)| path.prefix_matches(below));
            let wanted = shard.packed.unwrap_or(shard.bytes);
            if there.fold(0_u64, |sum, (_, size)| sum.saturating_add(*size)) == wanted {
                continue;
            }
            let shipped = match self.shard(run, *step, shard.rank).await {
                Ok(shipped) if shipped.digest == shard.body => shipped,
                Ok(_) | Err(Error::Manifest { .. } | Error::Missing { .. }) => return Ok(Some(manifest.to_string())),
                Err(error) => return Err(error),
            };
            let named = shipped.objects(&data, &packs);
            if let Some((object, _)) = named.iter().find(|(object, size)| sizes.get(object) != Some(size)) {
                return Ok(Some(object.to_string()));
            }
        }
        Ok(None)
    }

    /// The checkpoint if it is complete here.
    pub(crate) async fn marked(&self, run: &RunName, step: Step) -> Result<Option<Found>, Error> {
        let object = self.0.layout.marker(run, step);
        let Some((envelope, meta)) = self.envelope(&object, MARKER_BYTES).await? else {
            return Ok(None);
        };
        let bad = |detail| Error::Manifest { object: format!("{} of {}", object, self.name()), detail };
        let marker = Marker::decode(&envelope.payload.0, run, step).map_err(bad)?;
        let created = meta.last_modified.timestamp_nanos_opt().and_then(|nanos| u64::try_from(nanos).ok());
        let shards = marker.shards();
        let created = Timestamp(created.unwrap_or_default());
        let Marker { run, step, world_size, metrics, .. } = marker;
        Ok(Some(Found { run, step, world_size, metrics, created, shards }))
    }

    /// The body of a shard that was shipped, with its digest.
    ///
    /// # Errors
    /// [`Error::Missing`] if it was not, [`Error::Manifest`] if its manifest can't be right.
    pub async fn body(&self, run: &RunName, step: Step, rank: Rank) -> Result<(Body, Digest), Error> {
        self.shard(run, step, rank).await.map(|shard| (shard.body, shard.digest))
    }

    /// All that its manifest says.
    pub(crate) async fn shard(&self, run: &RunName, step: Step, rank: Rank) -> Result<ShippedShard, Error> {
        let object = self.0.layout.manifest(run, step, rank);
        let Some((envelope, _)) = self.envelope(&object, MANIFEST_BYTES).await? else {
            return Err(Error::Missing { target: self.name().clone(), object: object.to_string() });
        };
        let Envelope { digest, metrics, packed, payload, .. } = envelope;
        let bad = |detail| Error::Manifest { object: format!("{} of {}", object, self.name()), detail };
        let body = Body::decode(&payload.0).map_err(|error| bad(error.to_string()))?;
        if (&body.run, body.step, body.rank) != (run, step, rank) {
            return Err(bad(format!("it is of rank {} at step {} of {}", body.rank, body.step, body.run)));
        }
        if packed.as_ref().and_then(|packed| packed.base).is_some_and(|base| base.step >= step) {
            return Err(bad("it needs a later step".into()));
        }
        Ok(ShippedShard { body, digest, metrics, packed })
    }

    /// The names of the directories right below a prefix.
    pub(crate) async fn directories(&self, prefix: &Path) -> Result<Vec<String>, Error> {
        let listed = self.store().list_with_delimiter(Some(prefix)).await;
        let listed = listed.map_err(|error| self.failed("list", prefix, error))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(listed.common_prefixes.iter().filter_map(name).collect())
    }
}
