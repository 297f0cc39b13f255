//! Checkpoints back into directories. A restore is asked, watched and released; the host forgets it when it is released
//! or stops. A directory that the host made goes with the process that asked, at the latest: a trainer that is killed
//! leaves no copy behind. A restore holds its checkpoint against every prune while it runs.

mod book;
mod partial;
mod work;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) use book::Restores;
use partial::Partial;
use tidegate_core::{Checkpoint, Code, Metrics, Rank, RunName, Step, WorldSize, quoted};
use tidegate_store::{Tx, Writer};

use crate::{
    CheckpointInfo, Error, Host, Result,
    catalog::{lost_checkpoint, unknown_checkpoint},
    error::blocking,
    saves::check_owner,
};

/// Bytes of a directory that is asked for: what Linux takes for a path, less the end.
const PATH_BYTES: usize = 4095;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The run.
    pub run: RunName,
    /// The step; none means the newest complete one.
    pub step: Option<Step>,
    /// Whose shares; none means all.
    pub ranks: Option<Vec<Rank>>,
    /// An absolute directory that does not exist, in one that does. None: one on the tier, removed at the release or when
    /// its owner is gone.
    pub into: Option<PathBuf>,
    /// Who asks, if the kernel knows: the directory will be theirs, and nobody else can read it. None: the host's own.
    pub owner: Option<Writer>,
}

/// How a restore stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreState {
    /// Bytes are on their way.
    Running,
    /// All is there, every block verified, durable.
    Done,
    /// Nothing is there.
    Failed(Error),
}

/// A restore.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoreInfo {
    /// Names it.
    pub id: String,
    /// The run.
    pub run: RunName,
    /// The step.
    pub step: Step,
    /// How it stands.
    pub state: RestoreState,
    /// Holds, or will hold, `rank-00000`, `rank-00001`, ...
    pub path: PathBuf,
    /// Of how many ranks the checkpoint is.
    pub world_size: WorldSize,
    /// What the trainer reported with it.
    pub metrics: Metrics,
    /// Bytes to restore.
    pub bytes_total: u64,
    /// Bytes restored so far.
    pub bytes_done: u64,
    /// Bytes that came from NVMe.
    pub nvme: u64,
    /// Bytes that came from object storage.
    pub object: u64,
    /// How long it took, or takes so far.
    pub elapsed: Duration,
}

impl Host {
    /// Begins a restore.
    ///
    /// # Errors
    /// An unknown or incomplete checkpoint; a directory that exists or is not absolute; no room; too many at once.
    pub async fn restore(&self, request: RestoreRequest) -> Result<RestoreInfo> {
        self.check_running()?;
        let into = request.into.as_deref().map(|into| self.check_into(into, request.owner)).transpose()?;
        let CheckpointInfo { checkpoint, .. } = match request.step {
            Some(step) => {
                // An unknown run is looked for as a whole.
                self.find_run(&request.run).await?;
                self.find_step(&request.run, step).await?;
                self.checkpoint(&request.run, step).await?
            }
            None => self.latest(&request.run).await?,
        };
        // Registered before the record is looked at again: from here on nothing deletes it.
        let reading = self.0.readers.hold(&request.run, checkpoint.step);
        let checkpoint = self.current(&request.run, checkpoint.step).await?;
        if checkpoint.complete.is_none() {
            let (run, step, known) = (&request.run, checkpoint.step, checkpoint.shards.len());
            let detail = format!("run {run} step {step}: {known} of {} ranks have committed", checkpoint.world_size);
            return Err(Error::new(Code::NotComplete, detail));
        }
        let ranks = choose_ranks(&checkpoint, request.ranks)?;
        // A copy that was found damaged can be tried, and perhaps all of it can still be had; one that is gone can't.
        let nowhere =
            |rank: &Rank| checkpoint.shards.get(rank).is_some_and(|it| it.copies.iter().all(|copy| !copy.live()));
        if ranks.iter().any(nowhere) {
            return Err(lost_checkpoint(&checkpoint));
        }
        let bytes =
            checkpoint.shards.iter().filter(|(rank, _)| ranks.contains(rank)).map(|(_, shard)| shard.bytes).sum();
        let (id, now) = self.0.restores.name(self.0.clock.as_ref());
        let ours = into.is_none();
        let path = into.unwrap_or_else(|| self.0.store.restore_dir(&id));
        // On the tier it competes with saves.
        let beside = partial::path(&path, &id);
        let room = ours.then(|| self.0.store.promise_room(beside.clone(), bytes)).transpose()?;
        let partial = match ours {
            true => Partial::on_the_tier(beside).await?,
            false => {
                check_space(&beside, bytes)?;
                Partial::elsewhere(self, beside, &id).await?
            }
        };
        let entry = book::Entry::new(&checkpoint, path, ours, request.owner, bytes, now);
        self.0.restores.add(id.clone(), entry.clone())?;
        let host = self.clone();
        let name = id.clone();
        self.0.tasks.spawn(async move {
            let stopping = host.0.stopping.clone();
            let outcome = tokio::select! {
                outcome = work::run(&host, &checkpoint, &ranks, &entry, partial, request.owner) => outcome,
                () = stopping.cancelled() => Err(Error::new(Code::Draining, "the host is stopping")),
            };
            if let Err(error) = &outcome {
                tracing::warn!(id = name, run = %checkpoint.run, step = %checkpoint.step, %error, "a restore failed");
            }
            entry.finish(outcome, host.0.clock.monotonic());
            drop((reading, room));
        });
        self.restore_info(&id, Duration::ZERO).await
    }

