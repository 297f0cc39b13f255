//! The simplest bot there is, to try a scenario with and to measure one's own against.

use crate::{
    Bot, Error, Event, Occurrence,
    replication::{Request, replicate},
    settings,
};

/// Asks for a copy of every checkpoint as soon as it is complete: all hosts at once, and never again for what failed.
///
/// ```
/// use tidegate_sdk::testing::{Eager, Scenario, json};
/// let record = Scenario::herd().bot::<Eager>(json!({})).run().unwrap();
/// assert!(record.throttled > 0, "all hosts at once are too many: {record}");
/// ```
#[derive(Debug)]
pub struct Eager;

/// It has none.
///
/// ```
/// use tidegate_sdk::testing::{Cluster, Eager, json};
/// assert!(Cluster::new().configure::<Eager>(json!({ "any": 1 })).is_err());
/// ```
#[settings]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

impl Bot for Eager {
    type Settings = NoSettings;

    fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
        if let Occurrence::CheckpointComplete(it) = &event.what {
            replicate(&Request::new(&it.run, it.step, "default", "complete"))?;
        }
        Ok(())
    }
}
