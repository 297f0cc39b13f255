use std::{fs, io, path::Path};

use tidegate_core::{
    Checkpoint, Copy, Digest, EventKind, FileEntry, Metrics, RunName, SaveId, Shard, Tier, cbor, limits,
};

use super::{Store, lock};
use crate::{
    Begin, Committed, Error, Result, Tx,
    error::Context,
    save::Slot,
    seal::hash_files,
    tier::{CommitRecord, FileStat, Walked, first_changed, make_read_only, rename_durably, sync_all, sync_dir, walk},
};

/// Times that a commit finds the shard there without digests and makes them, before it gives up.
const LOOKS: usize = 3;
/// The mark beside a shard's files that the index has acknowledged it.
pub(super) const ANSWERED: &str = "answered";
/// Runs whose directory is known to be durable.
const RUNS: usize = 4096;

impl Store {
    /// Makes a save durable. When this returns, the shard survives `kill -9` and power loss; if it fails, nothing of the
    /// save is left. Asking again for a save that was committed gives the same answer.
    ///
    /// What is synced, in which order, and what a crash after each step leaves:
    ///
    /// | step | after a crash |
    /// | --- | --- |
    /// | 1. `commit.cbor` is written; it, every file and every directory are synced | a staging directory: removed at the next start |
    /// | 2. the save's directory is renamed to its place below `runs`; both parents are synced | a directory that the index does not know: removed at the next start |
    /// | 3. checkpoint record and event go into the index in one batch, which is synced | the shard, whole |
    /// | 4. the trainer is told | the shard, whole |
    ///
    /// # Errors
    /// [`Error::UnknownSave`]; files that can't be committed; other bytes than were committed before; a failed sync.
    pub fn commit(&self, id: &SaveId, metrics: Metrics) -> Result<Committed> {
        if let Some(committed) = self.book.committed(id) {
            return Ok(committed);
        }
        let Some(slot) = self.book.get(id) else {
            // A second caller may have come between the two looks.
            return self.book.committed(id).ok_or_else(|| Self::unknown(id));
        };
        let mut slot = lock(&slot);
        if slot.ended {
            return self.book.committed(id).ok_or_else(|| Self::unknown(id));
        }
        slot.ended = true;
        let outcome = self.commit_slot(&slot, metrics);
        self.book.end(id, outcome.as_ref().ok().cloned());
        if !matches!(&outcome, Ok(committed) if !committed.reused) {
            // Whatever becomes of the rest, the outcome stands; the next start sweeps the staging area.
            if let Err(error) = self.layout.discard(&self.layout.save(id)) {
                tracing::warn!(%error, save = %id, "what is left of a save could not be removed");
            }
            self.layout.empty_trash();
        }
        outcome
    }

