//! An index that is new beside a tier that is not: it was damaged and moved away, or lost. What was acknowledged is still
//! there, and is taken in again.

use std::path::Path;

use tidegate_core::{Body, Digest, Tier};

use super::commit::add_shard;
use crate::{
    Begin, Error, Index, Result, Space, Tx,
    error::Context,
    tier::{CommitRecord, Layout, list, read_record, sync_dir},
};

/// The key under which the index notes that it knows all of its tier.
const KNOWN: &[u8] = b"tier";

/// Takes in every shard that stands on the tier, unless the index has known this tier from its start. What can't be
/// believed is set aside, never deleted. Durable when it returns; a host that dies half way begins again and passes over
/// what is in already. Pins, jobs, bots with their state, and the journal are not on the tier and are lost with an index.
///
/// # Errors
/// A tier or an index that can't be read or written.
pub(super) fn rebuild(layout: &Layout, index: &Index) -> Result<usize> {
    if index.view().bytes(Space::Meta, KNOWN)?.is_some() {
        return Ok(0);
    }
    let mut found = 0;
    for run_dir in list(&layout.runs())? {
        // Older steps first, as they came.
        let mut shards = list(&run_dir)?;
        shards.sort();
        for dir in shards {
            match take_in(layout, index, &dir) {
                Ok(()) => found += 1,
                Err(error @ (Error::Broken | Error::Index(_) | Error::Closing)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, path = %dir.display(), "a directory of the tier is no shard and is set aside");
                    layout.keep_aside(&dir)?;
                }
            }
        }
    }
    // The names of what was set aside, before the index says that all is known.
    sync_dir(&layout.quarantine())?;
    index.write(|tx| tx.put(Space::Meta, KNOWN, &tx.now()))?;
    if found > 0 {
        tracing::warn!(
            found,
            "the index is a new one: shards were taken in from the tier; pins, jobs, bots and the journal are lost"
        );
    }
    Ok(found)
}

fn take_in(layout: &Layout, index: &Index, dir: &Path) -> Result<()> {
    let record: CommitRecord = read_record(&dir.join("commit.cbor"))?;
    if layout.shard(&record.run, record.step, record.rank) != dir {
        return Err(Error::Damaged(format!("it is rank {} of step {} of {}", record.rank, record.step, record.run)));
    }
    let files = dir.join("files");
    if let Some(changed) = record.files.iter().find(|file| !file.is_unchanged(&files)) {
        return Err(Error::Damaged(format!("{} is not what was committed", changed.path)));
    }
    let body = body_of(dir, &record)?;
    index.write(move |tx| add(tx, record, body))
}

/// The digest of the body that was made when the shard was sealed; none if it was not. Its digests stand: to make them
/// anew would call good whatever has rotted since.
fn body_of(dir: &Path, record: &CommitRecord) -> Result<Option<Digest>> {
    let path = dir.join("body.cbor");
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.during("read", &path)?,
    };
    let body = Body::decode(&bytes)?;
    let same = (&body.run, body.step, body.rank, body.world_size)
        == (&record.run, record.step, record.rank, record.world_size)
        && body.files.iter().map(|file| (&file.path, file.size)).eq(record.files.iter().map(|f| (&f.path, f.size)));
    if same { Ok(Some(Digest::of(&bytes))) } else { Err(Error::Damaged("its manifest is of other files".into())) }
}

fn add(tx: &mut Tx<'_>, record: CommitRecord, body: Option<Digest>) -> Result<()> {
    let CommitRecord { run, step, rank, world_size, committed, metrics, files, .. } = record;
    if tx.checkpoint(&run, step)?.is_some_and(|known| known.shards.contains_key(&rank)) {
        return Ok(());
    }
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    let begin = Begin { run: run.clone(), step, rank, world_size, bytes: Some(bytes), writer: None };
    let at = add_shard(tx, &begin, metrics, bytes, files.len(), body)?.seq;
    let Some(mut checkpoint) = tx.checkpoint(&run, step)? else { return Ok(()) };
    checkpoint.created = checkpoint.created.min(committed);
    if let Some(shard) = checkpoint.shards.get_mut(&rank).filter(|_| body.is_some()) {
        shard.add_copy(Tier::Nvme, at, true);
    }
    tx.put_checkpoint(&checkpoint)
}
