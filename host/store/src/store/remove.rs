use tidegate_core::{Checkpoint, EventKind, Rank, RunName, Step, Tier};

use super::Store;
use crate::{Result, Tx};

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Bytes freed.
    pub bytes: u64,
    /// Why it was allowed.
    pub because: String,
}

impl Store {
    /// Deletes a checkpoint's shards from this tier, if `allow` lets it: that is asked inside the change, with the record
    /// as it is then. First the index says that they are gone, synced; then the files go. A crash between the two leaves
    /// directories that the next start removes.
    ///
    /// # Errors
    /// What `allow` refuses with; an index or file system that fails.
    pub fn remove<E>(
        &self,
        run: &RunName,
        step: Step,
        reason: String,
        allow: impl FnOnce(&Tx<'_>, Option<&Checkpoint>) -> Result<String, E> + Send + 'static,
    ) -> Result<Removed, E>
    where
        E: From<crate::Error> + Send + 'static,
    {
        let name = run.clone();
        let (removed, ranks) = self.index.write(move |tx| {
            let checkpoint = tx.checkpoint(&name, step)?;
            let because = allow(tx, checkpoint.as_ref())?;
            let Some(checkpoint) = checkpoint else { return Ok((Removed { bytes: 0, because }, Vec::new())) };
            let (bytes, ranks) = drop_shards(tx, checkpoint, reason)?;
            Ok::<_, E>((Removed { bytes, because }, ranks))
        })?;
        for rank in ranks {
            let _one_at_a_time = self.directories.lock(run, step, rank);
            // The same bytes may have been committed again since.
            if !self.index.view().holds(run, step, rank)? {
                self.layout.discard(&self.layout.shard(run, step, rank))?;
            }
        }
        self.layout.empty_trash();
        Ok(removed)
    }

    /// Whether some directory of these shards still stands on the tier, though none should: one that could not be removed
    /// yet. The next start removes it, as long as the index remembers that it was pruned.
    pub fn still_stands(&self, checkpoint: &Checkpoint) -> bool {
        let place = |rank: &Rank| self.layout.shard(&checkpoint.run, checkpoint.step, *rank);
        checkpoint.shards.keys().any(|rank| place(rank).symlink_metadata().is_ok())
    }

    /// Sets a shard aside whose bytes are not what was committed: first the index, with the fact in the journal, then its
    /// directory goes to `quarantine`, where only the last damage of a shard is kept.
    ///
    /// # Errors
    /// An index or file system that fails.
    pub fn set_aside(&self, run: &RunName, step: Step, rank: Rank, detail: String) -> Result<()> {
        self.sealer.set_aside(run, step, rank, detail)
    }

    /// Makes a shard's digests before this returns, unless they are made.
    ///
    /// # Errors
    /// Files that are damaged or missing; they are set aside.
    pub fn seal_now(&self, run: &RunName, step: Step, rank: Rank) -> Result<()> {
        self.sealer.seal_now(run, step, rank)
    }
}

fn drop_shards(tx: &mut Tx<'_>, mut checkpoint: Checkpoint, reason: String) -> Result<(u64, Vec<Rank>)> {
    let (run, step) = (checkpoint.run.clone(), checkpoint.step);
    let here = |shard: &&mut tidegate_core::Shard| shard.copy(Tier::Nvme).is_some();
    let at = tx.next_seq();
    let (mut bytes, mut ranks) = (0_u64, Vec::new());
    for shard in checkpoint.shards.values_mut().filter(here) {
        shard.drop_copy(Tier::Nvme, at);
        bytes = bytes.saturating_add(shard.bytes);
        ranks.push(shard.rank);
    }
    // Of what was found damaged before only the name is left, and that goes as well.
    checkpoint.give_up();
    tx.append(EventKind::CheckpointPruned { run, step, tier: Tier::Nvme, bytes, reason })?;
    tx.put_checkpoint(&checkpoint)?;
    Ok((bytes, ranks))
}
