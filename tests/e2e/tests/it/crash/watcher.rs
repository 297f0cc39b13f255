//! Somebody who reads the journal as it grows: what was seen once must be there after every crash.

use std::{path::Path, sync::Mutex, time::Duration};

use tidegate_client::api::Event;

use super::shared::{Shared, Stop};
use crate::ask::Ask;

/// Reads until the host is killed.
pub(super) fn watch(shared: &Shared, socket: &Path, mut after: u64, seen: &Mutex<Vec<Event>>) -> Result<(), Stop> {
    let ask = Ask::new(socket)?;
    loop {
        let page = shared.answer(ask.run(ask.client.events(after, 100, Duration::from_secs(5))))?;
        after = page.items.last().map_or(after, |event| event.seq);
        seen.lock().expect("no thread fails").extend(page.items);
    }
}
