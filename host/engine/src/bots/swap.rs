//! One version of a bot takes over from another without an event lost or handled twice.
//!
//! The version at work is stopped between two groups of events, so its cursor and state stand still. The new one checks
//! its settings and brings the state into its form; then one change of the index holds the new version, the new state, and
//! what is needed to go back: the old version, the times at which it was to be woken, and its state if that was changed. A
//! crash before that change leaves the old version, one after it the new. If the new version fails on one of its first
//! events, one change goes back; what it decided on events before that one stands, and the cursor says where the old
//! version goes on.

use std::{any::Any, collections::BTreeMap, sync::Arc, time::Duration};

use tidegate_core::{BotName, Code, EventKind, Refusal, Seq, Why};
use tidegate_sandbox::{Calls, Handled, Plugin};
use tidegate_store::{Space, Tx};

use super::{
    kept::{self, Kept},
    record::{Previous, Record, RolledBack, Version},
    registry::Running,
    state::{self, Part},
    wakes,
};
use crate::{Error, Host, Result, error::blocking};

/// How long a version may take to end what it has begun: a handler's deadline and a sync, many times over.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bot's state in memory: all that `migrate` can reach.
struct StateOnly {
    state: BTreeMap<String, Vec<u8>>,
    /// Of keys and values, kept with each change: a migration makes as many as there are keys.
    bytes: u64,
    most: u64,
}

fn bytes_of(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

impl StateOnly {
    /// A state that may grow to so many bytes.
    fn new(state: BTreeMap<String, Vec<u8>>, most: u64) -> Self {
        let bytes = state.iter().map(|(key, value)| bytes_of(key, value)).sum();
        Self { state, bytes, most }
    }

    /// Bytes of an entry, 0 if there is none.
    fn entry(&self, key: &str) -> u64 {
        self.state.get(key).map_or(0, |value| bytes_of(key, value))
    }
}

impl Calls for StateOnly {
    fn state_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.state.get(key).cloned())
    }

    fn state_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        let bytes = self.bytes - self.entry(key) + bytes_of(key, &value);
        // What was kept under a larger quota may be made smaller, step by step.
        if bytes > self.most && bytes > self.bytes {
            let what = format!("the state would have {bytes} bytes of {}", self.most);
            return Err(Refusal::new(Why::OverQuota, what));
        }
        self.state.insert(key.to_owned(), value);
        self.bytes = bytes;
        Ok(())
    }

    fn state_delete(&mut self, key: &str) -> Result<(), Refusal> {
        self.bytes -= self.entry(key);
        self.state.remove(key);
        Ok(())
    }

    fn state_keys(&mut self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<String>, Refusal> {
        let fits = |key: &&String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        Ok(self.state.keys().filter(fits).take(limit as usize).cloned().collect())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A state in the form of a version that takes it over.
///
/// # Errors
/// [`Code::NotMigrated`] with what the version said.
pub(super) fn migrate(
    host: &Host,
    plugin: &Plugin,
    version: &Version,
    from: &Version,
    state: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let about = host.load_plugin(from.plugin);
    let said = about.ok().and_then(|plugin| plugin.about().manifest.as_ref().map(|it| it.version.clone()));
    let calls = StateOnly::new(state, version.grants.state_bytes());
    let (now, said, bytes) = (host.0.clock.now(), said.unwrap_or_default(), calls.bytes.max(calls.most));
    let handled = plugin.migrate(Box::new(calls), now, &said, &version.settings, bytes);
    let Handled { calls, result, .. } = handled;
    result.map_err(|fault| Error::new(Code::NotMigrated, fault.to_string()))?;
    let calls = calls.into_any().downcast::<StateOnly>();
    calls.map(|it| it.state).map_err(|_| Error::new(Code::Internal, "the sandbox returned other calls"))
}

/// What a swap writes, beside the new version.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The state as it was; none if it stays as it is.
    pub(super) before: Option<BTreeMap<String, Vec<u8>>>,
    /// The state from now on, if it changes.
    pub(super) after: BTreeMap<String, Vec<u8>>,
    /// Keys under which the bot is to be woken.
    pub(super) wakes: Vec<String>,
    /// What an earlier swap has kept aside: it goes.
    pub(super) stale: Kept,
    /// Events that the new version has to handle well; 0 means that there is no way back.
    pub(super) probation: u64,
}

impl Taken {
    /// Writes the state into a change, and what is needed to go back into the record.
    ///
    /// # Errors
    /// An index that can't be read.
    pub(super) fn write(self, tx: &mut Tx<'_>, record: &mut Record, old: Version) -> Result<()> {
        let name = record.name.clone();
        self.stale.forget(tx, &name);
        let way_back = self.probation > 0;
        let state_kept = self.before.as_ref().map(|_| record.state_bytes);
        if let Some(before) = self.before {
            record.state_bytes = replace(tx, &name, before.keys(), &self.after);
            if way_back {
                kept::keep_state(tx, &name, before);
            }
        }
        if way_back {
            kept::keep_wakes(tx, &name, &self.wakes)?;
        }
        let previous = Previous { version: old, left: self.probation, state_kept, wakes_kept: true };
        record.previous = way_back.then_some(previous);
        Ok(())
    }
}

/// Puts a state in the place of keys that there were. Returns its bytes.
fn replace<'a>(
    tx: &mut Tx<'_>,
    bot: &BotName,
    old: impl Iterator<Item = &'a String>,
    new: &BTreeMap<String, Vec<u8>>,
) -> u64 {
    for key in old.filter(|key| !new.contains_key(*key)) {
        state::put(tx, bot, Part::Own, key, None);
    }
    for (key, value) in new {
        state::put(tx, bot, Part::Own, key, Some(value.clone()));
    }
    new.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
}

