//! Counts the shards of each run: one read and one write of state for each event, as a small real policy does.

use tidegate_sdk::prelude::*;

/// See the crate.
pub struct Counter;

/// It has none.
#[settings]
#[derive(Debug)]
#[serde(deny_unknown_fields)]
pub struct Settings {}

impl Bot for Counter {
    type Settings = Settings;

    fn handle(event: &Event, _: &Settings) -> Result<(), Error> {
        if let Occurrence::ShardCommitted(it) = &event.what {
            let count = state::get(&it.run)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
            state::set(&it.run, &(count + 1).to_be_bytes())?;
        }
        Ok(())
    }
}

tidegate_sdk::export!(Counter);
