use tidegate_core::{Checkpoint, Code, EventKind, Job, Outcome, Refusal, Tier, Why, guard};
use tidegate_store::Tx;

use crate::{Error, Host, Result, error::blocking, newest::Newest};

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

/// A refusal, or a failure of the store.
enum Stop {
    Refused(Refusal),
    Failed(Error),
}

impl From<tidegate_store::Error> for Stop {
    fn from(error: tidegate_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Asks the guard once more, inside the change that takes the copies out of the count.
fn ask_again(host: &Host, tx: &Tx<'_>, found: Option<&Checkpoint>, tier: Tier) -> Result<String, Stop> {
    let gone = || Stop::Refused(Refusal::new(Why::Unnecessary, "the checkpoint is not known any more"));
    let checkpoint = found.ok_or_else(gone)?;
    let newest = Newest::in_change(tx, &checkpoint.run)?;
    let around = host.around(&checkpoint.run, checkpoint.step, newest);
    guard::admit_prune(checkpoint, tier, &around).map_err(Stop::Refused)
}

/// Deletes from NVMe: first the index, synced, then the files.
pub(super) async fn from_nvme(host: &Host, job: &Job) -> Outcome {
    let (at_work, effect) = (host.clone(), job.effect.clone());
    let removed = blocking(move || {
        let asked = at_work.clone();
        let allow = move |tx: &Tx<'_>, found: Option<&Checkpoint>| ask_again(&asked, tx, found, Tier::Nvme);
        Ok::<_, Error>(at_work.0.store.remove(&effect.run, effect.step, effect.reason, allow))
    });
    match removed.await {
        Ok(Ok(removed)) => {
            Outcome::Done { bytes: removed.bytes, detail: format!("deleted from nvme: {}", removed.because) }
        }
        Ok(Err(Stop::Refused(refusal))) => outcome_of(&refusal),
        Ok(Err(Stop::Failed(error))) | Err(error) => Outcome::Retry(error.to_string()),
    }
}

/// Deletes from object storage: first the index, synced, so that nobody starts to read it; then marker, manifests and
/// data. A host that dies in between deletes the rest when the job runs again.
pub(super) async fn from_object(host: &Host, job: &Job) -> Outcome {
    let (asked, effect) = (host.clone(), job.effect.clone());
    let forget = move |tx: &mut Tx<'_>| {
        let found = tx.checkpoint(&effect.run, effect.step)?;
        let because = ask_again(&asked, tx, found.as_ref(), Tier::Object)?;
        if let Some(mut checkpoint) = found {
            let at = tx.next_seq();
            let bytes = checkpoint.bytes();
            checkpoint.shards.values_mut().for_each(|shard| shard.drop_copy(Tier::Object, at));
            let (run, step, reason) = (effect.run, effect.step, effect.reason);
            tx.append(EventKind::CheckpointPruned { run, step, tier: Tier::Object, bytes, reason })?;
            tx.put_checkpoint(&checkpoint)?;
        }
        Ok::<_, Stop>(because)
    };
    let because = match host.0.store.index().write_async(forget).await {
        Ok(because) => because,
        // Already forgotten: an earlier try may have died before it had deleted everything.
        Err(Stop::Refused(refusal)) if refusal.why == Why::Unnecessary => "finishing an earlier deletion".into(),
        Err(Stop::Refused(refusal)) => return outcome_of(&refusal),
        Err(Stop::Failed(error)) if error.code == Code::IndexBroken => return Outcome::Retry(error.to_string()),
        Err(Stop::Failed(error)) => return Outcome::Retry(error.to_string()),
    };
    match host.0.target.delete(&job.effect.run, job.effect.step).await {
        Ok(bytes) => Outcome::Done { bytes, detail: format!("deleted from {}: {because}", host.0.target) },
        Err(error) => Outcome::Retry(format!("the index has forgotten it, the objects are still there: {error}")),
    }
}
