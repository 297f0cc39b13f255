//! `checkpoints.wit`: the catalogue, and what may be asked of it.

use tidegate_core::{Effect, EffectKind};

use crate::{
    bindings::tidegate::bot::{
        checkpoints::{Host, Page},
        types::{Checkpoint, Tier},
    },
    bounds, convert,
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
        self.spend(run.len())?;
        let (run, limit) = (bounds::run(run)?, bounds::limit(limit)?);
        let before = before.map(bounds::step).transpose()?;
        let (items, next) = self.calls.list(run, before, limit)?;
        let items = items.iter().take(limit as usize).map(convert::checkpoint).collect();
        Ok(Page { items, next: next.map(u64::from) })
    }

    fn get_checkpoint(&mut self, run: String, step: u64) -> Result<Option<Checkpoint>, Stop> {
        self.spend(run.len())?;
        let found = self.calls.get(bounds::run(run)?, bounds::step(step)?)?;
        Ok(found.as_ref().map(convert::checkpoint))
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
    fn effect(&mut self, run: String, step: u64, kind: EffectKind, reason: String) -> Result<String, Stop> {
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
