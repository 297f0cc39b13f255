use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::JoinHandle,
    time::Duration,
};

use tidegate_core::{Body, Digest, EventKind, FileEntry, Rank, RunName, Seq, Step, Tier, WorldSize, damage::is_damage};

use super::hash_files;
use crate::{
    Error, Index, Result, Tx,
    error::Context,
    store::read_commit,
    stripes::Stripes,
    tier::{CommitRecord, Layout, first_changed, write_record},
};

/// After a failure that is not the shard's (no memory, no descriptors), how long until it is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

type Name = (RunName, Step, Rank);

/// What seals: one thread that takes shards in the order of their commits.
#[derive(Debug)]
pub(crate) struct Sealer {
    work: Arc<Work>,
    queue: Option<mpsc::Sender<Name>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Work {
    layout: Arc<Layout>,
    index: Arc<Index>,
    threads: usize,
    wanted_copies: u32,
    /// One seals a shard at a time.
    sealing: Stripes,
    /// Held by whoever moves a shard's directory.
    directories: Arc<Stripes>,
    stop: AtomicBool,
}

impl Sealer {
    pub(crate) fn start(
        layout: Arc<Layout>,
        index: Arc<Index>,
        directories: Arc<Stripes>,
        threads: usize,
        wanted_copies: u32,
    ) -> Result<Self> {
        let root = layout.root().to_path_buf();
        let (sealing, stop) = (Stripes::new(), AtomicBool::new(false));
        let work = Arc::new(Work { layout, index, threads, wanted_copies, sealing, directories, stop });
        // Not bounded by itself: it holds names of committed shards, and the tier holds their bytes.
        let (queue, inbox) = mpsc::channel::<Name>();
        let at_work = work.clone();
        let thread = std::thread::Builder::new().name("tidegate-seal".into()).spawn(move || at_work.run(&inbox));
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
        self.work.quarantine(run, step, rank, None, detail)
    }

    /// Becomes true when all making of digests is to end.
    pub(crate) fn ending(&self) -> &AtomicBool {
        &self.work.stop
    }

    /// Ends sealing after the block that is being read, whoever asked for it: it goes on after the next start.
    pub(crate) fn end(&self) {
        self.work.stop.store(true, Ordering::Relaxed);
    }

