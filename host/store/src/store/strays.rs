//! Directories of the tier that the index does not count as shards: what a crash left, or what an index that lost its end
//! has forgotten.
//!
//! An index whose journal was cut short, by a disk or by a hand, opens as if nothing had happened: it ends earlier. The
//! tier tells: `commit.cbor` names the journal's last durable place at its time, and `body.cbor` is made only after the
//! index had acknowledged the shard.

use std::{fs, path::Path};

use tidegate_core::Tier;

use super::rebuild::forget_that_all_is_known;
use crate::{
    Index, Result, View,
    tier::{CommitRecord, Layout, list, read_record},
};

/// What such a directory is.
enum Stray {
    /// The index says that it was pruned, or found damaged: its removal did not come to its end.
    Pruned,
    /// Its commit was not answered, as far as this directory tells.
    Unanswered,
    /// The index had acknowledged it, or had come further than it has now.
    Forgotten(&'static str),
    /// Not what a commit leaves.
    NoShard(String),
}

/// Removes what was pruned, and looks whether the index has lost its end: then it is noted that it does not know all of
/// its tier, and `rebuild` takes in the rest. Returns how many were removed.
///
/// # Errors
/// A tier or an index that can't be read or written.
pub(super) fn settle(layout: &Layout, index: &Index) -> Result<usize> {
    let (view, mut pruned, mut forgotten) = (index.view(), 0, None);
    each(layout, &view, |path, stray| {
        match stray {
            Stray::Pruned => {
                tracing::info!(path = %path.display(), "removing a shard that was pruned");
                layout.discard(path)?;
                pruned += 1;
            }
            Stray::Forgotten(sign) => {
                tracing::error!(path = %path.display(), sign, "the index has forgotten a shard that was acknowledged");
                forgotten = Some(sign);
            }
            Stray::Unanswered | Stray::NoShard(_) => {}
        }
        Ok(())
    })?;
    if forgotten.is_some() {
        index.write(forget_that_all_is_known)?;
    }
    Ok(pruned)
}

/// Removes shards whose commit was never answered, once the index knows all that it ever acknowledged. What is no shard is
/// set aside.
///
/// # Errors
/// A tier or an index that can't be read or written.
pub(super) fn remove(layout: &Layout, view: &View) -> Result<usize> {
    let mut removed = 0;
    each(layout, view, |path, stray| match stray {
        Stray::NoShard(why) => {
            tracing::warn!(path = %path.display(), why, "a directory of the tier is no shard and is set aside");
            layout.keep_aside(path)
        }
        Stray::Forgotten(sign) => {
            // `rebuild` has taken in all of them.
            tracing::warn!(path = %path.display(), sign, "a directory of the tier is no known shard and is set aside");
            layout.keep_aside(path)
        }
        Stray::Unanswered | Stray::Pruned => {
            tracing::info!(path = %path.display(), "removing a shard whose commit was never answered");
            removed += 1;
            layout.discard(path)
        }
    })?;
    for run in list(&layout.runs())? {
        // Only an empty one goes.
        let _ = fs::remove_dir(&run);
    }
    Ok(removed)
}

/// Calls `what` with every directory that the index does not count as a shard.
fn each(layout: &Layout, view: &View, mut what: impl FnMut(&Path, Stray) -> Result<()>) -> Result<()> {
    let head = view.head()?;
    for run in list(&layout.runs())? {
        if !run.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            what(&run, Stray::NoShard("it is no directory of a run".into()))?;
            continue;
        }
        for dir in list(&run)? {
            if let Some(stray) = look(layout, view, head, &dir)? {
                what(&dir, stray)?;
            }
        }
    }
    Ok(())
}

/// None if the index counts it.
fn look(layout: &Layout, view: &View, head: u64, dir: &Path) -> Result<Option<Stray>> {
    let named = |path: Option<&Path>| path?.file_name()?.to_str().map(str::to_owned);
    let name = named(Some(dir)).as_deref().and_then(Layout::parse_shard);
    let run = named(dir.parent()).and_then(|run| run.parse().ok());
    let Some((run, (step, rank))) = run.zip(name) else {
        return Ok(Some(Stray::NoShard("its name is not that of a shard".into())));
    };
    if layout.shard(&run, step, rank) != dir {
        return Ok(Some(Stray::NoShard("its name is not written as that of a shard".into())));
    }
    let known = view.checkpoint(&run, step)?.and_then(|known| known.shards.get(&rank).cloned());
    if known.as_ref().is_some_and(|shard| shard.copy(Tier::Nvme).is_some()) {
        return Ok(None);
    }
    let record: CommitRecord = match read_record(&dir.join("commit.cbor")) {
        Ok(record) => record,
        Err(error) => return Ok(Some(Stray::NoShard(error.to_string()))),
    };
    // A copy of these bytes that was committed after the last one went is another one.
    let went = known.iter().flat_map(|shard| &shard.copies).filter(|copy| copy.tier == Tier::Nvme);
    Ok(Some(if went.filter_map(|copy| copy.gone).max().is_some_and(|went| went > record.after) {
        Stray::Pruned
    } else if record.after > head {
        Stray::Forgotten("it was committed when the index had come further")
    } else if dir.join("body.cbor").exists() {
        Stray::Forgotten("it was sealed")
    } else {
        Stray::Unanswered
    }))
}
