use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tidegate_core::{Checkpoint, Clock, Code, Metrics, RunName, Step, WorldSize, quoted};
use tidegate_store::{Watched, Writer};
use tokio::sync::watch;

use super::{RestoreInfo, RestoreState};
use crate::{Error, Result, track::Track};

/// Restores that are remembered, running or not.
const MOST: usize = 1024;
/// How long a directory of the host's stays whose owner the kernel does not know (it was asked for over TCP).
const UNOWNED: Duration = Duration::from_secs(24 * 3600);

/// A restore while it is known. Clones are the same restore.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    run: RunName,
    step: Step,
    world_size: WorldSize,
    metrics: Metrics,
    bytes: u64,
    began: Duration,
    pub(super) path: PathBuf,
    /// Whether the host made the directory, and removes it.
    pub(super) ours: bool,
    /// Whose it is.
    pub(super) user: u32,
    /// The process that asked: with it goes a directory of the host's.
    owner: Option<Arc<Watched>>,
    pub(super) track: Track,
    nvme: Arc<AtomicU64>,
    object: Arc<AtomicU64>,
    end: watch::Sender<Option<(RestoreState, Duration)>>,
}

impl Entry {
    pub(super) fn new(
        checkpoint: &Checkpoint,
        path: PathBuf,
        ours: bool,
        owner: Option<Writer>,
        bytes: u64,
        began: Duration,
    ) -> Self {
        let user = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid);
        let owner = owner.and_then(Watched::open).map(Arc::new);
        let track = Track::default();
        track.set_total(bytes);
        let (run, step, world_size) = (checkpoint.run.clone(), checkpoint.step, checkpoint.world_size);
        let metrics = checkpoint.metrics.clone();
        let (nvme, object, end) = (Arc::default(), Arc::default(), watch::Sender::new(None));
        Self { run, step, world_size, metrics, bytes, began, path, ours, user, owner, track, nvme, object, end }
    }

    pub(super) fn came_from(&self, nvme: u64, object: u64) {
        self.nvme.fetch_add(nvme, Ordering::Relaxed);
        self.object.fetch_add(object, Ordering::Relaxed);
    }

    pub(super) fn finish(&self, outcome: Result<()>, now: Duration) {
        let state = outcome.map_or_else(RestoreState::Failed, |()| RestoreState::Done);
        self.end.send_replace(Some((state, now.saturating_sub(self.began))));
    }

    /// Whether nobody will release the directory that the host made.
    fn abandoned(&self, now: Duration) -> bool {
        let old = || {
            let end = self.end.borrow().as_ref().map(|(_, elapsed)| self.began.saturating_add(*elapsed));
            end.is_some_and(|end| now.saturating_sub(end) > UNOWNED)
        };
        self.ours && self.owner.as_ref().map_or_else(old, |owner| owner.is_gone())
    }

    /// Completes when it has ended.
    pub(super) async fn ended(&self) {
        let _ = self.end.subscribe().wait_for(Option::is_some).await;
    }

    pub(super) fn info(&self, id: &str, now: Duration) -> RestoreInfo {
        let end = self.end.borrow().clone();
        let (state, elapsed) = end.unwrap_or((RestoreState::Running, now.saturating_sub(self.began)));
        let done = if state == RestoreState::Done { self.bytes } else { self.track.done() };
        RestoreInfo {
            id: id.to_owned(),
            run: self.run.clone(),
            step: self.step,
            state,
            path: self.path.clone(),
            world_size: self.world_size,
            metrics: self.metrics.clone(),
            bytes_total: self.bytes,
            bytes_done: done,
            nvme: self.nvme.load(Ordering::Relaxed),
            object: self.object.load(Ordering::Relaxed),
            elapsed,
        }
    }
}

/// The restores that are known.
#[derive(Debug, Default)]
pub(crate) struct Restores {
    entries: Mutex<HashMap<String, Entry>>,
    next: AtomicU64,
}

impl Restores {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new name, and the monotonic time.
    pub(super) fn name(&self, clock: &dyn Clock) -> (String, Duration) {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        (format!("r{:x}-{nth}", clock.now().0), clock.monotonic())
    }

    pub(super) fn add(&self, id: String, entry: Entry) -> Result<()> {
        let mut entries = self.entries();
        if entries.len() >= MOST {
            // Those that ended and left nothing to remove may be forgotten.
            entries.retain(|_, entry| entry.end.borrow().is_none() || entry.ours);
        }
        if entries.len() >= MOST {
            return Err(Error::new(Code::TooMany, format!("{MOST} restores are known: release some")));
        }
        let running = |other: &Entry| other.end.borrow().is_none() && other.path == entry.path;
        if entries.values().any(running) {
            let detail = format!("another restore into {} is running", entry.path.display());
            return Err(Error::new(Code::TargetExists, detail));
        }
        entries.insert(id, entry);
        Ok(())
    }

    pub(super) fn abandoned(&self, now: Duration) -> Vec<String> {
        let entries = self.entries();
        entries.iter().filter(|(_, entry)| entry.abandoned(now)).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn get(&self, id: &str) -> Result<Entry> {
        self.entries().get(id).cloned().ok_or_else(|| unknown(id))
    }

    pub(super) fn remove(&self, id: &str) -> Result<Entry> {
        self.entries().remove(id).ok_or_else(|| unknown(id))
    }
}

fn unknown(id: &str) -> Error {
    Error::new(Code::UnknownRestore, format!("restore {} is not known", quoted(id)))
}
