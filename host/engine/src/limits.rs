//! What transfers may use, changed while they run.

use std::num::NonZeroU64;

use tidegate_core::Code;
use tidegate_replica::Limits;

use crate::{Error, Host, Result};

impl Host {
    /// What the transfers to and from the object target may use together.
    pub fn limits(&self) -> Limits {
        self.0.target.limits()
    }

    /// Changes that. It holds at once, also for transfers under way, and until the host restarts: then the configuration's
    /// hold again.
    ///
    /// # Errors
    /// A rate at which connections would stand still.
    pub fn set_limits(&self, limits: Limits) -> Result<()> {
        let rates = [("upload_rate", limits.upload_rate), ("download_rate", limits.download_rate)];
        for (name, rate) in rates {
            if let Some(rate) = rate.map(NonZeroU64::get).filter(|rate| *rate < Limits::LEAST_RATE) {
                let least = Limits::LEAST_RATE;
                return Err(Error::new(Code::BadName, format!("`{name}` is {rate}; give {least} or more, or none")));
            }
        }
        self.0.target.set_limits(limits);
        tracing::info!(?limits, "the object target's limits are changed");
        Ok(())
    }
}
