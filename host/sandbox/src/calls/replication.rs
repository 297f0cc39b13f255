//! `replication.wit`: copies to object storage.

use tidegate_core::{EffectKind, JobState, Timestamp};

use crate::{
    bindings::tidegate::bot::{
        replication::{Host, Request},
        types::JobState as Told,
    },
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn replicate(&mut self, request: Request) -> Result<String, Stop> {
        let Request { run, step, target, encoding, not_before, deadline, rate, priority, reason } = request;
        let texts = run.len() + target.len() + reason.len() + encoding.as_ref().map_or(0, String::len);
        self.spend(texts)?;
        bounds::encoding(encoding.as_deref())?;
        let not_before = Timestamp(not_before);
        let kind = EffectKind::Replicate {
            target: bounds::target(target)?,
            not_before,
            deadline: bounds::until(deadline, not_before)?,
            rate: bounds::rate(rate)?,
            priority: bounds::priority(priority)?,
        };
        self.ask(run, step, kind, reason)
    }

    fn status(&mut self, effect: String) -> Result<Option<Told>, Stop> {
        self.spend(effect.len())?;
        let state = self.calls.status(bounds::effect(effect)?)?;
        Ok(state.map(|state| match state {
            JobState::Queued | JobState::Running => Told::Open,
            JobState::Done => Told::Done,
            JobState::Failed => Told::Failed,
            JobState::Cancelled => Told::Cancelled,
        }))
    }

    fn cancel(&mut self, effect: String, reason: String) -> Result<(), Stop> {
        self.spend(effect.len() + reason.len())?;
        self.calls.cancel(bounds::effect(effect)?, bounds::reason(reason)?)?;
        self.effects = self.effects.saturating_add(1);
        Ok(())
    }
}
