//! An index that does not know all of its tier: it is a new one because the old was damaged and moved away, or it lost its
//! end. What was acknowledged is still there, and is taken in again.

use std::path::{Path, PathBuf};

use tidegate_core::{Body, Digest, EventKind, Seq, Tier};

use super::{Store, commit::add_shard};
use crate::{
    Begin, Error, Index, Result, Space, Tx,
    error::Context,
    seal::speaks_of_the_bytes,
    tier::{CommitRecord, FileStat, Layout, first_changed, list, read_record, sync_dir},
};

/// The key under which the index notes that it knows all of its tier.
const KNOWN: &[u8] = b"tier";
/// Places of the journal that are left free after the last one that the tier tells of: more may have followed it.
const PLACES: Seq = 1000;

impl Store {
    /// The journal's place since which the index knows all of its tier: its first, or where it last took in the tier
    /// because it had lost something. What it knew of object storage may have been lost with that.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn knows_since(&self) -> Result<Seq> {
        Ok(self.index.view().get(Space::Meta, KNOWN)?.unwrap_or_default())
    }
}

/// Notes that the index has lost its end. From now until `rebuild` has come to its end, each start takes in the tier.
pub(super) fn forget_that_all_is_known(tx: &mut Tx<'_>) -> Result<()> {
    tx.put_bytes(Space::Meta, KNOWN, None);
    Ok(())
}

/// Takes in every shard that stands on the tier, unless the index knows all of it. What can't be believed is set aside,
/// never deleted. Durable when it returns; a host that dies half way begins again and passes over what is in already. Pins,
/// jobs, bots with their state, and events are not on the tier: what an index has lost of them stays lost.
///
/// # Errors
/// A tier or an index that can't be read or written.
pub(super) fn rebuild(layout: &Layout, index: &Index) -> Result<usize> {
    if index.view().bytes(Space::Meta, KNOWN)?.is_some() {
        return Ok(0);
    }
    let (mut dirs, mut found) = (Vec::<PathBuf>::new(), 0);
    for run_dir in list(&layout.runs())?.into_iter().filter(|run| run.is_dir()) {
        dirs.extend(list(&run_dir)?);
    }
    // Older steps first, as they came.
    dirs.sort();
    // Places of the journal that were given are not given again: somebody may have read as far.
    let view = index.view();
    let reached = super::strays::reached(layout, &view, &view.all(Space::Checkpoints, usize::MAX)?)?;
    let next = if reached == 0 { 0 } else { reached.saturating_add(PLACES) };
    for dir in dirs {
        match take_in(layout, index, &dir, next) {
            Ok(added) => found += usize::from(added),
            // Another start may succeed, and takes in all that this one did not.
            Err(error) if !says_it_is_none(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, path = %dir.display(), "a directory of the tier is no shard and is set aside");
                layout.keep_aside(&dir)?;
            }
        }
    }
    // The names of what was set aside, before the index says that all is known.
    sync_dir(&layout.quarantine())?;
    let shards = found as u64;
    index.write(move |tx| {
        if next > 0 || shards > 0 {
            tx.skip_to(next);
            tx.append(EventKind::IndexRebuilt { shards })?;
        }
        tx.put(Space::Meta, KNOWN, &tx.next_seq())
    })?;
    if found > 0 {
        tracing::warn!(
            found,
            "the index is a new one or has lost its end: shards were taken in from the tier; the pins, jobs, bots and events \
             that it does not have are lost"
        );
    }
    Ok(found)
}

/// Whether a failure says that a directory holds no shard that could be taken in.
pub(super) fn says_it_is_none(error: &Error) -> bool {
    speaks_of_the_bytes(error) || matches!(error, Error::OtherWorld { .. })
}

/// False if the index knows it already.
fn take_in(layout: &Layout, index: &Index, dir: &Path, next: Seq) -> Result<bool> {
    let record: CommitRecord = read_record(&dir.join("commit.cbor"))?;
    if layout.shard(&record.run, record.step, record.rank) != dir {
        return Err(Error::Damaged(format!("it is rank {} of step {} of {}", record.rank, record.step, record.run)));
    }
    let files = dir.join("files");
    if let Some(changed) = first_changed(&record.files, &files)? {
        return Err(Error::Damaged(format!("{} is not what was committed", changed.path)));
    }
    let body = body_of(dir, &record)?;
    index.write(move |tx| add(tx, record, body, next))
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

fn add(tx: &mut Tx<'_>, record: CommitRecord, body: Option<Digest>, next: Seq) -> Result<bool> {
    let CommitRecord { run, step, rank, world_size, committed, metrics, files, after, .. } = record;
    let mut earlier = false;
    let known = tx.checkpoint(&run, step)?.filter(|known| !known.gone());
    if let Some(shard) = known.as_ref().and_then(|known| known.shards.get(&rank)) {
        let counted = shard.copy(Tier::Nvme);
        // The commit that the index counts came after its directory was written: this is it.
        if counted.is_some_and(|copy| after < copy.since || (body.is_some() && shard.body == body)) {
            return Ok(false);
        }
        // Else the step was pruned and saved again since, or its bytes came back.
        let same_bytes = shard.bytes == size(&files) && (body.is_none() || shard.body.is_none() || shard.body == body);
        earlier = !same_bytes;
    }
    tx.skip_to(next);
    if let Some(mut known) = known.filter(|_| earlier) {
        let at = tx.next_seq();
        for shard in known.shards.values_mut() {
            Tier::ALL.into_iter().for_each(|tier| shard.drop_copy(tier, at));
        }
        tx.put_checkpoint(&known)?;
    }
    let bytes = size(&files);
    let begin = Begin { run: run.clone(), step, rank, world_size, bytes: Some(bytes), writer: None };
    let at = add_shard(tx, &begin, metrics, bytes, files.len(), body)?.seq;
    let Some(mut checkpoint) = tx.checkpoint(&run, step)? else { return Ok(true) };
    checkpoint.created = checkpoint.created.min(committed);
    if earlier {
        // Nobody knows when the earlier one went: what else stands on the tier is of this one.
        checkpoint.gone_before = 0;
    }
    if let Some(shard) = checkpoint.shards.get_mut(&rank).filter(|_| body.is_some()) {
        shard.add_copy(Tier::Nvme, at, true);
    }
    tx.put_checkpoint(&checkpoint)?;
    Ok(true)
}

fn size(files: &[FileStat]) -> u64 {
    files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
}