    /// The record behind every change that has been decided, also one that is not synced yet: a prune whose guard looked
    /// before the reader was registered is seen here, and one that comes later sees the reader.
    async fn current(&self, run: &RunName, step: Step) -> Result<Checkpoint> {
        let name = run.clone();
        let look = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.checkpoint(&name, step)?);
        let found = self.0.store.index().write_async(look).await?.filter(Checkpoint::known);
        found.ok_or_else(|| unknown_checkpoint(run, step))
    }

    /// How a restore stands; waits for its end, at most `wait`.
    ///
    /// # Errors
    /// [`Code::UnknownRestore`].
    pub async fn restore_info(&self, id: &str, wait: Duration) -> Result<RestoreInfo> {
        let entry = self.0.restores.get(id)?;
        let _ = tokio::time::timeout(wait, entry.ended()).await;
        Ok(entry.info(id, self.0.clock.monotonic()))
    }

    /// Whether this user may release a restore: who asked for it, the host's own user, and root.
    ///
    /// # Errors
    /// [`Code::UnknownRestore`], [`Code::OtherUser`].
    pub fn check_restore_owner(&self, id: &str, user: Option<u32>) -> Result<()> {
        check_owner(&format!("restore {id}"), self.0.restores.get(id)?.user, user)
    }

    /// Releases what nobody will release: directories of the host's whose process is gone.
    pub(crate) fn reap_restores(&self) {
        for id in self.0.restores.abandoned(self.0.clock.monotonic()) {
            tracing::info!(id, "the process that asked for a restore is gone; its directory is removed");
            // On its own: one that still makes digests must not hold up the others, and not the reaping of saves.
            let host = self.clone();
            self.0.tasks.spawn(async move {
                match host.release_restore(&id).await {
                    // Released meanwhile.
                    Ok(()) | Err(Error { code: Code::UnknownRestore, .. }) => {}
                    Err(error) => tracing::warn!(id, %error, "an abandoned restore could not be removed"),
                }
            });
        }
    }

    /// Forgets a restore: one that runs is called off, a directory that the host made is removed, one that was asked for
    /// by name stays.
    ///
    /// # Errors
    /// [`Code::UnknownRestore`]; a file system that refuses.
    pub async fn release_restore(&self, id: &str) -> Result<()> {
        let entry = self.0.restores.remove(id)?;
        entry.track.cancel();
        entry.ended().await;
        if entry.ours {
            let (store, id) = (self.0.store.clone(), id.to_owned());
            blocking(move || store.release_restore(&id)).await?;
        }
        Ok(())
    }
}

impl Host {
    /// The host writes with its own rights: it does so only for itself and for root, who has more.
    fn check_into(&self, into: &Path, owner: Option<Writer>) -> Result<PathBuf> {
        let own = rustix::process::geteuid().as_raw();
        if let Some(other) = owner.filter(|owner| owner.uid != own && owner.uid != 0) {
            let detail = format!("into: the host runs as user {own} and you are user {}", other.uid);
            return Err(Error::new(Code::OtherUser, detail));
        }
        if into.as_os_str().len() > PATH_BYTES {
            let detail = format!("into: {} is longer than {PATH_BYTES} bytes", quoted(&into.to_string_lossy()));
            return Err(Error::new(Code::BadRequest, detail));
        }
        let plain = |part| !matches!(part, std::path::Component::ParentDir | std::path::Component::CurDir);
        if !into.is_absolute() || !into.components().all(plain) || into.file_name().is_none() {
            let detail = format!("into: {} is not an absolute path without . and ..", into.display());
            return Err(Error::new(Code::BadRequest, detail));
        }
        match into.symlink_metadata() {
            Ok(_) => return Err(Error::new(Code::TargetExists, format!("{} exists", into.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::new(Code::BadRequest, format!("into: {}: {error}", into.display()))),
        }
        let above = into.parent().and_then(|above| above.canonicalize().ok()).filter(|above| above.is_dir());
        let Some(above) = above else {
            let detail = format!("into: the directory above {} does not exist", into.display());
            return Err(Error::new(Code::BadRequest, detail));
        };
        let within = |private: &&PathBuf| private.canonicalize().is_ok_and(|private| above.starts_with(private));
        if let Some(private) = self.0.options.private.iter().find(within) {
            let detail = format!("into: {} is inside {}, which is the host's own", into.display(), private.display());
            return Err(Error::new(Code::BadRequest, detail));
        }
        Ok(into.to_owned())
    }
}

/// Whether so many bytes fit where a restore is made. Saves and other writers there are not known: it may fill up later.
fn check_space(path: &Path, bytes: u64) -> Result<()> {
    let above = path.parent().unwrap_or(path);
    let stat = rustix::fs::statvfs(above)
        .map_err(|error| Error::new(Code::BadRequest, format!("into: {}: {error}", above.display())))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if bytes <= free {
        return Ok(());
    }
    Err(Error::new(Code::NoSpace, format!("into: the restore needs {bytes} bytes and {} has {free}", above.display())))
}

fn choose_ranks(checkpoint: &tidegate_core::Checkpoint, asked: Option<Vec<Rank>>) -> Result<Vec<Rank>> {
    let Some(mut asked) = asked else { return Ok(checkpoint.shards.keys().copied().collect()) };
    asked.sort_unstable();
    asked.dedup();
    match asked.iter().find(|rank| !checkpoint.shards.contains_key(rank)) {
        Some(unknown) => {
            let (run, step) = (&checkpoint.run, checkpoint.step);
            Err(Error::new(Code::UnknownCheckpoint, format!("run {run} step {step} has no rank {unknown}")))
        }
        None if asked.is_empty() => Err(Error::new(Code::BadRequest, "ranks: name at least one")),
        None => Ok(asked),
    }
}
