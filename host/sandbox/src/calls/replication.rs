//! `replication.wit`: copies to object storage.

use tidegate_core::{EffectKind, Timestamp};

use crate::{
    bindings::tidegate::bot::replication::{Host, Request},
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn replicate(&mut self, request: Request) -> Result<String, Stop> {
        let Request { run, step, target, not_before, priority, reason } = request;
        self.spend(run.len() + target.len() + reason.len())?;
        let kind = EffectKind::Replicate {
            target: bounds::target(target)?,
            not_before: Timestamp(not_before),
            priority: bounds::priority(priority)?,
        };
        self.ask(run, step, kind, reason)
    }
}
