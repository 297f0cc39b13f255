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

/// One letter, if it is there.
pub(super) fn find(view: &View, bot: &BotName, event: Seq) -> Result<Option<Letter>> {
    Ok(view.get(Space::Letters, &key(bot, event))?)
}

/// One letter, within a change.
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

/// Notes that a letter's event failed once more. Nothing if it was thrown away since it was handed out, or if the bot was
/// removed or changed: then its letters are gone, or the next version's.
pub(super) fn failed_again(tx: &mut Tx<'_>, bot: &Record, letter: Letter, fault: String) -> Result<()> {
    let record: Option<Record> = tx.get(Space::Bots, bot.name.as_str().as_bytes())?;
    let ours = record.is_some_and(|record| record.installed == bot.installed);
    if ours && get(tx, &bot.name, letter.event.seq).is_ok() {
        put(tx, &bot.name, &Letter { fault, replay: false, ..letter })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::{EventKind, ManualClock};
    use tidegate_store::Index;

    use super::*;
    use crate::bots::{
        delta::Delta,
        group::Group,
        record::some_version,
        state::{self, Part},
    };

    /// A bot with an event that it has skipped and is to have again.
    fn with_letter(index: &Index) -> (Record, Letter) {
        let record = Record::new("b".parse().unwrap(), some_version(), 1);
        let kind = EventKind::BotStarted { bot: record.name.clone(), plugin: record.version.plugin };
        let (host, time) = ("h".parse().unwrap(), Timestamp(1));
        let event = Event { seq: 7, time, host, kind };
        let written = record.clone();
        let write = move |tx: &mut Tx<'_>| {
            let mut record = written;
            park(tx, &mut record, event, "at first".into())?;
            record.parked = None;
            record.cursor = 7;
            tx.put(Space::Bots, record.name.as_str().as_bytes(), &record)?;
            let letter = Letter { replay: true, ..get(tx, &record.name, 7)? };
            put(tx, &record.name, &letter)?;
            Ok::<_, Error>(letter)
        };
        (record, index.write(write).unwrap())
    }

    /// What became of a handler that ended well on that letter.
    fn handled() -> Group {
        let state = [("k".to_owned(), Some(b"v".to_vec()))].into();
        Group { delta: Delta { state, ..Delta::default() }, letter: Some(7), handled: 1, ..Group::default() }
    }

    #[test]
    fn a_letter_that_fails_again_stays_and_one_that_goes_well_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let (record, letter) = with_letter(&index);
        let (bot, again) = (record.clone(), letter.clone());
        index.write(move |tx| failed_again(tx, &bot, again, "once more".into())).unwrap();
        let failed = find(&index.view(), &record.name, 7).unwrap().unwrap();
        assert_eq!((failed.fault.as_str(), failed.replay), ("once more", false));
        let (bot, asked) = (record.clone(), letter);
        let written = index.write(move |tx| {
            put(tx, &bot.name, &asked)?;
            handled().write(tx, &bot)
        });
        assert!(written.unwrap().is_some());
        assert_eq!(all(&index.view(), &record.name).unwrap(), []);
        assert!(state::get(&index.view(), &record.name, Part::Own, "k").unwrap().is_some());
    }

    #[test]
    fn of_a_letter_that_was_thrown_away_while_it_was_handled_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let (record, letter) = with_letter(&index);
        let bot = record.clone();
        let written = index.write(move |tx| {
            remove(tx, &bot.name, 7);
            failed_again(tx, &bot, letter, "once more".into())?;
            handled().write(tx, &bot)
        });
        assert!(written.unwrap().is_none(), "nor is what it decided carried out");
        assert_eq!(all(&index.view(), &record.name).unwrap(), []);
        assert!(state::get(&index.view(), &record.name, Part::Own, "k").unwrap().is_none());
    }
}
