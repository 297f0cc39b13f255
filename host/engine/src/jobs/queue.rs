use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tidegate_core::{EffectId, EffectKind, Held, Job, JobState, RunName, Step, Timestamp};
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
/// The clock is read again after so long: it may have been set.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Carry this job out.
    Start(Job, Track),
    /// End this job: its deadline has passed while it waited, kept by this.
    Late(Job, Held),
    /// Nothing changes by itself for so long.
    Wait(Duration),
}

/// What is chosen, by its id.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Start(EffectId),
    Late(EffectId, Held),
    Wait(Duration),
}

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

    fn choose(&self, now: Timestamp, uploads: usize) -> Choice {
        let running = || self.by_id.values().filter(|entry| entry.running.is_some());
        let waiting = || self.by_id.values().filter(|entry| entry.running.is_none()).map(|entry| &entry.job);
        let is_copy = |job: &Job| matches!(job.effect.kind, EffectKind::Replicate { .. });
        let copies = running().filter(|entry| is_copy(&entry.job)).count();
        let deletions = running().count() - copies;
        // One job at a time for a checkpoint: a copy and a deletion of the same bytes must not meet.
        let busy: Vec<(&RunName, Step)> = running().map(|e| (&e.job.effect.run, e.job.effect.step)).collect();
        let is_busy = |job: &Job| busy.contains(&(&job.effect.run, job.effect.step));
        let may_start = |job: &&Job| {
            let room = if is_copy(job) { copies < uploads } else { deletions < 1 };
            room && job.not_before <= now && !is_busy(job)
        };
        // Those that are late first: none of them begins any more, and none waits for room to be told so.
        let late = waiting().filter(|job| job.deadline().is_some_and(|deadline| deadline <= now));
        if let Some(job) = late.min_by_key(|job| job.turn()) {
            let held = match job.deadline() {
                Some(deadline) if deadline <= job.created => Held::Acceptance,
                _ if is_busy(job) => Held::Checkpoint,
                _ => Held::Turn,
            };
            return Choice::Late(job.id.clone(), held);
        }
        if let Some(job) = waiting().filter(may_start).min_by_key(|job| job.turn()) {
            return Choice::Start(job.id.clone());
        }
        // What is kept by others is looked at again when one of them ends.
        let starts = waiting().map(|job| job.not_before).filter(|at| *at > now);
        let soonest = starts.chain(waiting().filter_map(Job::deadline)).min();
        Choice::Wait(soonest.map_or(LOOK_AGAIN, |at| at.since(now).min(LOOK_AGAIN)))
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

    /// What is to be done next. A job that is handed out is marked as running, until it is brought [`Queue::back`].
    pub(crate) fn next(&self, now: Timestamp, uploads: usize) -> Next {
        let mut entries = self.entries();
        let (id, late) = match entries.choose(now, uploads) {
            Choice::Start(id) => (id, None),
            Choice::Late(id, held) => (id, Some(held)),
            Choice::Wait(wait) => return Next::Wait(wait),
        };
        let Some(entry) = entries.by_id.get_mut(&id) else { return Next::Wait(Duration::ZERO) };
        let track = entry.running.insert(Track::default()).clone();
        match late {
            Some(held) => Next::Late(entry.job.clone(), held),
            None => Next::Start(entry.job.clone(), track),
        }
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
            // How it ended is in the index a moment before it leaves the queue.
            Some(progress) if !job.state.ended() => {
                job.state = JobState::Running;
                (progress.done(), progress.total())
            }
            _ => (job.bytes, job.bytes),
        };
        JobInfo { job, bytes_done, bytes_total }
    }

    /// Completes when something has changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_core::{Effect, Tier};

    use super::*;

    /// A copy of a step that may start at one time and gives up at another, seconds.
    fn copy(step: u64, not_before: u64, deadline: Option<u64>) -> Job {
        let at = |seconds| Timestamp(0).after(Duration::from_secs(seconds));
        let (target, not_before, deadline) = ("t".parse().unwrap(), at(not_before), deadline.map(at));
        job(step, EffectKind::Replicate { target, not_before, deadline, rate: None, priority: 5 })
    }

    fn job(step: u64, kind: EffectKind) -> Job {
        let effect = Effect { run: "r".parse().unwrap(), step: step.try_into().unwrap(), kind, reason: "x".into() };
        Job::accept(EffectId::of_operator(u128::from(step)), "b".into(), effect, Timestamp(0), 1)
    }

    fn entries(jobs: &[Job]) -> Entries {
        let mut entries = Entries::default();
        jobs.iter().cloned().for_each(|job| entries.insert(job));
        entries
    }

    fn start(entries: &mut Entries, job: &Job) {
        entries.by_id.get_mut(&job.id).unwrap().running = Some(Track::default());
    }

    const fn seconds(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn one_that_waits_for_its_time_ends_at_its_deadline_and_the_queue_wakes_for_it() {
        let mut job = copy(1, 20, Some(20));
        let queued = entries(std::slice::from_ref(&job));
        assert_eq!(queued.choose(seconds(5), 2), Choice::Wait(Duration::from_secs(15)));
        assert_eq!(queued.choose(seconds(20), 2), Choice::Late(job.id.clone(), Held::Turn));
        job.created = seconds(25);
        assert_eq!(entries(&[job.clone()]).choose(seconds(30), 2), Choice::Late(job.id, Held::Acceptance));
    }

    #[test]
    fn one_that_others_keep_from_its_turn_ends_at_its_deadline() {
        let (first, second) = (copy(1, 0, None), copy(2, 0, Some(20)));
        let mut full = entries(&[first.clone(), second.clone()]);
        start(&mut full, &first);
        assert_eq!(full.choose(seconds(5), 1), Choice::Wait(Duration::from_secs(15)));
        assert_eq!(full.choose(seconds(20), 1), Choice::Late(second.id.clone(), Held::Turn));
        assert_eq!(full.choose(seconds(20), 2), Choice::Late(second.id.clone(), Held::Turn), "no more than it may");
        assert_eq!(full.choose(seconds(5), 2), Choice::Start(second.id));
    }

    #[test]
    fn one_whose_checkpoint_is_being_worked_on_ends_at_its_deadline() {
        let copy = copy(1, 0, Some(20));
        let mut prune = job(1, EffectKind::Prune { tier: Tier::Nvme });
        prune.id = EffectId::of_operator(9);
        let mut entries = entries(&[copy.clone(), prune.clone()]);
        start(&mut entries, &prune);
        assert_eq!(entries.choose(seconds(20), 2), Choice::Late(copy.id, Held::Checkpoint));
    }

    #[test]
    fn one_that_is_being_carried_out_is_not_the_queues_to_end() {
        let job = copy(1, 0, Some(20));
        let mut entries = entries(std::slice::from_ref(&job));
        start(&mut entries, &job);
        assert_eq!(entries.choose(seconds(90), 2), Choice::Wait(LOOK_AGAIN));
    }
}
