//! Accepted effects on their way: durable, retried, idempotent, visible, cancellable.
//!
//! A job is written into the index in the very change that accepts its effect. It runs when its time and its turn have
//! come, at most one at a time for a checkpoint. How it ended is one change as well: the job, what it did to the
//! checkpoint's record, and the fact in the journal. A host that dies in between carries the job out again, which does no
//! harm: copying finds the copy, deleting finds nothing left.

mod admit;
mod place;
mod prune;
mod queue;
mod replicate;
mod runner;

use std::ops::Bound;

use tidegate_core::{EffectId, EventKind, Job, JobState, Outcome, RunName, Step};
use tidegate_store::{Space, Tx, View, checkpoint_key};

pub use place::JobPlace;
pub use queue::JobInfo;
pub(crate) use queue::{Queue, forget};
pub(crate) use runner::run;

use crate::{Error, Host, Result, error::blocking};
use tidegate_core::Code;

/// Writes a job that was accepted.
pub(crate) fn put(tx: &mut Tx<'_>, job: &Job) -> Result<()> {
    Ok(tx.put(Space::Jobs, job.id.as_str().as_bytes(), job)?)
}

/// Writes a job down that is accepted with this change.
pub(crate) fn accept(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    job.since = tx.next_seq().saturating_sub(1);
    tx.put_bytes(Space::JobsOf, &of_checkpoint(job), Some(Vec::new()));
    put(tx, job)
}

/// The key under which a checkpoint's job is found.
pub(crate) fn of_checkpoint(job: &Job) -> Vec<u8> {
    [checkpoint_key(&job.effect.run, job.effect.step).as_slice(), job.id.as_str().as_bytes()].concat()
}

/// The jobs that concern a checkpoint, as far as they are remembered.
pub(crate) fn of(view: &View, run: &RunName, step: Step) -> tidegate_store::Result<Vec<Job>> {
    let low = checkpoint_key(run, step);
    // An id is made of digits and letters: nothing is beyond this.
    let high = [low.as_slice(), &[u8::MAX]].concat();
    let mut ids = Vec::new();
    view.scan(Space::JobsOf, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
        ids.extend(key.get(low.len()..).map(<[u8]>::to_vec));
        Ok(true)
    })?;
    let jobs = ids.iter().map(|id| view.get::<Job>(Space::Jobs, id));
    Ok(jobs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Writes how a try ended: the job, and the fact if it was the last try. Returns the job as it is now.
pub(crate) fn conclude(tx: &mut Tx<'_>, id: &EffectId, outcome: Outcome) -> Result<Option<Job>> {
    let Some(mut job) = tx.get::<Job>(Space::Jobs, id.as_str().as_bytes())? else { return Ok(None) };
    if job.state.ended() {
        return Ok(Some(job));
    }
    job.conclude(outcome, tx.now());
    finish(tx, &mut job)?;
    Ok(Some(job))
}

/// Writes a job; if it has ended, the fact as well.
fn finish(tx: &mut Tx<'_>, job: &mut Job) -> Result<()> {
    if job.state.ended() {
        let (run, step) = (job.effect.run.clone(), job.effect.step);
        let ok = job.state == JobState::Done;
        let mut detail = job.detail.clone();
        // The contract's bound on a detail; cut at a character.
        while detail.len() > 1024 {
            detail.pop();
        }
        let fact = EventKind::JobFinished { effect: job.id.clone(), by: job.by.clone(), run, step, ok, detail };
        job.ended = Some(tx.append(fact)?);
    }
    put(tx, job)
}

/// Whether a job has ended, or is not remembered any more.
pub(crate) fn has_ended(tx: &Tx<'_>, id: &EffectId) -> tidegate_store::Result<bool> {
    Ok(tx.get::<Job>(Space::Jobs, id.as_str().as_bytes())?.is_none_or(|job| job.state.ended()))
}

/// Calls a job off, in words of who does it. False if it has ended already.
pub(crate) fn call_off(tx: &mut Tx<'_>, mut job: Job, why: String) -> Result<bool> {
    if job.state.ended() {
        return Ok(false);
    }
    job.state = JobState::Cancelled;
    job.updated = tx.now();
    job.detail = why;
    finish(tx, &mut job).map(|()| true)
}

impl Host {
    /// Jobs after a place in the order of [`JobPlace`], at most `limit`.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn jobs(&self, after: Option<JobPlace>, limit: usize) -> Result<Vec<JobInfo>> {
        let host = self.clone();
        blocking(move || {
            let all = host.0.store.index().view().all::<Job>(Space::Jobs, usize::MAX)?;
            let placed = all.into_iter().map(|job| (JobPlace::of(&job), job));
            let mut jobs: Vec<(JobPlace, Job)> =
                placed.filter(|(place, _)| after.as_ref().is_none_or(|after| place > after)).collect();
            jobs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok::<_, Error>(jobs.into_iter().take(limit).map(|(_, job)| host.info(job)).collect())
        })
        .await
    }

    /// One job.
    ///
    /// # Errors
    /// [`Code::UnknownJob`].
    pub async fn job(&self, id: &EffectId) -> Result<JobInfo> {
        let found = self.0.store.index().view().get::<Job>(Space::Jobs, id.as_str().as_bytes())?;
        let job = found.ok_or_else(|| Error::new(Code::UnknownJob, format!("job {id} is not known")))?;
        Ok(self.info(job))
    }

    fn info(&self, job: Job) -> JobInfo {
        self.0.queue.info(job)
    }

    /// Calls a job off. What it has shipped stays where it is, and is used if the copy is asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownJob`]; [`Code::Ended`] if it has ended.
    pub async fn cancel(&self, id: &EffectId) -> Result<()> {
        let name = id.clone();
        let cancel = move |tx: &mut Tx<'_>| {
            let found = tx.get::<Job>(Space::Jobs, name.as_str().as_bytes())?;
            let job = found.ok_or_else(|| Error::new(Code::UnknownJob, format!("job {name} is not known")))?;
            match call_off(tx, job, "called off by the operator".into())? {
                true => Ok(()),
                false => Err(Error::new(Code::Ended, format!("job {name} has ended already"))),
            }
        };
        self.0.store.index().write_async(cancel).await?;
        self.0.queue.cancel(id);
        Ok(())
    }
}
