use std::{ops::Bound, sync::Arc};

use tidegate_core::{BotName, Code, EventKind, Grants, Seq, limits};
use tidegate_sandbox::About;
use tidegate_store::{Space, Tx, View};

use super::{
    BotInfo, BotSpec, dispatch,
    record::Record,
    registry::{Ledger, Running},
    wakes,
};
use crate::{Error, Host, Result, error::blocking};

/// Installed bots at once.
const MOST: usize = 1024;
/// Whose name no bot may have.
const OPERATOR: &str = "operator";

fn unknown(name: &BotName) -> Error {
    Error::new(Code::UnknownBot, format!("bot {name} is not installed"))
}

impl Host {
    /// Puts the bots of the index to work, and tells each that it starts: it may have missed something, such as a job that
    /// gave up while the object store was away.
    pub(crate) async fn start_bots(&self) -> Result<()> {
        let records: Vec<Record> = self.0.store.index().view().all(Space::Bots, MOST)?;
        let at_work = records.iter().filter(|record| record.quarantined.is_none());
        let started: Vec<_> =
            at_work.map(|it| EventKind::BotStarted { bot: it.name.clone(), plugin: it.plugin }).collect();
        let tell =
            move |tx: &mut Tx<'_>| started.into_iter().try_for_each(|it| Ok::<_, Error>(tx.append(it).map(drop)?));
        self.0.store.index().write_async(tell).await?;
        for record in records {
            let name = record.name.clone();
            // One that can't start stands still; the others and the host do not.
            if let Err(error) = self.put_to_work(record).await {
                tracing::error!(bot = %name, %error, "a bot could not be started; install it again");
            }
        }
        Ok(())
    }

    async fn put_to_work(&self, record: Record) -> Result<()> {
        let host = self.clone();
        let digest = record.plugin;
        let plugin = blocking(move || host.load_plugin(digest)).await?;
        let ledger = Ledger { cursor: record.cursor, state_bytes: record.state_bytes, ..Ledger::default() };
        let stop = self.0.stopping.child_token();
        let bot = Arc::new(Running { record, plugin, ledger: ledger.into(), stop });
        self.0.bots.replace(bot.clone());
        if bot.record.quarantined.is_none() {
            let (host, stop) = (self.clone(), bot.stop.clone());
            self.0.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = dispatch::run(host, bot) => {}
                }
            });
        }
        Ok(())
    }

    /// Installs a bot, or changes one: from the next event on it runs with this. Its component checks the settings first.
    /// Its state stays. Durable when this returns; the same again changes nothing.
    ///
    /// # Errors
    /// [`Code::UnknownPlugin`], [`Code::NotGranted`], [`Code::BadSettings`], a trigger that does not exist.
    pub async fn install(&self, name: BotName, spec: BotSpec) -> Result<BotInfo> {
        self.check_running()?;
        let _one = self.0.bots.changing.lock().await;
        if let Some(kind) = spec.triggers.unknown() {
            let known = EventKind::TRIGGERS.join(", ");
            return Err(Error::new(
                Code::BadRequest,
                format!("triggers.events: there is no {kind:?}; there are {known}"),
            ));
        }
        if name.as_str() == OPERATOR {
            let detail = format!("{OPERATOR} stands for people in pins and jobs: give the bot another name");
            return Err(Error::new(Code::BadName, detail));
        }
        let settings = spec.settings.to_string();
        if settings.len() > limits::SETTINGS_BYTES {
            let detail =
                format!("settings: {} bytes where at most {} are taken", settings.len(), limits::SETTINGS_BYTES);
            return Err(Error::new(Code::TooLarge, detail));
        }
        if let Some(same) = self.0.bots.get(&name)
            && same.record.quarantined.is_none()
            && same.record.spec()? == spec
        {
            return self.bot(&name).await;
        }
        let (host, text, grants) = (self.clone(), settings.clone(), spec.grants.clone());
        let checked = blocking(move || {
            let plugin = host.load_plugin(spec.plugin)?;
            check_granted(plugin.about(), &grants)?;
            Ok::<_, Error>(plugin.configure(&text))
        });
        let checked = checked.await?;
        checked.map_err(|fault| Error::new(Code::BadSettings, fault.to_string()))?;
        let BotSpec { plugin, grants, triggers, .. } = spec;
        let record = Record {
            name: name.clone(),
            plugin,
            settings,
            grants,
            triggers,
            installed: 0,
            cursor: 0,
            quarantined: None,
            state_bytes: 0,
        };
        let record = self.0.store.index().write_async(move |tx| write_installed(tx, record)).await?;
        self.put_to_work(record).await?;
        self.bot(&name).await
    }

    /// Removes a bot with its state and the times it would be woken at. Jobs that it asked for go on.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub async fn uninstall(&self, name: &BotName) -> Result<()> {
        let _one = self.0.bots.changing.lock().await;
        let (store, bot) = (self.0.store.clone(), name.clone());
        let read = move || {
            let view = store.index().view();
            Ok::<_, Error>((state_keys(&view, &bot)?, wakes::keys(&view, &bot)?))
        };
        let (keys, wakes) = blocking(read).await?;
        let bot = name.clone();
        let remove = move |tx: &mut Tx<'_>| {
            if tx.bytes(Space::Bots, bot.as_str().as_bytes())?.is_none() {
                return Err(unknown(&bot));
            }
            tx.put_bytes(Space::Bots, bot.as_str().as_bytes(), None);
            keys.iter().for_each(|key| tx.put_bytes(Space::State, key, None));
            wakes.iter().try_for_each(|key| Ok(wakes::set(tx, &bot, key, None)?))
        };
        self.0.store.index().write_async(remove).await?;
        self.0.bots.remove(name);
        Ok(())
    }

    /// Lets a bot in quarantine go on with the event that it stands at.
    ///
    /// # Errors
    /// [`Code::UnknownBot`]; [`Code::Ended`] if it is not in quarantine.
    pub async fn resume(&self, name: &BotName) -> Result<BotInfo> {
        let _one = self.0.bots.changing.lock().await;
        let bot = name.clone();
        let release = move |tx: &mut Tx<'_>| {
            let found: Option<Record> = tx.get(Space::Bots, bot.as_str().as_bytes())?;
            let mut record = found.ok_or_else(|| unknown(&bot))?;
            if record.quarantined.take().is_none() {
                return Err(Error::new(Code::Ended, format!("bot {bot} is not in quarantine")));
            }
            tx.put(Space::Bots, bot.as_str().as_bytes(), &record)?;
            Ok(record)
        };
        let record = self.0.store.index().write_async(release).await?;
        self.put_to_work(record).await?;
        self.bot(name).await
    }

    /// All installed bots, by name.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn bots(&self) -> Result<Vec<BotInfo>> {
        let records: Vec<Record> = self.0.store.index().view().all(Space::Bots, MOST)?;
        records.into_iter().map(|record| self.describe(&record)).collect()
    }

    /// One installed bot.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub async fn bot(&self, name: &BotName) -> Result<BotInfo> {
        let found: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        self.describe(&found.ok_or_else(|| unknown(name))?)
    }

    /// One value of a bot's state, for people who look into it.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn bot_state(&self, name: &BotName, key: &str) -> Result<Option<Vec<u8>>> {
        let key = [name.as_str().as_bytes(), &[0], key.as_bytes()].concat();
        Ok(self.0.store.index().view().bytes(Space::State, &key)?)
    }

    fn describe(&self, record: &Record) -> Result<BotInfo> {
        let running = self.0.bots.get(&record.name);
        let ledger = running.as_ref().map(|bot| bot.ledger());
        let cursor = ledger.as_ref().map_or(record.cursor, |ledger| ledger.cursor);
        let head = *self.0.store.index().head().borrow();
        Ok(BotInfo {
            name: record.name.clone(),
            spec: record.spec()?,
            quarantined: record.quarantined.clone(),
            cursor,
            lag: head.saturating_sub(cursor),
            handled: ledger.as_ref().map_or(0, |ledger| ledger.handled),
            effects: ledger.as_ref().map_or(0, |ledger| ledger.effects),
            faults: ledger.as_ref().map_or(0, |ledger| ledger.faults),
            last_fault: ledger.as_ref().and_then(|ledger| ledger.last_fault.clone()),
            log: ledger.as_ref().map(|ledger| ledger.lines()).unwrap_or_default(),
        })
    }
}

