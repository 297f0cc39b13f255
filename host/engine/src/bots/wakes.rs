//! Times at which bots are to be woken: written with the handler's other effects, and turned into events when they come.
//!
//! Each stands in the index twice: by bot and key, since a key has one time, and by time, so that the next one is found at
//! once. Both are changed in one batch. A host that is down at the time wakes the bot when it is back.

use std::{ops::Bound, time::Duration};

use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, EventKind, Timestamp};
use tidegate_store::{Space, Tx, View};

use super::record::Record;
use crate::{Error, Host, Result, error::blocking};

/// The clock is read again after so long: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Turned into events in one change.
const AT_ONCE: usize = 256;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wake {
    pub(super) due: Timestamp,
    pub(super) reason: String,
}

/// By bot and key.
fn by_key(bot: &BotName, key: &str) -> Vec<u8> {
    [b"k", bot.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

/// By time, then by bot and key.
fn by_time(due: Timestamp, bot: &BotName, key: &str) -> Vec<u8> {
    [b"t", due.0.to_be_bytes().as_slice(), bot.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

/// What the key of [`by_time`] says.
fn of_time(key: &[u8]) -> Option<(Timestamp, BotName, String)> {
    let (due, rest) = key.strip_prefix(b"t")?.split_first_chunk::<8>()?;
    let (bot, key) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
    Some((Timestamp(u64::from_be_bytes(*due)), bot.parse().ok()?, key.to_owned()))
}

/// The keys that a bot has asked for.
pub(super) fn keys(view: &View, bot: &BotName) -> Result<Vec<String>, tidegate_store::Error> {
    let (low, high) = (by_key(bot, ""), [b"k", bot.as_str().as_bytes(), &[1]].concat());
    let mut keys = Vec::new();
    view.scan(Space::Wakes, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
        keys.extend(key.get(low.len()..).and_then(|key| String::from_utf8(key.to_vec()).ok()));
        Ok(true)
    })?;
    Ok(keys)
}

/// Sets what is asked for a key, or takes it back.
pub(super) fn set(tx: &mut Tx<'_>, bot: &BotName, key: &str, wake: Option<&Wake>) -> Result<(), tidegate_store::Error> {
    if let Some(before) = tx.get::<Wake>(Space::Wakes, &by_key(bot, key))? {
        tx.put_bytes(Space::Wakes, &by_time(before.due, bot, key), None);
    }
    match wake {
        Some(wake) => {
            tx.put(Space::Wakes, &by_key(bot, key), wake)?;
            tx.put_bytes(Space::Wakes, &by_time(wake.due, bot, key), Some(Vec::new()));
        }
        None => tx.put_bytes(Space::Wakes, &by_key(bot, key), None),
    }
    Ok(())
}

/// The first times, in order, at most `most`.
fn first(view: &View, most: usize) -> Result<Vec<(Timestamp, BotName, String)>, tidegate_store::Error> {
    let mut found = Vec::new();
    view.scan(Space::Wakes, (Bound::Included(b"t"), Bound::Unbounded), false, |key, _| {
        found.extend(of_time(key));
        Ok(found.len() < most)
    })?;
    Ok(found)
}

/// Wakes bots until the host stops.
pub(crate) async fn run(host: Host) {
    loop {
        let at_work = host.clone();
        let wait = match blocking(move || wake_those_due(&at_work)).await {
            Ok(wait) => wait.min(LOOK_AGAIN),
            Err(error) => {
                tracing::error!(%error, "bots could not be woken");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = host.0.bots.wakes_changed.notified() => {}
        }
    }
}

/// Turns what is due into events, and says how long the next one is away.
fn wake_those_due(host: &Host) -> Result<Duration> {
    loop {
        let (now, view) = (host.0.clock.now(), host.0.store.index().view());
        let found = first(&view, AT_ONCE)?;
        let due: Vec<_> = found.iter().filter(|(due, ..)| *due <= now).cloned().collect();
        if due.is_empty() {
            return Ok(found.first().map_or(LOOK_AGAIN, |(due, ..)| due.since(now)));
        }
        host.0.store.index().write(move |tx| due.into_iter().try_for_each(|it| wake(tx, it)))?;
    }
}

fn wake(tx: &mut Tx<'_>, (due, bot, key): (Timestamp, BotName, String)) -> Result<()> {
    tx.put_bytes(Space::Wakes, &by_time(due, &bot, &key), None);
    // It may have been moved, taken back, or its bot removed since the look.
    let asked = tx.get::<Wake>(Space::Wakes, &by_key(&bot, &key))?.filter(|wake| wake.due == due);
    let Some(Wake { reason, .. }) = asked else { return Ok(()) };
    tx.put_bytes(Space::Wakes, &by_key(&bot, &key), None);
    if tx.get::<Record>(Space::Bots, bot.as_str().as_bytes())?.is_some() {
        tx.append(EventKind::BotWoken { bot, key, due, reason })?;
    }
    Ok::<_, Error>(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::ManualClock;
    use tidegate_store::Index;

    use super::*;

    #[test]
    fn a_key_has_one_time_and_bots_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bots: [BotName; 2] = ["a".parse().unwrap(), "ab".parse().unwrap()];
        let ask = |bot: &BotName, key: &str, due: Option<u64>| {
            let (bot, key) = (bot.clone(), key.to_owned());
            let wake = due.map(|due| Wake { due: Timestamp(due), reason: "why".into() });
            index.write(move |tx| set(tx, &bot, &key, wake.as_ref())).unwrap();
        };
        let asked = |bot: &BotName| keys(&index.view(), bot).unwrap();
        ask(&bots[0], "k", Some(300));
        ask(&bots[1], "k", Some(200));
        ask(&bots[0], "other", Some(400));
        ask(&bots[0], "k", Some(100));
        let times: Vec<_> =
            first(&index.view(), 9).unwrap().into_iter().map(|(due, bot, key)| (due.0, bot, key)).collect();
        let at = |due, bot: usize, key: &str| (due, bots[bot].clone(), key.to_owned());
        assert_eq!(times, [at(100, 0, "k"), at(200, 1, "k"), at(400, 0, "other")], "in the order of their times");
        assert_eq!((asked(&bots[0]), asked(&bots[1])), (vec!["k".into(), "other".into()], vec!["k".to_owned()]));
        ask(&bots[0], "k", None);
        ask(&bots[0], "never", None);
        assert_eq!((asked(&bots[0]), first(&index.view(), 9).unwrap().len()), (vec!["other".to_owned()], 2));
    }

    #[test]
    fn one_that_was_moved_or_taken_back_since_the_look_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bot: BotName = "a".parse().unwrap();
        let (ask, stale) = (bot.clone(), (Timestamp(100), bot.clone(), "k".to_owned()));
        let later = Wake { due: Timestamp(900), reason: "why".into() };
        index.write(move |tx| set(tx, &ask, "k", Some(&later))).unwrap();
        index.write(move |tx| wake(tx, stale)).unwrap();
        assert_eq!(first(&index.view(), 9).unwrap(), [(Timestamp(900), bot, "k".to_owned())]);
        assert!(index.view().events(0, 9).unwrap().is_empty());
    }
}
