use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
};

use tidegate_core::{Body, Digest, EventKind, FileEntry, Rank, RunName, Step, Tier, WorldSize};

use super::hash_files;
use crate::{
    Error, Index, Result, Tx,
    error::Context,
    store::read_commit,
    stripes::Stripes,
    tier::{CommitRecord, Layout, write_record},
};

/// What seals: one thread that takes shards in the order of their commits.
#[derive(Debug)]
pub(crate) struct Sealer {
    work: Arc<Work>,
    queue: Option<mpsc::Sender<(RunName, Step, Rank)>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    layout: Arc<Layout>,
    index: Arc<Index>,
    threads: usize,
    wanted_copies: u32,
    stripes: Stripes,
}

impl Sealer {
    pub(crate) fn start(layout: Arc<Layout>, index: Arc<Index>, threads: usize, wanted_copies: u32) -> Result<Self> {
        let root = layout.root().to_path_buf();
        let work = Arc::new(Work { layout, index, threads, wanted_copies, stripes: Stripes::new() });
        // Not bounded by itself: it holds names of committed shards, and the tier holds their bytes.
        let (queue, inbox) = mpsc::channel::<(RunName, Step, Rank)>();
        let at_work = work.clone();
        let run = move || {
            for (run, step, rank) in inbox {
                if let Err(error) = at_work.seal(&run, step, rank) {
                    tracing::error!(%run, %step, %rank, %error, "a shard could not be sealed");
                }
            }
        };
        let thread = std::thread::Builder::new().name("tidegate-seal".into()).spawn(run);
        Ok(Self { work, queue: Some(queue), thread: Some(thread.during("start a thread for", root)?) })
    }

    /// Seals a shard soon.
    pub(crate) fn add(&self, run: RunName, step: Step, rank: Rank) {
        if let Some(queue) = &self.queue {
            let _ = queue.send((run, step, rank));
        }
    }

    /// Seals a shard before this returns; waits for who is at it already.
    pub(crate) fn seal_now(&self, run: &RunName, step: Step, rank: Rank) -> Result<()> {
        self.work.seal(run, step, rank)
    }

    /// Takes a damaged shard out of the count and its files out of the way.
    pub(crate) fn set_aside(&self, run: &RunName, step: Step, rank: Rank, detail: String) -> Result<()> {
        self.work.quarantine(run, step, rank, detail)
    }

    /// Waits until what was added is sealed, and stops.
    pub(crate) fn stop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Work {
    /// Durable when it returns: first the body beside the files, then the index. A crash between the two leaves a body
    /// that is written again.
    fn seal(&self, run: &RunName, step: Step, rank: Rank) -> Result<()> {
        let _one_at_a_time = self.stripes.lock(run, step, rank);
        let known = self.index.view().checkpoint(run, step)?;
        let wanted = known.as_ref().and_then(|known| known.shards.get(&rank));
        let Some(copy) = wanted.and_then(|shard| shard.copy(Tier::Nvme)) else { return Ok(()) };
        if copy.verified.is_some() {
            return Ok(());
        }
        let dir = self.layout.shard(run, step, rank);
        match self.make_body(&dir) {
            Ok(body) => {
                let bytes = body.encode()?;
                write_record(&dir, "body.cbor", &bytes, true)?;
                let (run, digest, wanted) = (run.clone(), Digest::of(&bytes), self.wanted_copies);
                self.index.write(move |tx| mark_sealed(tx, &run, step, rank, digest, wanted))
            }
            Err(error) => {
                self.quarantine(run, step, rank, error.to_string())?;
                Err(error)
            }
        }
    }

    fn make_body(&self, dir: &std::path::Path) -> Result<Body> {
        let CommitRecord { run, step, rank, world_size, files, .. } = read_commit(dir)?;
        let top = dir.join("files");
        let entries = hash_files(&top, &files, self.threads)?;
        // The digests must be those of what was committed: a file that changed since is caught by its size and time.
        if let Some(changed) = files.iter().find(|file| !file.is_unchanged(&top)) {
            return Err(Error::Damaged(format!("{} changed after it was committed", changed.path)));
        }
        Ok(body(run, step, rank, world_size, entries))
    }

    /// Sets a damaged shard aside: it no longer counts as a copy.
    fn quarantine(&self, run: &RunName, step: Step, rank: Rank, detail: String) -> Result<()> {
        let name = run.clone();
        let changed = self.index.write(move |tx| drop_damaged(tx, &name, step, rank, detail))?;
        if changed {
            let from = self.layout.shard(run, step, rank);
            let to = self.layout.quarantine().join(format!("{run}.{step}.{rank}"));
            self.layout.discard(&to)?;
            match std::fs::rename(&from, &to) {
                // The damage is that it is gone.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.during("set aside", &from)?,
            }
        }
        Ok(())
    }
}

/// The manifest body of these files.
pub(crate) fn body(run: RunName, step: Step, rank: Rank, world_size: WorldSize, files: Vec<FileEntry>) -> Body {
    Body { version: Body::VERSION, run, step, rank, world_size, files }
}

fn mark_sealed(tx: &mut Tx<'_>, run: &RunName, step: Step, rank: Rank, digest: Digest, wanted: u32) -> Result<()> {
    let at = tx.next_seq();
    let Some(mut checkpoint) = tx.checkpoint(run, step)? else { return Ok(()) };
    let Some(shard) = checkpoint.shards.get_mut(&rank) else { return Ok(()) };
    if shard.copy(Tier::Nvme).is_none_or(|copy| copy.verified.is_some()) {
        return Ok(());
    }
    shard.body = Some(digest);
    shard.add_copy(Tier::Nvme, at, true);
    if checkpoint.verified(Tier::Nvme) {
        tx.append(EventKind::CheckpointSealed { run: run.clone(), step })?;
    }
    checkpoint.note_copies(wanted, at);
    tx.put_checkpoint(&checkpoint)
}

/// Takes a damaged copy out of the count; false if it was out already.
pub(crate) fn drop_damaged(tx: &mut Tx<'_>, run: &RunName, step: Step, rank: Rank, detail: String) -> Result<bool> {
    let Some(mut checkpoint) = tx.checkpoint(run, step)? else { return Ok(false) };
    let Some(shard) = checkpoint.shards.get_mut(&rank) else { return Ok(false) };
    if shard.copy(Tier::Nvme).is_none() {
        return Ok(false);
    }
    let kind = EventKind::ShardCorrupt { run: run.clone(), step, rank, tier: Tier::Nvme, detail };
    let at = tx.append(kind)?;
    shard.drop_copy(Tier::Nvme, at);
    tx.put_checkpoint(&checkpoint)?;
    Ok(true)
}
