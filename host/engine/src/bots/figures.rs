use std::{collections::BTreeMap, ops::Bound};

use tidegate_core::{BotName, Digest, Ledger, Mode};
use tidegate_store::{Space, View};

use super::{Standing, record::Record};
use crate::{Host, Result};

/// What is counted of one bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotFigures {
    /// Its name.
    pub name: BotName,
    /// Its component.
    pub plugin: Digest,
    /// How far its decisions are carried out.
    pub mode: Mode,
    /// Whether it is at work.
    pub standing: Standing,
    /// Events that are parked, the one that it stands before in quarantine as well.
    pub parked: u64,
    /// Its own numbers: as many as the contract's `metrics` lets it have.
    pub metrics: BTreeMap<String, f64>,
    /// Bytes of its state, keys and values.
    pub state_bytes: u64,
    /// Events that wait for it.
    pub lag: u64,
    /// What it has used and asked for since it was put to work.
    pub ledger: Ledger,
}

impl Host {
    /// What is counted of the installed bots, by name. No bot's handler is waited for: a version that is compared holds its
    /// own lock while it runs, and is not asked.
    ///
    /// # Errors
    /// An index that can't be read.
    pub(crate) fn bot_figures(&self, view: &View) -> Result<Vec<BotFigures>> {
        let (head, parked, mut figures) = (self.0.store.index().last(), parked(view)?, Vec::new());
        view.each(Space::Bots, |record: Record| {
            let running = self.0.bots.get(&record.name);
            let live = running.as_ref().map(|bot| bot.live());
            let cursor = live.as_ref().map_or(record.cursor, |live| live.cursor);
            let stopped = self.0.bots.stopped().contains_key(&record.name);
            figures.push(BotFigures {
                plugin: record.version.plugin,
                mode: record.version.mode,
                standing: Standing::of(record.quarantined.is_some(), stopped),
                parked: parked.get(record.name.as_str()).copied().unwrap_or_default(),
                metrics: record.metrics,
                state_bytes: record.state_bytes,
                lag: head.saturating_sub(cursor),
                ledger: live.as_ref().map(|live| live.ledger.clone()).unwrap_or_default(),
                name: record.name,
            });
        })?;
        Ok(figures)
    }
}

/// Parked events by bot. There are as many as people have skipped.
fn parked(view: &View) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    view.scan(Space::Letters, (Bound::Unbounded, Bound::Unbounded), false, |key, _| {
        let name = key.split(|byte| *byte == 0).next().unwrap_or_default();
        *counts.entry(String::from_utf8_lossy(name).into_owned()).or_default() += 1;
        Ok(true)
    })?;
    Ok(counts)
}