    fn commit_slot(&self, slot: &Slot, metrics: Metrics) -> Result<Committed> {
        let begin = &slot.begin;
        let walked = walk(&slot.save.path)?;
        if walked.files.is_empty() {
            return Err(Error::EmptySave);
        }
        if walked.bytes() > limits::SHARD_BYTES {
            return Err(Error::TooLarge(walked.bytes()));
        }
        // What no disk of this size holds is full of holes: its restore would need all of them.
        let (_, size) = self.space()?;
        if walked.bytes() > size {
            return Err(Error::Sparse { bytes: walked.bytes(), size });
        }
        if walked.body_bytes() > limits::BODY_BYTES as u64 {
            let rule = "the save has too many files with too long names for one manifest".into();
            return Err(Error::BadFile { path: ".".into(), rule });
        }
        for _ in 0..LOOKS {
            if let Some(committed) = self.commit_once(slot, &walked, &metrics)? {
                return Ok(committed);
            }
            // Not while the directory is locked: sealing may have to set the shard aside.
            match self.sealer.seal_now(&begin.run, begin.step, begin.rank) {
                Err(Error::Damaged(_) | Error::Io { .. }) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Unsealed { run: begin.run.clone(), step: begin.step, rank: begin.rank })
    }

    /// None if the shard is there and its digests must be made before the two can be compared.
    fn commit_once(&self, slot: &Slot, walked: &Walked, metrics: &Metrics) -> Result<Option<Committed>> {
        let begin = &slot.begin;
        let _one_at_a_time = self.directories.lock(&begin.run, begin.step, begin.rank);
        let known = self.index.view().checkpoint(&begin.run, begin.step)?.filter(|known| !known.gone());
        if let Some(known) = &known
            && known.world_size != begin.world_size
        {
            let (run, step) = (begin.run.clone(), begin.step);
            return Err(Error::OtherWorld { run, step, known: known.world_size, given: begin.world_size });
        }
        let before = known.as_ref().and_then(|known| known.shards.get(&begin.rank));
        let mut proven = None;
        if let (Some(known), Some(before)) = (&known, before) {
            match (before.body, before.copy(Tier::Nvme).is_some()) {
                (None, true) => return Ok(None),
                // It was found damaged before its digests were made: nobody knows its bytes, and nothing holds them.
                (None, false) => {}
                // Lost: no tier has the bytes that were committed, and none would refuse others.
                (Some(_), false) if before.lost() && before.copy(Tier::Object).is_none() => {}
                (Some(body), here) => {
                    self.same_bytes(slot, walked, body)?;
                    if here {
                        return Ok(Some(reused(begin, walked, known, before)));
                    }
                    proven = Some(body);
                }
            }
        }
        let place = self.layout.shard(&begin.run, begin.step, begin.rank);
        let committed = self
            .make_durable(slot, walked, metrics, &place)
            .and_then(|()| self.record(begin, walked, metrics.clone(), proven));
        match committed {
            Ok(committed) => {
                // Not synced: a sign for a start that finds an index without its end (see `strays.rs`), beside others.
                if let Err(error) = fs::File::create(place.join(ANSWERED)) {
                    tracing::debug!(%error, "a shard could not be marked as acknowledged");
                }
                self.sealer.add(begin.run.clone(), begin.step, begin.rank);
                Ok(Some(committed))
            }
            // Whether the index has it is known at the next start, which removes what the index does not know.
            Err(Error::Broken) => Err(Error::Broken),
            Err(error) => {
                if let Err(error) = self.layout.discard(&place) {
                    tracing::warn!(%error, "what is left of a commit that failed could not be removed");
                }
                Err(error)
            }
        }
    }

    /// Steps 1 and 2.
    fn make_durable(&self, slot: &Slot, walked: &Walked, metrics: &Metrics, place: &Path) -> Result<()> {
        let begin = &slot.begin;
        let dir = self.layout.save(&slot.save.id);
        let files = slot.save.path.as_path();
        make_read_only(files, walked)?;
        let record = CommitRecord {
            version: 1,
            run: begin.run.clone(),
            step: begin.step,
            rank: begin.rank,
            world_size: begin.world_size,
            committed: self.clock.now(),
            after: self.index.view().head()?,
            metrics: metrics.clone(),
            files: walked.files.clone(),
        };
        let beside = dir.join("commit.cbor");
        fs::write(&beside, cbor::encode(&record)?).during("write", &beside)?;
        // Until the rename nobody looks here, so the order among these does not matter.
        let mut paths: Vec<_> = walked.files.iter().map(|file| files.join(file.path.as_path())).collect();
        paths.extend([beside, dir.clone()]);
        sync_all(paths.iter().chain(&walked.dirs).map(AsRef::as_ref))?;
        unchanged(files, &walked.files)?;
        self.make_run(&begin.run)?;
        // A copy that was pruned may still be on its way out.
        self.layout.discard(place)?;
        rename_durably(&dir, place)
    }

    /// The run's directory. Its name is durable before the first commit below it is answered, whichever rank made it.
    fn make_run(&self, run: &RunName) -> Result<()> {
        let dir = self.layout.run(run);
        if dir.is_dir() && lock(&self.durable_runs).contains(run) {
            return Ok(());
        }
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.during("create the directory", &dir)?,
        }
        sync_dir(&self.layout.runs()).inspect_err(|_| {
            // A second sync might succeed without the name: it has to be made anew. Where it holds shards, it stays.
            let _ = fs::remove_dir(&dir);
        })?;
        let mut known = lock(&self.durable_runs);
        if known.len() >= RUNS {
            known.clear();
        }
        known.insert(run.clone());
        Ok(())
    }

