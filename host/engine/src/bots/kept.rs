//! What is kept aside of a bot while a new version of it has not proven itself: the state as it was, if the new version has
//! changed its form, and the times at which the bot was to be woken.
//!
//! It is written in the batch of the swap, and goes in the batch that settles the version, that goes back, or that swaps
//! once more. So there is one of it at most, of as many bytes as the bot's state may have.
//!
//! **The version that comes back is woken as it was to be when it was stopped**, whatever was done to its state. Bots ask
//! for their next wake while they handle the last, so one that loses a wake may never be woken again, and one that is woken
//! once too often finds little to do. That is why a wake whose time has come meanwhile, and which the version in between
//! has handled, comes once more, at once; but not one that stands in the journal before the cursor has reached it, since
//! the old version will be given that event. Keys of the other version's own mean nothing to this one: they go.

use std::{collections::BTreeMap, ops::Bound};

use serde::{Deserialize, Serialize};
use tidegate_core::{BotName, Seq};
use tidegate_store::{Result, Space, Tx, View};

use super::{
    state::{self, Part},
    wakes::{self, Wake},
};

/// A wake as it was when the new version took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptWake {
    wake: Wake,
    /// The last event that a wake of this key has become since.
    came: Option<Seq>,
}

/// All that is kept aside of one bot.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The state as it was.
    pub(super) state: BTreeMap<String, Vec<u8>>,
    /// Keys of the wakes.
    wakes: Vec<String>,
}

/// In [`Space::Wakes`]: before all that wakes anybody.
fn wake_key(bot: &BotName, key: &str) -> Vec<u8> {
    [b"a", bot.as_str().as_bytes(), &[0], key.as_bytes()].concat()
}

/// Keys of the wakes that are kept aside.
fn wake_keys(view: &View, bot: &BotName) -> Result<Vec<String>> {
    let low = wake_key(bot, "");
    let high = [b"a", bot.as_str().as_bytes(), &[1]].concat();
    let mut keys = Vec::new();
    view.scan(Space::Wakes, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
        keys.extend(key.get(low.len()..).and_then(|key| String::from_utf8(key.to_vec()).ok()));
        Ok(true)
    })?;
    Ok(keys)
}

impl Kept {
    /// Reads it. Only a change of the bot's version changes what there is.
    ///
    /// # Errors
    /// An index that can't be read.
    pub(super) fn of(view: &View, bot: &BotName) -> Result<Self> {
        Ok(Self { state: state::whole(view, bot, Part::Kept)?, wakes: wake_keys(view, bot)? })
    }

    /// Removes it.
    pub(super) fn forget(&self, tx: &mut Tx<'_>, bot: &BotName) {
        self.state.keys().for_each(|key| state::put(tx, bot, Part::Kept, key, None));
        self.wakes.iter().for_each(|key| tx.put_bytes(Space::Wakes, &wake_key(bot, key), None));
    }

    /// Lets the bot be woken as it was to be: `keys` are those under which it is now, `cursor` the last event dealt with.
    ///
    /// # Errors
    /// An index that can't be read.
    pub(super) fn put_back_wakes(&self, tx: &mut Tx<'_>, bot: &BotName, keys: &[String], cursor: Seq) -> Result<()> {
        keys.iter().try_for_each(|key| wakes::set(tx, bot, key, None))?;
        for key in &self.wakes {
            let Some(KeptWake { wake, came }) = tx.get(Space::Wakes, &wake_key(bot, key))? else { continue };
            // One whose event is still before the cursor comes with that.
            let fired = came.filter(|event| *event > cursor && wake.due <= tx.now());
            wakes::set(tx, bot, key, Some(&Wake { fired, ..wake }))?;
        }
        Ok(())
    }
}

/// Keeps a state aside.
pub(super) fn keep_state(tx: &mut Tx<'_>, bot: &BotName, state: BTreeMap<String, Vec<u8>>) {
    for (key, value) in state {
        state::put(tx, bot, Part::Kept, &key, Some(value));
    }
}

