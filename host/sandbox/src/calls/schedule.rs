//! `schedule.wit`: being woken.

use tidegate_core::Timestamp;

use crate::{
    bindings::tidegate::bot::schedule::Host,
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn wake_at(&mut self, time: u64, key: String, reason: String) -> Result<(), Stop> {
        self.spend(key.len() + reason.len())?;
        let time = bounds::ahead(Timestamp(time), self.now)?;
        self.calls.wake_at(time, bounds::key(&key)?, bounds::reason(reason)?)?;
        self.effects = self.effects.saturating_add(1);
        Ok(())
    }

    fn cancel(&mut self, key: String) -> Result<(), Stop> {
        self.spend(key.len())?;
        Ok(self.calls.cancel_wake(bounds::key(&key)?)?)
    }
}