    /// Step 3.
    fn record(&self, begin: &Begin, walked: &Walked, metrics: Metrics, proven: Option<Digest>) -> Result<Committed> {
        let (begin, bytes, files) = (begin.clone(), walked.bytes(), walked.files.len());
        self.index.write(move |tx| add_shard(tx, &begin, metrics, bytes, files, proven))
    }

    /// Whether the save holds exactly what was committed before, whose body has this digest.
    fn same_bytes(&self, slot: &Slot, walked: &Walked, body: Digest) -> Result<()> {
        let begin = &slot.begin;
        let ending = self.sealer.ending();
        let files = hash_files(&slot.save.path, &walked.files, self.options.hash_threads, ending)?;
        unchanged(&slot.save.path, &walked.files)?;
        if Digest::of(&body_of(begin, files).encode()?) == body {
            return Ok(());
        }
        Err(Error::OtherBytes { run: begin.run.clone(), step: begin.step, rank: begin.rank })
    }
}

fn body_of(begin: &Begin, files: Vec<FileEntry>) -> tidegate_core::Body {
    crate::seal::body(begin.run.clone(), begin.step, begin.rank, begin.world_size, files)
}

fn reused(begin: &Begin, walked: &Walked, known: &Checkpoint, before: &Shard) -> Committed {
    Committed {
        run: begin.run.clone(),
        step: begin.step,
        rank: begin.rank,
        bytes: walked.bytes(),
        files: walked.files.len() as u64,
        complete: known.complete.is_some(),
        seq: before.committed,
        reused: true,
    }
}

fn unchanged(top: &Path, files: &[FileStat]) -> Result<()> {
    match first_changed(files, top)? {
        Some(changed) => Err(Error::ChangedFile(changed.path.to_string())),
        None => Ok(()),
    }
}

pub(super) fn add_shard(
    tx: &mut Tx<'_>,
    begin: &Begin,
    metrics: Metrics,
    bytes: u64,
    files: usize,
    proven: Option<Digest>,
) -> Result<Committed> {
    let Begin { run, step, rank, world_size, .. } = begin.clone();
    let known = tx.checkpoint(&run, step)?;
    let gone_before = known.as_ref().map(Checkpoint::went).unwrap_or_default();
    let mut checkpoint = known.filter(|known| !known.gone()).unwrap_or_else(|| {
        let fresh = Checkpoint::new(run.clone(), step, world_size, tx.now());
        // Directories of the earlier one may still stand: nobody must take them for this one's.
        Checkpoint { gone_before, ..fresh }
    });
    if checkpoint.world_size != world_size {
        return Err(Error::OtherWorld { run, step, known: checkpoint.world_size, given: world_size });
    }
    let files = u32::try_from(files).unwrap_or(u32::MAX);
    // What is lost, or was set aside before its digests were made, is replaced and not proven.
    checkpoint.shards.retain(|_, shard| shard.rank != rank || proven.is_some() || shard.copies.iter().any(Copy::live));
    let kind = EventKind::ShardCommitted { run: run.clone(), step, rank, world_size, bytes, files };
    let seq = tx.append(kind)?;
    let fresh = Shard { rank, bytes, files, committed: seq, body: proven, copies: Vec::new() };
    let shard = checkpoint.shards.entry(rank).or_insert(fresh);
    shard.add_copy(Tier::Nvme, seq, false);
    checkpoint.metrics.merge(&metrics);
    if checkpoint.complete.is_none() && checkpoint.has_all_ranks() {
        checkpoint.complete =
            Some(tx.append(EventKind::CheckpointComplete { run: run.clone(), step, bytes: checkpoint.bytes() })?);
    }
    tx.put_checkpoint(&checkpoint)?;
    let (files, complete) = (u64::from(files), checkpoint.complete.is_some());
    Ok(Committed { run, step, rank, bytes, files, complete, seq, reused: false })
}
