//! Events that a bot could not handle, parked with all that is needed to handle them later: the journal may have let them
//! go by then.
//!
//! In quarantine a bot stands before its parked event. An operator lets it try again (*resume*), or go past it (*skip*),
//! which leaves the letter here; a letter that was skipped can be handed to the bot again (*replay*) or thrown away.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, Code, Digest, Event, Seq, Timestamp};
use tidegate_store::{Space, Tx, View};

use super::record::Record;
use crate::{Error, Result};

/// Letters of one bot; more events can't be skipped.
pub(super) const MOST: usize = 1_000;

/// A parked event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// The event.
    pub event: Event,
    /// What the handler said or did, the last time.
    pub fault: String,
    /// The component that failed.
    pub plugin: Digest,
    /// The settings that it failed with: JSON text.
    pub settings: String,
    /// When it was parked.
    pub parked: Timestamp,
    /// Whether it is to be handed to the bot again.
    pub replay: bool,
}

pub(super) fn key(bot: &BotName, event: Seq) -> Vec<u8> {
    [bot.as_str().as_bytes(), &[0], &event.to_be_bytes()].concat()
}

/// A bot's letters in the order of their events.
pub(super) fn all(view: &View, bot: &BotName) -> Result<Vec<Letter>> {
    let (low, high) = (key(bot, 0), [bot.as_str().as_bytes(), &[1]].concat());
    let mut keys = Vec::new();
    view.scan(Space::Letters, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
        keys.push(key.to_vec());
        Ok(true)
    })?;
    let letters = keys.iter().map(|key| view.get::<Letter>(Space::Letters, key));
    Ok(letters.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// One letter.
///
/// # Errors
/// [`Code::UnknownEvent`].
pub(super) fn get(tx: &Tx<'_>, bot: &BotName, event: Seq) -> Result<Letter> {
    tx.get(Space::Letters, &key(bot, event))?.ok_or_else(|| unknown(bot, event))
}

pub(super) fn unknown(bot: &BotName, event: Seq) -> Error {
    Error::new(Code::UnknownEvent, format!("bot {bot} has no parked event {event}"))
}

pub(super) fn put(tx: &mut Tx<'_>, bot: &BotName, letter: &Letter) -> Result<()> {
    Ok(tx.put(Space::Letters, &key(bot, letter.event.seq), letter)?)
}

pub(super) fn remove(tx: &mut Tx<'_>, bot: &BotName, event: Seq) {
    tx.put_bytes(Space::Letters, &key(bot, event), None);
}

/// Stops a bot before an event, which is parked.
pub(super) fn park(tx: &mut Tx<'_>, record: &mut Record, event: Event, fault: String) -> Result<()> {
    let (plugin, settings) = (record.version.plugin, record.version.settings.clone());
    let letter = Letter { event, fault, plugin, settings, parked: tx.now(), replay: false };
    record.parked = Some(letter.event.seq);
    put(tx, &record.name, &letter)
}
