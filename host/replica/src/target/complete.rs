//! From all shards to a checkpoint.

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_core::{Metrics, Rank, RunName, Step, WorldSize};
use tokio_util::sync::CancellationToken;

use super::{FoundShard, Target, scan::ShippedShard};
use crate::{
    Error,
    envelope::Envelope,
    layout,
    marker::{MARKER_BYTES, Marker},
};

/// Manifests read at a time.
const AT_ONCE: usize = 8;

impl Target {
    /// Marks the checkpoint as complete once the manifest of every rank is there. True if it is marked when this
    /// returns, by whomever; false if a rank is still missing. Every rank's host may call it after its own shipping;
    /// the last one marks.
    ///
    /// # Errors
    /// [`Error::Manifest`] if manifests contradict each other, [`Error::Conflict`] if another marker is there.
    pub async fn mark_complete(&self, run: &RunName, step: Step) -> Result<bool, Error> {
        if self.marked(run, step).await?.is_some() {
            self.remove_temporaries(&self.0.layout.step(run, step)).await?;
            return Ok(true);
        }
        let mut all = self.all_ranks(run, step).await?;
        if all.is_none() {
            // The last rank's host asks once and nobody after it: a listing that was damaged on the way must not decide.
            all = self.all_ranks(run, step).await?;
        }
        let Some((ranks, world_size)) = all else { return Ok(false) };
        let read = stream::iter(ranks).map(|rank| self.summary(run, step, rank, world_size)).buffered(AT_ONCE);
        let summaries: Vec<(FoundShard, Metrics)> = read.try_collect().await?;
        let mut metrics = Metrics::default();
        summaries.iter().for_each(|(_, of_rank)| metrics.merge(of_rank));
        let shards: Vec<FoundShard> = summaries.iter().map(|(shard, _)| *shard).collect();
        let object = self.0.layout.marker(run, step);
        let bad = |detail| Error::Manifest { object: format!("{} of {}", object, self.name()), detail };
        let marker = Marker::new(run.clone(), step, world_size, metrics, &shards).map_err(bad)?;
        let envelope = marker.encode().and_then(Envelope::plain).map_err(bad)?;
        self.create_envelope(&object, &envelope, MARKER_BYTES, &CancellationToken::new()).await?;
        self.remove_temporaries(&self.0.layout.step(run, step)).await?;
        Ok(true)
    }

    /// All ranks, in order, if their manifests are all there.
    async fn all_ranks(&self, run: &RunName, step: Step) -> Result<Option<(Vec<Rank>, WorldSize)>, Error> {
        let prefix = self.0.layout.step(run, step);
        let listed = self.store().list_with_delimiter(Some(&prefix)).await;
        let listed = listed.map_err(|error| self.failed("list", &prefix, error))?;
        let names = listed.objects.iter().filter_map(|meta| meta.location.filename());
        let mut ranks: Vec<Rank> = names.filter_map(layout::manifest_rank).collect();
        ranks.sort_unstable();
        // One manifest tells how many there must be; the others are read only when they are all there.
        let Some(first) = ranks.first() else { return Ok(None) };
        let world_size = match self.body(run, step, *first).await {
            Ok((body, _)) => body.world_size,
            Err(Error::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(ranks.iter().map(|rank| rank.get()).eq(0..world_size.get()).then_some((ranks, world_size)))
    }

    async fn summary(
        &self,
        run: &RunName,
        step: Step,
        rank: Rank,
        world_size: WorldSize,
    ) -> Result<(FoundShard, Metrics), Error> {
        let ShippedShard { body, digest, metrics, packed } = self.shard(run, step, rank).await?;
        if body.world_size != world_size {
            let object = self.0.layout.manifest(run, step, rank).to_string();
            let detail = format!("it is of a world of {}, and others of {world_size}", body.world_size);
            return Err(Error::Manifest { object, detail });
        }
        let files = u32::try_from(body.files.len()).unwrap_or(u32::MAX);
        let base = packed.as_ref().and_then(|packed| packed.base).map(|base| base.step);
        let packed = packed.map(|packed| packed.stored());
        Ok((FoundShard { rank, body: digest, bytes: body.bytes(), files, packed, base }, metrics))
    }
}
