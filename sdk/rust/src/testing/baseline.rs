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
            let (run, step, target, reason) = (it.run.clone(), it.step, "default".to_owned(), "complete".to_owned());
            replicate(&Request { run, step, target, not_before: 0, priority: 5, reason })?;
        }
        Ok(())
    }
}
