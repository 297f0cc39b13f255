//! Times at which bots are to be woken: written with the handler's other effects, and turned into events when they come.
//!
//! Each stands in the index twice: by bot and key, since a key has one time, and by time, so that the next one is found at
//! once. Both are changed in one batch; what `kept.rs` keeps aside wakes nobody. A host that is down at the time wakes the bot when it is back.
//!
//! When the time has come the second goes and the event is written; the first stays until the bot has come to the event.
//! So what stands by key is decided by the events that the bot has handled, and by nothing that happened since: how many
//! keys it has is the same whenever it handles an event, and in a replay.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, EventKind, Seq, Timestamp};
use tidegate_store::{Space, Tx, View};

use super::{kept, record::Record};
use crate::{Error, Host, Result, error::blocking};

/// The clock is read again after so long: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// A bot is woken once in so long: one that asks again whenever it is woken must not fill the journal, which it needs no
/// grant for, nor keep the disk busy with syncs.
const REST: Duration = Duration::from_secs(1);

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wake {
    pub(super) due: Timestamp,
    pub(super) reason: String,
    /// The event that it has become, which the bot has not come to yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fired: Option<Seq>,
}

impl Wake {
    pub(super) fn at(due: Timestamp, reason: String) -> Self {
        Self { due, reason, fired: None }
    }
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

/// What is asked for a key.
pub(super) fn asked(tx: &Tx<'_>, bot: &BotName, key: &str) -> Result<Option<Wake>, tidegate_store::Error> {
    tx.get(Space::Wakes, &by_key(bot, key))
}

/// What a bot has asked for under a key, and not been woken for.
pub(super) fn get(view: &View, bot: &BotName, key: &str) -> Result<Option<Timestamp>, tidegate_store::Error> {
    Ok(view.get::<Wake>(Space::Wakes, &by_key(bot, key))?.map(|wake| wake.due))
}

/// All that a bot has asked for and not been woken for.
pub(super) fn all(view: &View, bot: &BotName) -> Result<BTreeMap<String, Timestamp>, tidegate_store::Error> {
    let due = |key: String| Ok(get(view, bot, &key)?.map(|due| (key, due)));
    keys(view, bot)?.into_iter().filter_map(|key| due(key).transpose()).collect()
}

/// The bot has come to the event of a wake: the key is free, unless it was asked for another time since.
pub(super) fn came(tx: &mut Tx<'_>, bot: &BotName, key: &str, due: Timestamp) -> Result<(), tidegate_store::Error> {
    let asked = tx.get::<Wake>(Space::Wakes, &by_key(bot, key))?;
    if asked.is_some_and(|wake| wake.due == due) { set(tx, bot, key, None) } else { Ok(()) }
}

/// Sets what is asked for a key, or takes it back. If the very same was asked before and its event is on its way, that event
/// is the one.
pub(super) fn set(tx: &mut Tx<'_>, bot: &BotName, key: &str, wake: Option<&Wake>) -> Result<(), tidegate_store::Error> {
    if let Some(before) = tx.get::<Wake>(Space::Wakes, &by_key(bot, key))? {
        if before.fired.is_some() && wake.is_some_and(|wake| wake.due == before.due) {
            return Ok(());
        }
        tx.put_bytes(Space::Wakes, &by_time(before.due, bot, key), None);
    }
    match wake {
        Some(wake) => {
            tx.put(Space::Wakes, &by_key(bot, key), wake)?;
            if wake.fired.is_none() {
                tx.put_bytes(Space::Wakes, &by_time(wake.due, bot, key), Some(Vec::new()));
            }
        }
        None => tx.put_bytes(Space::Wakes, &by_key(bot, key), None),
    }
    Ok(())
}

/// A wake, in the order of time: when, whom, under which key.
type Due = (Timestamp, BotName, String);

/// Who is woken now, one key of each bot that has rested, and how long it is until somebody may be due again. `resting` says
/// how long each of those that rest has to go on with it.
fn due(view: &View, now: Timestamp, resting: &BTreeMap<BotName, Duration>) -> Result<(Vec<Due>, Duration)> {
    let (mut chosen, mut bots, mut wait) = (Vec::new(), BTreeSet::new(), LOOK_AGAIN);
    view.scan(Space::Wakes, (Bound::Included(b"t"), Bound::Unbounded), false, |key, _| {
        let Some((due, bot, key)) = of_time(key) else { return Ok(true) };
        if due > now {
            wait = wait.min(due.since(now));
            return Ok(false);
        }
        match resting.get(&bot) {
            Some(left) => wait = wait.min(*left),
            None if bots.insert(bot.clone()) => chosen.push((due, bot, key)),
            None => wait = wait.min(REST),
        }
        Ok(true)
    })?;
    Ok((chosen, wait))
}

/// Wakes bots until the host stops.
pub(crate) async fn run(host: Host) {
    // Until when, by the monotonic clock: a wall clock that is set back must not keep anybody asleep.
    let mut resting: BTreeMap<BotName, Duration> = BTreeMap::new();
    loop {
        let (now, passed) = (host.0.clock.now(), host.0.clock.monotonic());
        resting.retain(|_, until| *until > passed);
        let left = resting.iter().map(|(bot, until)| (bot.clone(), until.saturating_sub(passed))).collect();
        let at_work = host.clone();
        let wait = match blocking(move || wake_those_due(&at_work, now, &left)).await {
            Ok((woken, wait)) => {
                resting.extend(woken.into_iter().map(|bot| (bot, passed.saturating_add(REST))));
                wait
            }
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

/// Turns what is due into events. Says who was woken, and how long the next one is away.
fn wake_those_due(
    host: &Host,
    now: Timestamp,
    resting: &BTreeMap<BotName, Duration>,
) -> Result<(Vec<BotName>, Duration)> {
    let (chosen, wait) = due(&host.0.store.index().view(), now, resting)?;
    let woken: Vec<BotName> = chosen.iter().map(|(_, bot, _)| bot.clone()).collect();
    if !chosen.is_empty() {
        host.0.store.index().write(move |tx| chosen.into_iter().try_for_each(|it| wake(tx, it)))?;
    }
    Ok((woken, wait))
}

fn wake(tx: &mut Tx<'_>, (due, bot, key): Due) -> Result<()> {
    tx.put_bytes(Space::Wakes, &by_time(due, &bot, &key), None);
    // It may have been moved, taken back, or its bot removed since the look.
    let asked =
        tx.get::<Wake>(Space::Wakes, &by_key(&bot, &key))?.filter(|wake| wake.due == due && wake.fired.is_none());
    let Some(asked) = asked else { return Ok(()) };
    if tx.get::<Record>(Space::Bots, bot.as_str().as_bytes())?.is_none() {
        tx.put_bytes(Space::Wakes, &by_key(&bot, &key), None);
        return Ok(());
    }
    let woken = EventKind::BotWoken { bot: bot.clone(), key: key.clone(), due, reason: asked.reason.clone() };
    let event = tx.append(woken)?;
    tx.put(Space::Wakes, &by_key(&bot, &key), &Wake { fired: Some(event), ..asked })?;
    kept::came(tx, &bot, &key, event)?;
    Ok::<_, Error>(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::ManualClock;
    use tidegate_store::Index;

    use super::{super::record::some_version, *};

    /// All that is asked, in the order of time.
    fn all(index: &Index) -> Vec<Due> {
        let mut all = Vec::new();
        let from = (Bound::Included(b"t".as_slice()), Bound::Unbounded);
        let each = |key: &[u8], _: &[u8]| {
            all.extend(of_time(key));
            Ok(true)
        };
        index.view().scan(Space::Wakes, from, false, each).unwrap();
        all
    }

    #[test]
    fn a_bot_rests_between_two_wakes_and_keeps_nobody_else_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let [greedy, other]: [BotName; 2] = ["greedy".parse().unwrap(), "other".parse().unwrap()];
        let bots = [greedy.clone(), other.clone()];
        index
            .write(move |tx| {
                let wake = |due| Wake::at(Timestamp(due), "why".into());
                (0..200).try_for_each(|nth| set(tx, &bots[0], &format!("{nth:03}"), Some(&wake(0))))?;
                set(tx, &bots[1], "k", Some(&wake(500)))
            })
            .unwrap();
        let now = Timestamp(1_000_000_000);
        let at = |due, bot: &BotName, key: &str| (Timestamp(due), bot.clone(), key.to_owned());
        let (chosen, wait) = due(&index.view(), now, &BTreeMap::new()).unwrap();
        assert_eq!((chosen, wait), (vec![at(0, &greedy, "000"), at(500, &other, "k")], REST));
        let resting = BTreeMap::from([(greedy, Duration::from_millis(300))]);
        let (chosen, wait) = due(&index.view(), now, &resting).unwrap();
        assert_eq!((chosen, wait), (vec![at(500, &other, "k")], Duration::from_millis(300)));
    }

    #[test]
    fn a_key_has_one_time_and_bots_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bots: [BotName; 2] = ["a".parse().unwrap(), "ab".parse().unwrap()];
        let ask = |bot: &BotName, key: &str, due: Option<u64>| {
            let (bot, key) = (bot.clone(), key.to_owned());
            let wake = due.map(|due| Wake::at(Timestamp(due), "why".into()));
            index.write(move |tx| set(tx, &bot, &key, wake.as_ref())).unwrap();
        };
        let asked = |bot: &BotName| keys(&index.view(), bot).unwrap();
        ask(&bots[0], "k", Some(300));
        ask(&bots[1], "k", Some(200));
        ask(&bots[0], "other", Some(400));
        ask(&bots[0], "k", Some(100));
        let at = |due, bot: usize, key: &str| (Timestamp(due), bots[bot].clone(), key.to_owned());
        assert_eq!(all(&index), [at(100, 0, "k"), at(200, 1, "k"), at(400, 0, "other")], "in the order of their times");
        assert_eq!((asked(&bots[0]), asked(&bots[1])), (vec!["k".into(), "other".into()], vec!["k".to_owned()]));
        ask(&bots[0], "k", None);
        ask(&bots[0], "never", None);
        assert_eq!((asked(&bots[0]), all(&index).len()), (vec!["other".to_owned()], 2));
    }

    #[test]
    fn one_that_was_moved_or_taken_back_since_the_look_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bot: BotName = "a".parse().unwrap();
        let (ask, stale) = (bot.clone(), (Timestamp(100), bot.clone(), "k".to_owned()));
        let later = Wake::at(Timestamp(900), "why".into());
        index.write(move |tx| set(tx, &ask, "k", Some(&later))).unwrap();
        index.write(move |tx| wake(tx, stale)).unwrap();
        assert_eq!(all(&index), [(Timestamp(900), bot, "k".to_owned())]);
        assert!(index.view().events(0, 9).unwrap().is_empty());
    }

    #[test]
    fn a_key_is_taken_until_its_bot_has_come_to_the_event_of_its_wake() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bot: BotName = "a".parse().unwrap();
        let change = |change: fn(&mut Tx<'_>, &BotName) -> Result<()>| {
            let bot = bot.clone();
            index.write(move |tx| change(tx, &bot)).unwrap();
        };
        let waiting = || super::all(&index.view(), &bot).unwrap().into_values().map(|due| due.0).collect::<Vec<_>>();
        let ask = |due| Wake::at(Timestamp(due), "why".into());
        change(|tx, bot| {
            let record = Record::new(bot.clone(), some_version(), 1);
            Ok(tx.put(Space::Bots, bot.as_str().as_bytes(), &record)?)
        });
        for due in [100, 200] {
            let (bot, wake) = (bot.clone(), ask(due));
            index.write(move |tx| set(tx, &bot, "k", Some(&wake))).unwrap();
        }
        change(|tx, bot| wake(tx, (Timestamp(200), bot.clone(), "k".into())));
        assert_eq!((waiting(), all(&index)), (vec![200], vec![]), "it has fired, and the bot is not there yet");
        // An earlier event's handler asks the same: the event that is on its way is the one.
        change(|tx, bot| Ok(set(tx, bot, "k", Some(&Wake::at(Timestamp(200), "why".into())))?));
        change(|tx, bot| wake(tx, (Timestamp(200), bot.clone(), "k".into())));
        assert_eq!((waiting(), all(&index), index.view().events(0, 9).unwrap().len()), (vec![200], vec![], 1));
        change(|tx, bot| Ok(came(tx, bot, "k", Timestamp(100))?));
        assert_eq!(waiting(), [200], "that was another one");
        change(|tx, bot| Ok(came(tx, bot, "k", Timestamp(200))?));
        change(|tx, bot| Ok(set(tx, bot, "k", Some(&Wake::at(Timestamp(200), "why".into())))?));
        assert_eq!(all(&index), [(Timestamp(200), bot.clone(), "k".to_owned())], "asked anew after that");
    }
}
