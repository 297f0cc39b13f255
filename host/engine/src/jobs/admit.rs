use tidegate_core::{Checkpoint, Effect};
use tidegate_core::{EffectId, EffectKind, Job, Refusal, RunName, Step, Tier, Why, guard};
use tidegate_store::{Tx, View};

use super::put;
use crate::{Error, Host, Result};

impl Host {
    /// The guard: whether an effect may be accepted now, and why. Grants are not its matter: operators need none.
    ///
    /// # Errors
    /// The refusal that a bot sees.
    pub(crate) fn admit(&self, view: &View, effect: &Effect) -> Result<String, Refusal> {
        let (run, step) = (&effect.run, effect.step);
        let unavailable = |e: tidegate_store::Error| Refusal::new(Why::Unavailable, e.to_string());
        let found = view.checkpoint(run, step).map_err(unavailable)?.filter(|checkpoint| !checkpoint.gone());
        let Some(checkpoint) = found else {
            return Err(Refusal::new(Why::NotFound, format!("run {run} has no checkpoint at step {step}")));
        };
        if let Some(job) = self.0.queue.doing(run, step, &effect.kind) {
            return Err(Refusal::new(Why::Unnecessary, format!("job {job} is doing this")));
        }
        match &effect.kind {
            EffectKind::Replicate { target, .. } => {
                if target != self.0.target.name() {
                    return Err(Refusal::new(Why::NotFound, format!("there is no target {target}")));
                }
                admit_replicate(&checkpoint)
            }
            EffectKind::Prune { tier } => {
                let newest = view.newest_complete(run).map_err(unavailable)?.map(|newest| newest.step);
                guard::admit_prune(&checkpoint, *tier, &self.around(run, step, newest))
            }
            EffectKind::Pin | EffectKind::Unpin => Ok("pins are always admitted".into()),
        }
    }

    pub(crate) fn around(&self, run: &RunName, step: Step, newest: Option<Step>) -> guard::Surroundings {
        guard::Surroundings {
            newest_complete: newest,
            wanted_copies: self.0.options.wanted_copies,
            being_read: self.0.readers.is_read(run, step),
        }
    }

    /// Writes an operator's effect down as a job. Durable when it returns.
    pub(crate) fn accept_from_operator(&self, effect: Effect) -> Result<EffectId> {
        let accept = move |tx: &mut Tx<'_>| {
            let (now, at) = (tx.now(), tx.next_seq());
            // Unique: the same operator can't ask twice in one nanosecond for one and the same thing.
            let seed = (u128::from(now.0) << 64) ^ u128::from(at) ^ (u128::from(effect.step.get()) << 40);
            let job = Job::accept(EffectId::of_operator(seed), "operator".into(), effect, now, at);
            put(tx, &job)?;
            Ok::<_, Error>(job)
        };
        let job = self.0.store.index().write(accept)?;
        let id = job.id.clone();
        self.0.queue.add(job);
        Ok(id)
    }
}

fn admit_replicate(checkpoint: &Checkpoint) -> Result<String, Refusal> {
    let name = format!("{} step {}", checkpoint.run, checkpoint.step);
    if checkpoint.complete.is_none() {
        return Err(Refusal::new(Why::Unavailable, format!("{name} is not complete yet")));
    }
    if checkpoint.verified(Tier::Object) {
        return Err(Refusal::new(Why::Unnecessary, format!("{name} is on the target, verified")));
    }
    if !checkpoint.present(Tier::Nvme) {
        return Err(Refusal::new(Why::NotFound, format!("{name} has nothing on this host's NVMe")));
    }
    Ok("it is complete and not yet on the target".into())
}
