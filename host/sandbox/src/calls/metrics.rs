//! `metrics.wit`: numbers for dashboards.

use crate::{
    MetricChange,
    bindings::tidegate::bot::metrics::Host,
    bounds,
    guest::{Guest, Stop},
};

impl Host for Guest {
    fn set(&mut self, name: String, value: f64) -> Result<(), Stop> {
        self.spend(name.len())?;
        Ok(self.calls.metric(bounds::metric(&name)?, MetricChange::Set(bounds::finite(value)?))?)
    }

    fn add(&mut self, name: String, by: f64) -> Result<(), Stop> {
        self.spend(name.len())?;
        Ok(self.calls.metric(bounds::metric(&name)?, MetricChange::Add(bounds::grown(by)?))?)
    }
}
