use std::time::Duration;

use tidegate_core::{BotName, Checkpoint, Effect, EffectId, EffectKind, Event, Job, Refusal, Tier, Why, guard};
use tidegate_store::{Tx, View};

use crate::{Error, Host, Result, newest::Newest};

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
            EffectKind::Replicate { target, not_before, .. } => {
                if target != self.0.target.name() {
                    return Err(Refusal::new(Why::NotFound, format!("there is no target {target}")));
                }
                admit_replicate(&checkpoint, not_before.since(self.0.clock.now()))
            }
            EffectKind::Prune { tier } => {
                let newest = Newest::in_view(view, run).map_err(unavailable)?;
                guard::admit_prune(&checkpoint, *tier, &self.around(run, step, newest))
            }
            EffectKind::Pin | EffectKind::Unpin => Ok("pins are always admitted".into()),
        }
    }

    /// The same for a bot that handles an event: everything is judged as it was at the event's place, so that the same event
    /// gets the same answer whenever it is handled, and in a replay. What has changed since is found when the job runs: it
    /// asks the guard again, of the present. `own` is the id that the effect will have; `fresh` are the bot's own effects of
    /// earlier events that are not written down yet.
    ///
    /// # Errors
    /// The refusal that the bot sees.
    pub(crate) fn admit_as_of(
        &self,
        view: &View,
        bot: &BotName,
        own: &EffectId,
        fresh: &[(&EffectId, &Effect)],
        effect: &Effect,
        event: &Event,
    ) -> Result<String, Refusal> {
        let (run, step) = (&effect.run, effect.step);
        let unavailable = |e: tidegate_store::Error| Refusal::new(Why::Unavailable, e.to_string());
        let found = view.checkpoint(run, step).map_err(unavailable)?.and_then(|checkpoint| checkpoint.as_of(event.seq));
        let Some(checkpoint) = found else {
            return Err(Refusal::new(Why::NotFound, format!("run {run} has no checkpoint at step {step}")));
        };
        let jobs = super::of(view, run, step).map_err(unavailable)?;
        let open = jobs.iter().filter(|job| job.id != *own && job.open_for(bot, event.seq));
        let all = open.map(|job| (&job.id, &job.effect)).chain(fresh.iter().copied());
        // The first by its id: where each of them is found depends on how far the writing has come.
        if let Some(id) = all.filter(|(_, it)| it.does_the_same(effect)).map(|(id, _)| id).min() {
            return Err(Refusal::new(Why::Unnecessary, format!("job {id} is doing this")));
        }
        match &effect.kind {
            EffectKind::Replicate { target, .. } if target != self.0.target.name() => {
                Err(Refusal::new(Why::NotFound, format!("there is no target {target}")))
            }
            EffectKind::Replicate { not_before, .. } => admit_replicate(&checkpoint, not_before.since(event.time)),
            EffectKind::Prune { tier } => {
                let newest = Newest::as_of(view, run, event.seq).map_err(unavailable)?;
                let around = guard::Surroundings { being_read: false, ..self.around(run, step, newest) };
                guard::admit_prune(&checkpoint, *tier, &around)
            }
            EffectKind::Pin | EffectKind::Unpin => Ok("pins are always admitted".into()),
        }
    }

    /// Writes an operator's effect down as a job. Durable when it returns.
    pub(crate) fn accept_from_operator(&self, effect: Effect) -> Result<EffectId> {
        // Counted: changes of one group share their time and their place in the journal.
        let nth = self.0.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let accept = move |tx: &mut Tx<'_>| {
            let (now, at) = (tx.now(), tx.next_seq());
            let seed = (u128::from(now.0) << 64) | u128::from(nth);
            let mut job = Job::accept(EffectId::of_operator(seed), "operator".into(), effect, now, at);
            super::accept(tx, &mut job)?;
            Ok::<_, Error>(job)
        };
        let job = self.0.store.index().write(accept)?;
        let id = job.id.clone();
        self.0.queue.add(job);
        Ok(id)
    }
}

/// A copy that waits keeps others from being asked for: not for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

fn admit_replicate(checkpoint: &Checkpoint, wait: Duration) -> Result<String, Refusal> {
    let name = format!("{} step {}", checkpoint.run, checkpoint.step);
    if wait > LONGEST_WAIT {
        return Err(Refusal::new(Why::Invalid, format!("{name}: not-before is more than a week away")));
    }
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