/// What [`go_back`] needs to know, read before the change: what was kept aside, and what there is.
pub(super) struct Way {
    kept: Kept,
    state: Vec<String>,
    wakes: Vec<String>,
}

/// Puts the version before this one to work again, at the cursor of the record.
///
/// # Errors
/// [`Code::NoCandidate`] if there is none.
pub(super) fn go_back(tx: &mut Tx<'_>, record: &mut Record, at: Seq, fault: String, way: Way) -> Result<()> {
    let name = record.name.clone();
    let Some(previous) = record.previous.take() else {
        return Err(Error::new(Code::NoCandidate, format!("bot {name} has no version to go back to")));
    };
    if previous.state_kept.is_some() {
        record.state_bytes = replace(tx, &name, way.state.iter(), &way.kept.state);
    }
    if previous.wakes_kept {
        way.kept.put_back_wakes(tx, &name, &way.wakes, record.cursor)?;
    }
    way.kept.forget(tx, &name);
    let (from, to, bot) = (record.version.plugin, previous.version.plugin, name.clone());
    record.put_back = Some(format!("component {from} was put back at event {at}: {fault}"));
    let version = std::mem::replace(&mut record.version, previous.version);
    record.rolled_back = Some(RolledBack { version, why: format!("event {at}: {fault}") });
    record.quarantined = None;
    tx.append(EventKind::BotRolledBack { bot, from, to, at, fault })?;
    record.installed = tx.append(EventKind::BotStarted { bot: name.clone(), plugin: to })?;
    Ok(tx.put(Space::Bots, name.as_str().as_bytes(), record)?)
}

impl Host {
    /// Reads what [`go_back`] needs; it blocks. The bot must stand still, or be about to: what it writes later is not in it.
    pub(super) fn way_back(&self, bot: &BotName) -> Result<Way> {
        let view = self.0.store.index().view();
        let (kept, state) = (Kept::of(&view, bot)?, state::keys(&view, bot, Part::Own)?);
        Ok(Way { kept, state, wakes: wakes::keys(&view, bot)? })
    }

