use std::{fs, path::Path, sync::Arc};

use tidegate_core::{Checkpoint, Clock, Rank, RunName, Step, Tier};

use super::{Options, Store, rebuild::rebuild};
use crate::{
    Index, Result, Space, View,
    save::{Book, Flusher},
    seal::{Sealer, drop_damaged},
    stripes::Stripes,
    tier::{Layout, list, sync_dir},
};

/// What was put right when the tier was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Saves that were in progress, and are gone.
    pub saves: usize,
    /// Shards that an index taken anew did not know, and that are known again.
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
    /// no longer count; what was not sealed is sealed. An index that is new takes in what stands on the tier first.
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
        let rebuilt = rebuild(&layout, &index)?;
        let (strays, missing, unsealed) = compare(&layout, &index)?;
        let recovered = Recovered { saves, rebuilt, strays, missing, unsealed: unsealed.len() };
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

/// Makes tier and index agree; what the index says was acknowledged stands.
fn compare(layout: &Layout, index: &Index) -> Result<(usize, usize, Vec<ShardName>)> {
    let view = index.view();
    let strays = remove_strays(layout, &view)?;
    let (mut missing, mut unsealed) = (Vec::new(), Vec::new());
    for checkpoint in view.all::<Checkpoint>(Space::Checkpoints, usize::MAX)? {
        for (rank, shard) in &checkpoint.shards {
            let name = (checkpoint.run.clone(), checkpoint.step, *rank);
            match shard.copy(Tier::Nvme) {
                Some(_) if !layout.shard(&name.0, name.1, name.2).is_dir() => missing.push(name),
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
    Ok((strays, count, unsealed))
}

fn remove_strays(layout: &Layout, view: &View) -> Result<usize> {
    let mut strays = 0;
    for run_dir in list(&layout.runs())? {
        let run = file_name(&run_dir).parse::<RunName>().ok();
        for shard_dir in list(&run_dir)? {
            let name = run.clone().zip(Layout::parse_shard(file_name(&shard_dir)));
            let known = match name {
                Some((run, (step, rank))) => view.checkpoint(&run, step)?.is_some_and(|known| {
                    let here = known.shards.get(&rank).is_some_and(|shard| shard.copy(Tier::Nvme).is_some());
                    here && layout.shard(&run, step, rank) == shard_dir
                }),
                None => false,
            };
            if !known {
                tracing::info!(path = %shard_dir.display(), "removing a shard that was never acknowledged or was pruned");
                layout.discard(&shard_dir)?;
                strays += 1;
            }
        }
        // Only an empty one goes.
        let _ = fs::remove_dir(&run_dir);
    }
    Ok(strays)
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
