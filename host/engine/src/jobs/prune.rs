use tidegate_core::{Checkpoint, EffectId, EventKind, Job, Outcome, Refusal, Tier, Why, guard};
use tidegate_store::Tx;

use crate::{Error, Host, Result, error::blocking, needs, newest::Newest};

/// What the guard's word means for a job that was admitted before.
fn outcome_of(refusal: &Refusal) -> Outcome {
    match refusal.why {
        Why::Unnecessary | Why::NotFound => {
            Outcome::Done { bytes: 0, detail: format!("nothing left to do: {}", refusal.message) }
        }
        Why::Unavailable => Outcome::Retry(refusal.message.clone()),
        _ => Outcome::Failed(format!("the guard refused it when it ran: {}", refusal.message)),
    }
}

/// What a try came to that found its job called off: it has ended already, and this changes nothing.
fn called_off() -> Outcome {
    Outcome::Failed("it was called off".into())
}

/// A refusal, or a failure of the store.
enum Stop {
    Refused(Refusal),
    /// The job was called off since it was handed out.
    CalledOff,
    Failed(Error),
}

impl From<tidegate_store::Error> for Stop {
    fn from(error: tidegate_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Asks once more whether it was called off, and the guard, inside the change that takes the copies out of the count.
fn ask_again(host: &Host, tx: &Tx<'_>, job: &EffectId, found: Option<&Checkpoint>, tier: Tier) -> Result<String, Stop> {
    if super::has_ended(tx, job)? {
        return Err(Stop::CalledOff);
    }
    let gone = || Stop::Refused(Refusal::new(Why::Unnecessary, "the checkpoint is not known any more"));
    let checkpoint = found.ok_or_else(gone)?;
    let newest = Newest::in_change(tx, &checkpoint.run)?;
    let around = host.around(&checkpoint.run, checkpoint.step, newest);
    guard::admit_prune(checkpoint, tier, &around).map_err(Stop::Refused)
}

/// Looks whether the copy in object storage that the index relies on is still there: somebody may have deleted it behind
/// the host's back, and the copy on NVMe would be the last. One that is not whole no longer counts. None if the deletion
/// may go on: also when the store does not answer, if no rule wants the checkpoint kept anyway.
async fn lost_elsewhere(host: &Host, job: &Job) -> Result<Option<Outcome>> {
    let (run, step) = (job.effect.run.clone(), job.effect.step);
    let (at_work, name) = (host.clone(), run.clone());
    let looked = blocking(move || {
        let view = at_work.0.store.index().view();
        let relied_on = view.checkpoint(&name, step)?.filter(|it| it.verified(Tier::Object));
        let Some(checkpoint) = relied_on else { return Ok(None) };
        let around = at_work.around(&name, step, Newest::in_view(&view, &name)?);
        Ok::<_, Error>(Some(guard::must_keep(&checkpoint, &around)))
    });
    let Some(rule) = looked.await? else { return Ok(None) };
    let lacking = match host.0.target.lacks(&run, step).await {
        Ok(None) => return Ok(None),
        Ok(Some(lacking)) => lacking,
        Err(error) => {
            return Ok(
                rule.map(|rule| Outcome::Retry(format!("{rule}, and its other copy can't be looked at: {error}")))
            );
        }
    };
    let detail = format!("the copy on {} is not whole any more: {lacking}", host.0.target);
    let told = detail.clone();
    let note = move |tx: &mut Tx<'_>| {
        let Some(mut checkpoint) = tx.checkpoint(&run, step)? else { return Ok(()) };
        let ranks: Vec<_> = checkpoint.shards.keys().copied().collect();
        for rank in ranks {
            let (run, detail) = (run.clone(), detail.clone());
            let at = tx.append(EventKind::ShardCorrupt { run, step, rank, tier: Tier::Object, detail })?;
            if checkpoint.damaged(Tier::Object, rank, at) {
                checkpoint.shards.entry(rank).and_modify(|shard| shard.add_copy(Tier::Object, at, false));
            }
        }
        tx.put_checkpoint(&checkpoint)?;
        Ok::<_, Error>(())
    };
    host.0.store.index().write_async(note).await?;
    Ok(Some(Outcome::Failed(told)))
}

/// Deletes from NVMe: first the index, synced, then the files.
pub(super) async fn from_nvme(host: &Host, job: &Job) -> Outcome {
    match lost_elsewhere(host, job).await {
        Ok(None) => {}
        Ok(Some(outcome)) => return outcome,
        Err(error) => return Outcome::Retry(error.to_string()),
    }
    let (at_work, effect, id) = (host.clone(), job.effect.clone(), job.id.clone());
    let removed = blocking(move || {
        let asked = at_work.clone();
        let allow = move |tx: &Tx<'_>, found: Option<&Checkpoint>| ask_again(&asked, tx, &id, found, Tier::Nvme);
        Ok::<_, Error>(at_work.0.store.remove(&effect.run, effect.step, effect.reason, allow))
    });
    match removed.await {
        Ok(Ok(removed)) => {
            Outcome::Done { bytes: removed.bytes, detail: format!("deleted from nvme: {}", removed.because) }
        }
        Ok(Err(Stop::Refused(refusal))) => outcome_of(&refusal),
        Ok(Err(Stop::CalledOff)) => called_off(),
        Ok(Err(Stop::Failed(error))) | Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Deletes from object storage: first the index, synced, so that nobody starts to read it; then marker, manifests and
/// data. A host that dies in between deletes the rest when the job runs again.
pub(super) async fn from_object(host: &Host, job: &Job) -> Outcome {
    let (run, step) = (&job.effect.run, job.effect.step);
    // Other hosts may have shipped what this one knows nothing of.
    match host.0.target.condemn(run, step).await {
        Ok(None) => {}
        Ok(Some(by)) => {
            return Outcome::Failed(format!("step {by} is kept on {} as differences from it", host.0.target));
        }
        Err(error) => return Outcome::Retry(error.to_string()),
    }
    let outcome = delete_condemned(host, job).await;
    // Whatever was refused stays, and may be a base again. What is to be tried again stays condemned.
    if matches!(outcome, Outcome::Failed(_))
        && let Err(error) = host.0.target.spare(run, step).await
    {
        tracing::warn!(%error, %run, %step, "a checkpoint that stays can't be a base until this is cleared");
    }
    outcome
}

async fn delete_condemned(host: &Host, job: &Job) -> Outcome {
    let (asked, effect, id) = (host.clone(), job.effect.clone(), job.id.clone());
    let forget = move |tx: &mut Tx<'_>| {
        let found = tx.checkpoint(&effect.run, effect.step)?;
        let because = ask_again(&asked, tx, &id, found.as_ref(), Tier::Object)?;
        if let Some(mut checkpoint) = found {
            let at = tx.next_seq();
            let bytes = checkpoint.bytes();
            let needed = checkpoint.bases();
            checkpoint.shards.values_mut().for_each(|shard| shard.drop_copy(Tier::Object, at));
            checkpoint.give_up();
            let (run, step, reason) = (effect.run, effect.step, effect.reason);
            tx.append(EventKind::CheckpointPruned { run, step, tier: Tier::Object, bytes, reason })?;
            tx.put_checkpoint(&checkpoint)?;
            needs::note(tx, &checkpoint, &needed, at)?;
        }
        Ok::<_, Stop>(because)
    };
    let because = match host.0.store.index().write_async(forget).await {
        Ok(because) => because,
        // Already forgotten: an earlier try may have died before it had deleted everything.
        Err(Stop::Refused(refusal)) if refusal.why == Why::Unnecessary => "finishing an earlier deletion".into(),
        Err(Stop::Refused(refusal)) => return outcome_of(&refusal),
        Err(Stop::CalledOff) => return called_off(),
        Err(Stop::Failed(error)) => return Outcome::Retry(error.to_string()),
    };
    match host.0.target.delete(&job.effect.run, job.effect.step).await {
        Ok(bytes) => Outcome::Done { bytes, detail: format!("deleted from {}: {because}", host.0.target) },
        Err(error) => Outcome::Retry(format!("the index has forgotten it, the objects are still there: {error}")),
    }
}