    /// Why the version before this one could not be put to work again, if it could not; it blocks.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub(super) fn no_way_back(&self, bot: &BotName) -> Result<Option<Error>> {
        let record: Option<Record> = self.0.store.index().view().get(Space::Bots, bot.as_str().as_bytes())?;
        let previous = record.ok_or_else(|| super::install::unknown(bot))?.previous;
        Ok(previous.and_then(|previous| self.load_plugin(previous.version.plugin).err()))
    }

    /// Stops a version between two groups, and waits until nothing more of it is written.
    ///
    /// # Errors
    /// [`Code::Busy`] if it does not end in time. It has been told to stop, and is put to work again when it has.
    pub(super) async fn still(&self, bot: &Arc<Running>) -> Result<()> {
        bot.stop.cancel();
        if tokio::time::timeout(PATIENCE, bot.ended.cancelled()).await.is_err() {
            // It goes on as its record says once it has ended.
            let (host, stuck) = (self.clone(), bot.clone());
            self.spawn(async move {
                stuck.ended.cancelled().await;
                host.0.bots.restart(stuck.record.name.clone());
            });
            return Err(Error::new(Code::Busy, format!("bot {} did not end what it is at", bot.record.name)));
        }
        Ok(())
    }

    /// The state in the form of a version that is about to take over, if that differs. The version before it stands still.
    pub(super) async fn take_over(
        &self,
        name: &BotName,
        plugin: &Plugin,
        version: &Version,
        from: &Version,
        probation: u64,
    ) -> Result<Taken> {
        let (host, name, plugin) = (self.clone(), name.clone(), plugin.clone());
        let (version, from) = (version.clone(), from.clone());
        blocking(move || {
            let view = host.0.store.index().view();
            let (stale, wakes) = (Kept::of(&view, &name)?, wakes::keys(&view, &name)?);
            let as_it_is = Taken { wakes, stale, probation, ..Taken::default() };
            if !plugin.about().migrates || from.plugin == version.plugin {
                return Ok(as_it_is);
            }
            let before = state::whole(&view, &name, Part::Own)?;
            let after = migrate(&host, &plugin, &version, &from, before.clone())?;
            if before == after {
                return Ok(as_it_is);
            }
            Ok::<_, Error>(Taken { before: Some(before), after, ..as_it_is })
        })
        .await
    }
}

/// Puts bots to work again whose records have changed under them, until the host stops.
pub(crate) async fn restart(host: Host) {
    loop {
        while let Some(name) = host.0.bots.next_restart() {
            let _one = host.0.bots.changing.lock().await;
            if let Err(error) = host.put_to_work_as_written(&name).await {
                tracing::error!(bot = %name, %error, "a bot could not be put to work again; install it again");
            }
        }
        host.0.bots.restarts_changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(entries: &[(&str, usize)], most: u64) -> StateOnly {
        StateOnly::new(entries.iter().map(|(key, bytes)| ((*key).to_owned(), vec![0; *bytes])).collect(), most)
    }

    fn summed(it: &StateOnly) -> u64 {
        it.state.iter().map(|(key, value)| bytes_of(key, value)).sum()
    }

    #[test]
    fn a_state_beyond_its_quota_may_be_made_smaller_and_not_larger() {
        let mut it = state(&[("a", 99), ("b", 99)], 100);
        assert_eq!(it.state_set("a", vec![0; 100]).unwrap_err().why, Why::OverQuota);
        assert_eq!(it.state_set("c", Vec::new()).unwrap_err().why, Why::OverQuota);
        assert_eq!(it.state_set("a", vec![1; 99]), Ok(()), "in the place of as many");
        assert_eq!(it.state_set("a", vec![2; 49]), Ok(()));
        assert_eq!(it.state_get("a"), Ok(Some(vec![2; 49])));
        assert_eq!(it.bytes, 150);
        assert_eq!(it.state_delete("b"), Ok(()));
        assert_eq!(it.state_set("c", vec![0; 49]), Ok(()), "as much as there is room");
        assert_eq!(it.state_set("d", Vec::new()).unwrap_err().message, "the state would have 101 bytes of 100");
        assert_eq!((it.bytes, summed(&it)), (100, 100));
    }

    #[test]
    fn the_sum_follows_every_change() {
        let mut it = state(&[("a", 3)], 1 << 20);
        for (key, value) in [("a", Some(7)), ("bb", Some(0)), ("a", None), ("a", None), ("bb", Some(5)), ("c", Some(1))]
        {
            match value {
                Some(bytes) => it.state_set(key, vec![0; bytes]).unwrap(),
                None => it.state_delete(key).unwrap(),
            }
            assert_eq!(it.bytes, summed(&it), "{key}");
        }
    }
}