    fn stop(&mut self) {
        self.end();
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
    fn run(&self, inbox: &mpsc::Receiver<Name>) {
        let mut later: VecDeque<Name> = VecDeque::new();
        while !self.stop.load(Ordering::Relaxed) {
            let next = match later.is_empty() {
                true => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => inbox.recv_timeout(AGAIN_AFTER),
            };
            let name = match next {
                Ok(name) => Some(name),
                Err(RecvTimeoutError::Timeout) => later.pop_front(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Some((run, step, rank)) = name else { continue };
            match self.seal(&run, step, rank) {
                Ok(()) => {}
                Err(Error::Closing) => return,
                Err(error) => {
                    tracing::error!(%run, %step, %rank, %error, "a shard could not be sealed");
                    if !speaks_of_the_bytes(&error) {
                        later.push_back((run, step, rank));
                    }
                }
            }
        }
    }

    /// Durable when it returns: first the body beside the files, then the index. A crash between the two leaves a body
    /// that is written again. Files that are not what was committed are set aside; a failure that says nothing about
    /// them changes nothing.
    fn seal(&self, run: &RunName, step: Step, rank: Rank) -> Result<()> {
        let _one_at_a_time = self.sealing.lock(run, step, rank);
        let known = self.index.view().checkpoint(run, step)?;
        let wanted = known.as_ref().and_then(|known| known.shards.get(&rank));
        let Some(copy) = wanted.and_then(|shard| shard.copy(Tier::Nvme)) else { return Ok(()) };
        if copy.verified.is_some() {
            return Ok(());
        }
        let since = copy.since;
        let dir = self.layout.shard(run, step, rank);
        match self.make_body(&dir) {
            Ok(body) => {
                let bytes = body.encode()?;
                let _one_at_a_time = self.directories.lock(run, step, rank);
                // Pruned, and perhaps committed again, while it was read: what stands there now is another one's.
                if !self.is_since(run, step, rank, since)? {
                    return Ok(());
                }
                write_record(&dir, "body.cbor", &bytes, true)?;
                let (run, digest, wanted) = (run.clone(), Digest::of(&bytes), self.wanted_copies);
                self.index.write(move |tx| mark_sealed(tx, &run, step, rank, since, digest, wanted))
            }
            Err(error) => {
                if speaks_of_the_bytes(&error) {
                    self.quarantine(run, step, rank, Some(since), error.to_string())?;
                }
                Err(error)
            }
        }
    }

    /// Whether the copy on NVMe is still the one that came then.
    fn is_since(&self, run: &RunName, step: Step, rank: Rank, since: Seq) -> Result<bool> {
        let known = self.index.view().checkpoint(run, step)?;
        let copy = known.as_ref().and_then(|known| known.shards.get(&rank)?.copy(Tier::Nvme));
        Ok(copy.is_some_and(|copy| copy.since == since))
    }

    fn make_body(&self, dir: &std::path::Path) -> Result<Body> {
        let CommitRecord { run, step, rank, world_size, files, .. } = read_commit(dir)?;
        let top = dir.join("files");
        let entries = hash_files(&top, &files, self.threads, &self.stop)?;
        // The digests must be those of what was committed: a file that changed since is caught by its size and time.
        if let Some(changed) = first_changed(&files, &top)? {
            return Err(Error::Damaged(format!("{} changed after it was committed", changed.path)));
        }
        Ok(body(run, step, rank, world_size, entries))
    }

    /// Sets a damaged shard aside: it no longer counts as a copy. With `since`, only the copy that came then: the shard
    /// may have been pruned and committed again while the old files were read.
    fn quarantine(&self, run: &RunName, step: Step, rank: Rank, since: Option<Seq>, detail: String) -> Result<()> {
        let name = run.clone();
        let changed = self.index.write(move |tx| drop_damaged(tx, &name, step, rank, since, detail))?;
        let _one_at_a_time = self.directories.lock(run, step, rank);
        // It may have been committed again since: what stands there then is good.
        if changed && !self.index.view().holds(run, step, rank)? {
            let name = format!("{run}.{step}.{rank}");
            self.layout.set_aside(&self.layout.shard(run, step, rank), &name)?;
        }
        Ok(())
    }
}

/// Whether a failure to read a shard says that its bytes are wrong or gone, and not only that they can't be had now.
pub(crate) fn speaks_of_the_bytes(error: &Error) -> bool {
    match error {
        Error::Damaged(_) | Error::Record(_) | Error::Manifest(_) => true,
        Error::Io { source, .. } => is_damage(source),
        _ => false,
    }
}

/// The manifest body of these files.
pub(crate) fn body(run: RunName, step: Step, rank: Rank, world_size: WorldSize, files: Vec<FileEntry>) -> Body {
    Body { version: Body::VERSION, run, step, rank, world_size, files }
}

fn mark_sealed(
    tx: &mut Tx<'_>,
    run: &RunName,
    step: Step,
    rank: Rank,
    since: Seq,
    digest: Digest,
    wanted: u32,
) -> Result<()> {
    let at = tx.next_seq();
    let Some(mut checkpoint) = tx.checkpoint(run, step)? else { return Ok(()) };
    let Some(shard) = checkpoint.shards.get_mut(&rank) else { return Ok(()) };
    if shard.copy(Tier::Nvme).is_none_or(|copy| copy.verified.is_some() || copy.since != since) {
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

/// Takes a damaged copy out of the count, with `since` only the one that came then; false if it was out already.
pub(crate) fn drop_damaged(
    tx: &mut Tx<'_>,
    run: &RunName,
    step: Step,
    rank: Rank,
    since: Option<Seq>,
    detail: String,
) -> Result<bool> {
    let Some(mut checkpoint) = tx.checkpoint(run, step)? else { return Ok(false) };
    let there = checkpoint.shards.get(&rank).and_then(|shard| shard.copy(Tier::Nvme));
    if there.is_none_or(|copy| since.is_some_and(|since| copy.since != since)) {
        return Ok(false);
    }
    let kind = EventKind::ShardCorrupt { run: run.clone(), step, rank, tier: Tier::Nvme, detail };
    let at = tx.append(kind)?;
    checkpoint.damaged(Tier::Nvme, rank, at);
    tx.put_checkpoint(&checkpoint)?;
    Ok(true)
}
