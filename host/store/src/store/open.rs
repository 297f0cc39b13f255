use std::{io, path::Path, sync::Arc};

use tidegate_core::{Checkpoint, Clock, Rank, RunName, Step, Tier};

use super::{Options, Store, rebuild::rebuild, strays};
use crate::{
    Index, Result, Space,
    error::Context,
    save::{Book, Flusher},
    seal::{Sealer, drop_damaged},
    stripes::Stripes,
    tier::{Layout, sync_dir},
};

/// What was put right when the tier was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Saves that were in progress, and are gone.
    pub saves: usize,
    /// Shards that an index did not know, because it is a new one or lost its end, and that are known again.
    pub rebuilt: usize,
    /// Directories of shards that were never acknowledged or were pruned, and are gone.
    pub strays: usize,
    /// Shards of the index whose files are missing: they no longer count as copies.
    pub missing: usize,
    /// Shards that were committed and are being sealed now.
    pub unsealed: usize,
}

impl Store {
    /// Opens or creates a tier, and puts right what a crash left: saves in progress are removed, directories that the
    /// index does not know (their commit was never acknowledged, or they were pruned) as well; shards whose files are gone
    /// no longer count; what was not sealed is sealed. An index that is new, or has lost its end, takes in what stands on
    /// the tier first.
    ///
    /// # Errors
    /// A tier in use by another process, an index that is damaged, a file system that refuses.
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<(Self, Recovered)> {
        let layout = Arc::new(Layout::create(&options.path, clock.now().0)?);
        // The index is locked by its opener: from here on the tier is ours.
        let index = Arc::new(Index::open(&layout.index(), options.host.clone(), clock.clone())?);
        layout.discard_all_in(&layout.restores())?;
        let saves = layout.discard_all_in(&layout.staging())?;
        // Its own name in the tier must last as long as what it holds.
        sync_dir(layout.root())?;
        let mut known: Vec<Checkpoint> = index.view().all(Space::Checkpoints, usize::MAX)?;
        let pruned = strays::settle(&layout, &index, &known)?;
        let rebuilt = rebuild(&layout, &index)?;
        if rebuilt > 0 {
            known = index.view().all(Space::Checkpoints, usize::MAX)?;
        }
        let unanswered = strays::remove(&layout, &index.view())?;
        let (missing, unsealed) = compare(&layout, &index, &known)?;
        let recovered = Recovered { saves, rebuilt, strays: pruned + unanswered, missing, unsealed: unsealed.len() };
        let directories = Arc::new(Stripes::new());
        let (threads, wanted) = (options.hash_threads, options.wanted_copies);
        let sealer = Sealer::start(layout.clone(), index.clone(), directories.clone(), threads, wanted)?;
        for (run, step, rank) in unsealed {
            sealer.add(run, step, rank);
        }
        layout.empty_trash();
        let book = Arc::new(Book::new(options.most_saves));
        let flusher = Flusher::start(book.clone(), layout.root())?;
        let (durable_runs, promised, next_save) = Default::default();
        let store = Self {
            options,
            clock,
            layout,
            index,
            book,
            flusher,
            sealer,
            directories,
            durable_runs,
            promised,
            next_save,
        };
        Ok((store, recovered))
    }
}

type ShardName = (RunName, Step, Rank);

/// Shards of the index whose files are gone, which no longer count, and those that were not sealed.
fn compare(layout: &Layout, index: &Index, known: &[Checkpoint]) -> Result<(usize, Vec<ShardName>)> {
    let (mut missing, mut unsealed) = (Vec::new(), Vec::new());
    for checkpoint in known {
        for (rank, shard) in &checkpoint.shards {
            let name = (checkpoint.run.clone(), checkpoint.step, *rank);
            match shard.copy(Tier::Nvme) {
                Some(_) if !stands(&layout.shard(&name.0, name.1, name.2))? => missing.push(name),
                Some(copy) if copy.verified.is_none() => unsealed.push(name),
                _ => {}
            }
        }
    }
    let count = missing.len();
    for (run, step, rank) in missing {
        tracing::warn!(%run, %step, %rank, "the files of a committed shard are missing from the tier");
        index
            .write(move |tx| drop_damaged(tx, &run, step, rank, None, "its files are missing from the tier".into()))?;
    }
    Ok((count, unsealed))
}

/// Whether a directory is there. A failure to look says nothing: then the tier is not opened.
fn stands(dir: &Path) -> Result<bool> {
    match dir.symlink_metadata() {
        Ok(meta) => Ok(meta.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).during("look at", dir),
    }
}
