//! `checkpoints.wit`: the catalogue, and what may be asked of it.

use tidegate_core::{Effect, EffectKind};

use crate::{
    bindings::tidegate::bot::{
        checkpoints::{Host, Page, Verdict},
        types::{Checkpoint, Tier},
    },
    bounds,
    calls::convert,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn runs(&mut self, after: Option<String>) -> Result<Vec<String>, Stop> {
        self.spend(after.as_ref().map_or(0, String::len))?;
        let after = after.map(bounds::run).transpose()?;
        let runs = self.calls.runs(after)?;
        Ok(runs.into_iter().take(bounds::PAGE as usize).map(String::from).collect())
    }

    fn list_checkpoints(&mut self, run: String, before: Option<u64>, limit: u32) -> Result<Page, Stop> {
        let (items, next) = self.list(run, before, limit)?;
        Ok(Page { items: items.iter().map(convert::checkpoint).collect(), next })
    }

    fn get_checkpoint(&mut self, run: String, step: u64) -> Result<Option<Checkpoint>, Stop> {
        Ok(self.get(run, step)?.as_ref().map(convert::checkpoint))
    }

    fn plan_prune(&mut self, run: String, steps: Vec<u64>, tier: Tier) -> Result<Vec<Verdict>, Stop> {
        self.spend(run.len() + size_of_val(steps.as_slice()))?;
        let (run, steps) = (bounds::run(run)?, bounds::steps(steps)?);
        let verdicts = self.calls.plan_prune(run, steps, convert::tier_from(tier))?;
        let told = |it: tidegate_core::Verdict| Verdict {
            step: it.step.get(),
            allowed: it.allowed,
            because: bounds::shortened(&it.because, 1024),
        };
        Ok(verdicts.into_iter().take(bounds::PAGE as usize).map(told).collect())
    }

    fn pin(&mut self, run: String, step: u64, reason: String) -> Result<String, Stop> {
        self.effect(run, step, EffectKind::Pin, reason)
    }

    fn unpin(&mut self, run: String, step: u64, reason: String) -> Result<String, Stop> {
        self.effect(run, step, EffectKind::Unpin, reason)
    }

    fn prune(&mut self, run: String, step: u64, tier: Tier, reason: String) -> Result<String, Stop> {
        self.effect(run, step, EffectKind::Prune { tier: convert::tier_from(tier) }, reason)
    }
}

impl Guest {
    /// A page of a listing, for every version of the contract.
    pub(crate) fn list(
        &mut self,
        run: String,
        before: Option<u64>,
        limit: u32,
    ) -> Result<(Vec<tidegate_core::Checkpoint>, Option<u64>), Stop> {
        self.spend(run.len())?;
        let (run, limit) = (bounds::run(run)?, bounds::limit(limit)?);
        let before = before.map(bounds::step).transpose()?;
        let (mut items, next) = self.calls.list(run, before, limit)?;
        items.truncate(limit as usize);
        Ok((items, next.map(u64::from)))
    }

    /// One checkpoint, likewise.
    pub(crate) fn get(&mut self, run: String, step: u64) -> Result<Option<tidegate_core::Checkpoint>, Stop> {
        self.spend(run.len())?;
        Ok(self.calls.get(bounds::run(run)?, bounds::step(step)?)?)
    }

    /// Any effect on a checkpoint but a copy.
    pub(crate) fn effect(&mut self, run: String, step: u64, kind: EffectKind, reason: String) -> Result<String, Stop> {
        self.spend(run.len() + reason.len())?;
        self.ask(run, step, kind, reason)
    }

    /// Passes an effect on; its values are checked here, except for those in `kind`.
    pub(super) fn ask(&mut self, run: String, step: u64, kind: EffectKind, reason: String) -> Result<String, Stop> {
        let effect =
            Effect { run: bounds::run(run)?, step: bounds::step(step)?, kind, reason: bounds::reason(reason)? };
        let id = self.calls.effect(effect)?;
        self.effects = self.effects.saturating_add(1);
        Ok(id.into())
    }
}
