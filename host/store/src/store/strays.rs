//! Directories of the tier that the index does not count as shards: what a crash left, or what an index that lost its end
//! has forgotten.
//!
//! An index whose journal was cut short, by a disk or by a hand, opens as if nothing had happened: it ends earlier. The
//! tier tells: `commit.cbor` names the journal's last durable place at its time, and `answered` and `body.cbor` are made only
//! after the index had acknowledged the shard. All but `answered` are synced. So what can't be told from commits that were
//! not answered is the last group of commits before a power failure whose synced batch the disk has lost.

use std::{fs, path::Path};

use serde::Deserialize;
use tidegate_core::{Checkpoint, Seq, Tier};

use super::{
    commit::ANSWERED,
    rebuild::{forget_that_all_is_known, says_it_is_none},
};
use crate::{
    Index, Result, Space, View,
    tier::{CommitRecord, Layout, list, read_record},
};

/// What such a directory is.
enum Stray {
    /// The index says that it was pruned: its removal did not come to its end.
    Pruned,
    /// The index says that it was found damaged or missing. Its bytes may be what is left of it.
    Doubtful,
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
/// `known` are the checkpoints of the index.
///
/// # Errors
/// A tier or an index that can't be read or written.
pub(super) fn settle(layout: &Layout, index: &Index, known: &[Checkpoint]) -> Result<usize> {
    let (view, mut pruned) = (index.view(), 0);
    let mut forgotten = None;
    if reached(layout, &view, known)? > view.head()? {
        let sign = "its journal ends before what its records or the tier tell of";
        tracing::error!(sign, "the index has lost its end");
        forgotten = Some(sign);
    }
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
            Stray::Unanswered | Stray::Doubtful | Stray::NoShard(_) => {}
        }
        Ok(())
    })?;
    if forgotten.is_some() {
        index.write(forget_that_all_is_known)?;
    }
    Ok(pruned)
}

/// The last place of the journal that anything tells of: a record of the index, or a directory of the tier.
pub(super) fn reached(layout: &Layout, view: &View, known: &[Checkpoint]) -> Result<Seq> {
    /// What concerns the store of an installed bot.
    #[derive(Deserialize)]
    struct Bot {
        cursor: Seq,
    }
    // A record may name the place after the last event: what happened was no event of its own.
    let past = view.past_reached()?;
    let mut reached = known.iter().map(Checkpoint::last_place).fold(past, Seq::max).saturating_sub(1);
    for bot in view.all::<Bot>(Space::Bots, usize::MAX)? {
        reached = reached.max(bot.cursor);
    }
    for run in list(&layout.runs())?.into_iter().filter(|run| run.is_dir()) {
        for dir in list(&run)? {
            // What can't be read is dealt with where it matters.
            let record = read_record::<CommitRecord>(&dir.join("commit.cbor"));
            reached = reached.max(record.map(|record| record.after).unwrap_or_default());
        }
    }
    Ok(reached)
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
        Stray::Doubtful => {
            tracing::warn!(path = %path.display(), "a shard that was found damaged or missing is set aside");
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
    let checkpoint = view.checkpoint(&run, step)?;
    let known = checkpoint.as_ref().and_then(|known| known.shards.get(&rank));
    if known.is_some_and(|shard| shard.copy(Tier::Nvme).is_some()) {
        return Ok(None);
    }
    let record: CommitRecord = match read_record(&dir.join("commit.cbor")) {
        Ok(record) => record,
        Err(error) if says_it_is_none(&error) => return Ok(Some(Stray::NoShard(error.to_string()))),
        Err(error) => return Err(error),
    };
    // What was committed after the last copy went is another one.
    let last = known.and_then(|shard| shard.went(Tier::Nvme)).filter(|copy| copy.gone > Some(record.after));
    let gone_before = checkpoint.as_ref().map_or(0, |known| known.gone_before);
    Ok(Some(if last.is_some_and(|last| last.damaged) {
        Stray::Doubtful
    } else if last.is_some() || gone_before > record.after {
        Stray::Pruned
    } else if record.after > head {
        Stray::Forgotten("it was committed when the index had come further")
    } else if dir.join(ANSWERED).exists() {
        Stray::Forgotten("it was acknowledged")
    } else if dir.join("body.cbor").exists() {
        Stray::Forgotten("it was sealed")
    } else {
        Stray::Unanswered
    }))
}
