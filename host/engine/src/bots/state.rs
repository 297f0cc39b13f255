//! Where the state of a bot stands in the index. Nothing else knows the keys of [`Space::State`]:
//!
//! | key | value |
//! | --- | --- |
//! | name of the bot, byte 0, key | what the bot has written under the key |
//! | name of the bot, byte 1, key | what stood there before a version took over that changed the form of the state: it is kept aside until that version is settled, to go back to |
//!
//! A name holds neither byte, so each ends it, and a bot whose name begins another's does not meet that one. All of a
//! bot stands together, one part after the other, each in the order of the keys; the byte after a part's is where it ends.

use std::{collections::BTreeMap, ops::Bound};

use tidegate_core::BotName;
use tidegate_store::{Result, Space, Tx, View};

/// A part of what stands there of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The state.
    Own,
    /// What is kept aside of an earlier state.
    Kept,
}

impl Part {
    #[cfg(test)]
    pub(super) const ALL: [Self; 2] = [Self::Own, Self::Kept];

    fn byte(self) -> u8 {
        match self {
            Self::Own => 0,
            Self::Kept => 1,
        }
    }
}

fn key_of(bot: &BotName, part: Part, key: &str) -> Vec<u8> {
    [bot.as_str().as_bytes(), &[part.byte()], key.as_bytes()].concat()
}

/// One value.
pub(super) fn get(view: &View, bot: &BotName, part: Part, key: &str) -> Result<Option<Vec<u8>>> {
    view.bytes(Space::State, &key_of(bot, part, key))
}

/// Writes one value, or removes it.
pub(super) fn put(tx: &mut Tx<'_>, bot: &BotName, part: Part, key: &str, value: Option<Vec<u8>>) {
    tx.put_bytes(Space::State, &key_of(bot, part, key), value);
}

/// Calls `each` with keys and values in the order of the keys, beginning with `from`, while it answers true.
pub(super) fn scan(
    view: &View,
    bot: &BotName,
    part: Part,
    from: &str,
    mut each: impl FnMut(&str, &[u8]) -> bool,
) -> Result<()> {
    let (low, start) = (key_of(bot, part, from), key_of(bot, part, "").len());
    let high = [bot.as_str().as_bytes(), &[part.byte() + 1]].concat();
    view.scan(Space::State, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, value| {
        // Every key was written as text.
        let key = key.get(start..).and_then(|key| std::str::from_utf8(key).ok());
        Ok(key.is_none_or(|key| each(key, value)))
    })
}

/// All of a part, which the grants of its bot bound.
pub(super) fn whole(view: &View, bot: &BotName, part: Part) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut state = BTreeMap::new();
    scan(view, bot, part, "", |key, value| {
        state.insert(key.to_owned(), value.to_vec());
        true
    })?;
    Ok(state)
}

/// The keys of a part.
pub(super) fn keys(view: &View, bot: &BotName, part: Part) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    scan(view, bot, part, "", |key, _| {
        keys.push(key.to_owned());
        true
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_core::ManualClock;
    use tidegate_store::Index;

    use super::*;

    #[test]
    fn bots_and_parts_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), "h".parse().unwrap(), Arc::new(ManualClock::default())).unwrap();
        let bots: [BotName; 3] = ["a", "a-b", "ab"].map(|name| name.parse().unwrap());
        let all = bots.clone();
        let write = move |tx: &mut Tx<'_>| {
            for bot in &all {
                for part in Part::ALL {
                    for key in ["", "k", "k2", "\u{1}"] {
                        put(tx, bot, part, key, Some(format!("{bot} {part:?} {key}").into_bytes()));
                    }
                }
            }
            Ok::<_, tidegate_store::Error>(())
        };
        index.write(write).unwrap();
        let view = index.view();
        for bot in &bots {
            for part in Part::ALL {
                let expected =
                    ["", "\u{1}", "k", "k2"].map(|key| (key.to_owned(), format!("{bot} {part:?} {key}").into()));
                assert!(whole(&view, bot, part).unwrap().into_iter().eq(expected.clone()));
                assert!(keys(&view, bot, part).unwrap().into_iter().eq(expected.map(|it| it.0)));
                assert_eq!(get(&view, bot, part, "k").unwrap().unwrap(), format!("{bot} {part:?} k").into_bytes());
            }
        }
        let mut seen = Vec::new();
        scan(&view, &bots[0], Part::Own, "k", |key, _| {
            seen.push(key.to_owned());
            key == "k"
        })
        .unwrap();
        assert_eq!(seen, ["k", "k2"]);
    }
}