/// Keeps aside what is asked for these keys; one whose time has come since they were read is an event by now.
///
/// # Errors
/// An index that can't be read.
pub(super) fn keep_wakes(tx: &mut Tx<'_>, bot: &BotName, keys: &[String]) -> Result<()> {
    for key in keys {
        if let Some(wake) = wakes::asked(tx, bot, key)? {
            let came = wake.fired;
            tx.put(Space::Wakes, &wake_key(bot, key), &KeptWake { wake: Wake { fired: None, ..wake }, came })?;
        }
    }
    Ok(())
}

/// Takes in that a wake of this key has become an event.
///
/// # Errors
/// An index that can't be read.
pub(super) fn came(tx: &mut Tx<'_>, bot: &BotName, key: &str, event: Seq) -> Result<()> {
    let at = wake_key(bot, key);
    let Some(kept) = tx.get::<KeptWake>(Space::Wakes, &at)? else { return Ok(()) };
    tx.put(Space::Wakes, &at, &KeptWake { came: Some(event), ..kept })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::{ManualClock, Timestamp};
    use tidegate_store::Index;

    use super::*;

    /// What the bot is woken by once a version is put back that was to be woken under `a` at 100 and under `b` at 900, and
    /// which event that is; the version in between has moved `b`, asked for `c`, and got `a` as event 5, which may have been
    /// there `before` it took over. It is 500 now.
    fn put_back(before: bool, cursor: Seq) -> Vec<(String, u64, Option<Seq>)> {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(500)));
        let index = Index::open(dir.path(), "h".parse().unwrap(), clock).unwrap();
        let bot: BotName = "bot".parse().unwrap();
        let ask = |keys: &[(&str, Option<u64>)]| {
            for (key, due) in keys {
                let (bot, key) = (bot.clone(), (*key).to_owned());
                let wake = due.map(|due| Wake::at(Timestamp(due), "why".into()));
                index.write(move |tx| wakes::set(tx, &bot, &key, wake.as_ref())).unwrap();
            }
        };
        ask(&[("a", Some(100)), ("b", Some(900))]);
        if before {
            let (name, wake) = (bot.clone(), Wake { fired: Some(5), ..Wake::at(Timestamp(100), "why".into()) });
            index
                .write(move |tx| {
                    wakes::set(tx, &name, "a", None).and_then(|()| wakes::set(tx, &name, "a", Some(&wake)))
                })
                .unwrap();
        }
        let (name, keys) = (bot.clone(), wakes::keys(&index.view(), &bot).unwrap());
        index.write(move |tx| keep_wakes(tx, &name, &keys)).unwrap();
        ask(&[("a", None), ("b", Some(700)), ("c", Some(800))]);
        if !before {
            let name = bot.clone();
            index.write(move |tx| came(tx, &name, "a", 5)).unwrap();
        }
        let (kept, keys) = (Kept::of(&index.view(), &bot).unwrap(), wakes::keys(&index.view(), &bot).unwrap());
        let (name, ask) = (bot.clone(), bot.clone());
        let back = move |tx: &mut Tx<'_>| {
            kept.put_back_wakes(tx, &name, &keys, cursor)?;
            kept.forget(tx, &name);
            Ok::<_, tidegate_store::Error>(())
        };
        index.write(back).unwrap();
        assert!(Kept::of(&index.view(), &bot).unwrap().wakes.is_empty());
        let keys = wakes::keys(&index.view(), &bot).unwrap();
        let read = move |tx: &mut Tx<'_>| {
            let asked = |key: &String| {
                let wake = wakes::asked(tx, &ask, key)?.unwrap();
                Ok((key.clone(), wake.due.0, wake.fired))
            };
            keys.iter().map(asked).collect::<Result<Vec<_>>>()
        };
        index.write(read).unwrap()
    }

    #[test]
    fn a_wake_that_came_meanwhile_comes_again_unless_its_event_is_still_to_be_handled() {
        let (a, b) = (|event| ("a".to_owned(), 100, event), ("b".to_owned(), 900, None));
        for before in [false, true] {
            assert_eq!(put_back(before, 5), [a(None), b.clone()], "the version in between has handled it");
            assert_eq!(put_back(before, 4), [a(Some(5)), b.clone()], "the version that is put back will be given it");
        }
    }
}
