use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tidegate_core::{EffectId, EffectKind, Job, JobState, RunName, Step, Timestamp};
use tidegate_store::{Space, Store, Tx, View};
use tokio::sync::Notify;

use crate::{JobFigures, Result, track::Track};

/// A job, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInfo {
    /// The job.
    pub job: Job,
    /// Bytes moved so far.
    pub bytes_done: u64,
    /// Bytes in all, once known.
    pub bytes_total: u64,
}

/// Jobs that have ended and are still shown.
const REMEMBERED: usize = 10_000;

#[derive(Debug)]
struct Entry {
    job: Job,
    running: Option<Track>,
}

#[derive(Debug, Default)]
struct Entries {
    by_id: HashMap<EffectId, Entry>,
    by_checkpoint: HashMap<(RunName, Step), Vec<EffectId>>,
    /// Those that have ended; the others are counted when somebody asks.
    ended: JobFigures,
}

impl Entries {
    fn insert(&mut self, job: Job) {
        let ids = self.by_checkpoint.entry((job.effect.run.clone(), job.effect.step)).or_default();
        if !ids.contains(&job.id) {
            ids.push(job.id.clone());
        }
        self.by_id.insert(job.id.clone(), Entry { job, running: None });
    }

    fn choose(&self, now: Timestamp, uploads: usize) -> Result<EffectId, Duration> {
        let running = || self.by_id.values().filter(|entry| entry.running.is_some());
        let is_copy = |job: &Job| matches!(job.effect.kind, EffectKind::Replicate { .. });
        let copies = running().filter(|entry| is_copy(&entry.job)).count();
        let deletions = running().count() - copies;
        // One job at a time for a checkpoint: a copy and a deletion of the same bytes must not meet.
        let busy: Vec<(&RunName, Step)> = running().map(|e| (&e.job.effect.run, e.job.effect.step)).collect();
        let may_start = |entry: &&Entry| {
            let room = if is_copy(&entry.job) { copies < uploads } else { deletions < 1 };
            entry.running.is_none() && room && !busy.contains(&(&entry.job.effect.run, entry.job.effect.step))
        };
        let due = |entry: &&Entry| entry.job.not_before <= now;
        let first = self.by_id.values().filter(may_start).filter(due).min_by_key(|entry| entry.job.turn());
        if let Some(entry) = first {
            return Ok(entry.job.id.clone());
        }
        let most = Duration::from_secs(60);
        let soonest = self.by_id.values().filter(may_start).map(|entry| entry.job.not_before).min();
        Err(soonest.map_or(most, |at| at.since(now).min(most)))
    }

    /// Lets go of a job that has ended.
    fn remove(&mut self, id: &EffectId, state: JobState) {
        let Some(entry) = self.by_id.remove(id) else { return };
        self.ended.ended(state);
        let name = (entry.job.effect.run, entry.job.effect.step);
        if let Some(ids) = self.by_checkpoint.get_mut(&name) {
            ids.retain(|other| other != id);
            if ids.is_empty() {
                self.by_checkpoint.remove(&name);
            }
        }
    }
}

/// The keys of the jobs that ended longest ago, beyond those that are remembered.
pub(crate) fn forget(view: &View) -> Result<Vec<(Space, Vec<u8>)>> {
    let jobs = view.all::<Job>(Space::Jobs, usize::MAX)?;
    let mut ended: Vec<Job> = jobs.into_iter().filter(|job| job.state.ended()).collect();
    ended.sort_by_key(|job| std::cmp::Reverse(job.updated));
    let keys =
        |job: &Job| [(Space::Jobs, job.id.as_str().as_bytes().to_vec()), (Space::JobsOf, super::of_checkpoint(job))];
    Ok(ended.iter().skip(REMEMBERED).flat_map(keys).collect())
}

/// The jobs that have not ended, in memory; each is in the index as well.
#[derive(Debug)]
pub(crate) struct Queue {
    entries: Mutex<Entries>,
    changed: Notify,
}