/// Whether a plugin is granted all that it can't do without, by its own manifest.
fn check_granted(about: &About, grants: &Grants) -> Result<()> {
    let Some(manifest) = &about.manifest else { return Ok(()) };
    let missing = manifest.ungranted(grants);
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.iter().map(|(want, why)| format!("`{want}` ({why})")).collect();
    let detail = format!("{} {} is not granted {}", manifest.name, manifest.version, missing.join(", "));
    Err(Error::new(Code::NotGranted, detail))
}

/// The cursor of the bot that is furthest behind; none if there is no bot.
pub(crate) fn slowest_cursor(view: &View) -> Result<Option<Seq>> {
    Ok(view.all::<Record>(Space::Bots, MOST)?.into_iter().map(|record| record.cursor).min())
}

/// A new bot begins with the event of its own installation; a changed one goes on from its cursor.
fn write_installed(tx: &mut Tx<'_>, mut record: Record) -> Result<Record> {
    let key = record.name.as_str().as_bytes().to_vec();
    let before: Option<Record> = tx.get(Space::Bots, &key)?;
    if before.is_none() && tx.count(Space::Bots, MOST)? >= MOST {
        return Err(Error::new(Code::TooMany, format!("{MOST} bots are installed: remove one")));
    }
    let started = EventKind::BotStarted { bot: record.name.clone(), plugin: record.plugin };
    record.installed = tx.append(started)?;
    record.cursor = record.installed - 1;
    if let Some(before) = before {
        record.cursor = before.cursor;
        record.state_bytes = before.state_bytes;
    }
    tx.put(Space::Bots, &key, &record)?;
    Ok(record)
}

fn state_keys(view: &View, bot: &BotName) -> Result<Vec<Vec<u8>>> {
    let low = [bot.as_str().as_bytes(), &[0]].concat();
    let high = [bot.as_str().as_bytes(), &[1]].concat();
    let mut keys = Vec::new();
    view.scan(Space::State, (Bound::Included(&low), Bound::Excluded(&high)), false, |key, _| {
        keys.push(key.to_vec());
        Ok(true)
    })?;
    Ok(keys)
}