impl Queue {
    /// Reads the jobs of the index that have not ended.
    pub(crate) fn load(store: &Store) -> Result<Self> {
        let jobs = store.index().view().all::<Job>(Space::Jobs, usize::MAX)?;
        let mut entries = Entries::default();
        jobs.into_iter().filter(|job| !job.state.ended()).for_each(|job| entries.insert(job));
        // An older version of the host did not write them.
        let keys: Vec<_> = entries.by_id.values().map(|entry| super::of_checkpoint(&entry.job)).collect();
        let view = store.index().view();
        let missing: Vec<Vec<u8>> =
            keys.into_iter().filter(|key| matches!(view.bytes(Space::JobsOf, key), Ok(None))).collect();
        if !missing.is_empty() {
            let write = move |tx: &mut Tx<'_>| {
                missing.iter().for_each(|key| tx.put_bytes(Space::JobsOf, key, Some(Vec::new())));
                Ok::<_, crate::Error>(())
            };
            store.index().write(write)?;
        }
        Ok(Self { entries: Mutex::new(entries), changed: Notify::new() })
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries().by_id.len()
    }

    /// How many jobs there are, and have ended since the host started.
    pub(crate) fn figures(&self) -> JobFigures {
        let entries = self.entries();
        let running = entries.by_id.values().filter(|entry| entry.running.is_some()).count() as u64;
        JobFigures { queued: entries.by_id.len() as u64 - running, running, ..entries.ended }
    }

    /// Takes in a job that is in the index.
    pub(crate) fn add(&self, job: Job) {
        let mut entries = self.entries();
        if !entries.by_id.contains_key(&job.id) {
            entries.insert(job);
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// The job that is doing this already, if one is.
    pub(crate) fn doing(&self, run: &RunName, step: Step, kind: &EffectKind) -> Option<EffectId> {
        let same = |job: &Job| job.effect.kind.same_place(kind);
        let entries = self.entries();
        let ids = entries.by_checkpoint.get(&(run.clone(), step))?;
        ids.iter().find(|id| entries.by_id.get(id).is_some_and(|entry| same(&entry.job))).cloned()
    }

    /// The next job whose time and turn have come, marked as running; or how long to wait at most.
    pub(crate) fn next(&self, now: Timestamp, uploads: usize) -> Result<(Job, Track), Duration> {
        let mut entries = self.entries();
        let id = entries.choose(now, uploads)?;
        let Some(entry) = entries.by_id.get_mut(&id) else { return Err(Duration::ZERO) };
        let track = entry.running.insert(Track::default()).clone();
        Ok((entry.job.clone(), track))
    }

    /// A try has ended: the job goes if it has ended, and else waits for its next time.
    pub(crate) fn back(&self, id: &EffectId, job: Option<Job>) {
        let mut entries = self.entries();
        match job {
            Some(job) if job.state.ended() => entries.remove(id, job.state),
            Some(job) => entries.insert(job),
            // Nobody remembers it any more: what it came to is not known.
            None => entries.remove(id, JobState::Queued),
        }
        drop(entries);
        self.changed.notify_one();
    }

    /// Stops a job that was called off.
    pub(crate) fn cancel(&self, id: &EffectId) {
        let mut entries = self.entries();
        match entries.by_id.get(id).map(|entry| entry.running.clone()) {
            Some(Some(progress)) => progress.cancel(),
            _ => entries.remove(id, JobState::Cancelled),
        }
    }

    /// A job with what is known of it while it runs.
    pub(crate) fn info(&self, mut job: Job) -> JobInfo {
        let progress = self.entries().by_id.get(&job.id).and_then(|entry| entry.running.clone());
        let (bytes_done, bytes_total) = match progress {
            Some(progress) => {
                job.state = JobState::Running;
                (progress.done(), progress.total())
            }
            None => (job.bytes, job.bytes),
        };
        JobInfo { job, bytes_done, bytes_total }
    }

    /// Completes when something has changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}
