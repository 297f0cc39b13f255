use std::sync::Arc;

use tidegate_core::{BotName, Code, Decision, EventKind, Seq, limits, told};
use tidegate_sandbox::Plugin;
use tidegate_store::{Space, Tx, View};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    BotInfo, BotSpec,
    calls::Who,
    candidate::Candidate,
    check::{check_granted, check_probation},
    dispatch,
    evaluate::Handler,
    ground::{Apart, Ground},
    kept::Kept,
    letters,
    record::{Record, Version},
    registry::{Live, Running},
    state::{self, Part},
    swap::{self, Taken},
    wakes,
};
use crate::{Error, Host, Result, catalog::OPERATOR, error::blocking};

/// Installed bots at once.
pub(super) const MOST: usize = 1024;
/// Events after which a new version of a bot is settled, unless an operator says otherwise.
pub const PROBATION: u64 = 100;

pub(super) fn unknown(name: &BotName) -> Error {
    Error::new(Code::UnknownBot, format!("bot {name} is not installed"))
}

/// How a change of a bot comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It takes over between two events; if it fails on one of the first so many that it handles, the version before it is
    /// put back. 0 means never.
    Swap {
        /// Events, at most [`limits::PROBATION`].
        probation: u64,
    },
    /// It runs beside the version at work, without effects, until it is promoted or abandoned.
    Beside,
}

impl Default for Change {
    fn default() -> Self {
        Self::Swap { probation: PROBATION }
    }
}

impl Host {
    /// Puts the bots of the index to work, and tells each that it starts: it may have missed something, such as a job that
    /// gave up while the object store was away.
    pub(crate) async fn start_bots(&self) -> Result<()> {
        let records: Vec<Record> = self.0.store.index().view().all(Space::Bots, MOST)?;
        let at_work = records.iter().filter(|record| record.quarantined.is_none());
        let started: Vec<_> =
            at_work.map(|it| EventKind::BotStarted { bot: it.name.clone(), plugin: it.version.plugin }).collect();
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

    /// Puts a bot to work as the index has it, once whatever was at work of it has ended: two at once would handle the same
    /// events.
    pub(super) async fn put_to_work_as_written(&self, name: &BotName) -> Result<()> {
        if let Some(running) = self.0.bots.get(name) {
            self.still(&running).await?;
        }
        match self.0.store.index().view().get::<Record>(Space::Bots, name.as_str().as_bytes())? {
            Some(record) => self.put_to_work(record).await,
            None => Ok(()),
        }
    }

    async fn put_to_work(&self, record: Record) -> Result<()> {
        let (host, name) = (self.clone(), record.name.clone());
        let running = match blocking(move || host.ready(record)).await {
            Ok(running) => running,
            Err(error) => {
                self.0.bots.remove(&name);
                self.0.bots.stopped().insert(name, error.to_string());
                return Err(error);
            }
        };
        self.0.bots.stopped().remove(&name);
        let bot = Arc::new(running);
        self.0.bots.replace(bot.clone());
        if bot.record.quarantined.is_none() && !self.0.stopping.is_cancelled() {
            self.0.tasks.spawn(dispatch::run(self.clone(), bot));
        } else {
            bot.ended.cancel();
        }
        Ok(())
    }

    fn ready(&self, record: Record) -> Result<Running> {
        let plugin = self.load_plugin(record.version.plugin)?;
        let handler = handler(&record.name, &record.version, plugin);
        let candidate = record.candidate.clone().map(|version| self.beside(&record, version));
        let left = record.previous.as_ref().map(|previous| previous.left);
        let live = Live { cursor: record.cursor, ground: Arc::new(Ground::of(&record)), left, ..Live::default() };
        let stop = self.0.stopping.child_token();
        let (ended, replays) = (CancellationToken::new(), Notify::new());
        Ok(Running { record, handler, live: live.into(), candidate, stop, ended, replays })
    }

    /// A version to compare with the one of a record; one that can't begin says why.
    fn beside(&self, record: &Record, version: Version) -> Candidate {
        let begin = || {
            let plugin = self.load_plugin(version.plugin)?;
            let view = self.0.store.index().view();
            let (state, wakes) = (state::whole(&view, &record.name, Part::Own)?, wakes::all(&view, &record.name)?);
            let state = swap::migrate(self, &plugin, &version, &record.version, state)?;
            Ok::<_, Error>((handler(&record.name, &version, plugin), Ground::apart(Apart { state, wakes })))
        };
        match begin() {
            Ok((handler, ground)) => Candidate::new(version, handler, ground),
            Err(error) => Candidate::stopped(version, error.to_string()),
        }
    }

    /// What must be right of a version before it may run; its component checks the settings.
    pub(super) async fn check(&self, name: &BotName, spec: &BotSpec) -> Result<Plugin> {
        self.check_spec(spec)?;
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
        let (host, grants, digest) = (self.clone(), spec.grants.clone(), spec.plugin);
        let checked = blocking(move || {
            let plugin = host.load_plugin(digest)?;
            check_granted(plugin.about(), &grants)?;
            let configured = plugin.configure(&settings);
            Ok::<_, Error>((plugin, configured))
        });
        let (plugin, configured) = checked.await?;
        configured.map_err(|fault| Error::new(Code::BadSettings, fault.to_string()))?;
        Ok(plugin)
    }

    /// Installs a bot, or changes one: from the next event on it runs with this. Its component checks the settings first,
    /// and brings the state of the version before it into its own form. Durable when this returns; the same again changes
    /// nothing. With [`Change::Beside`] the version at work stays, and this one is compared with it.
    ///
    /// # Errors
    /// [`Code::UnknownPlugin`], [`Code::NotGranted`], [`Code::BadSettings`], [`Code::NotMigrated`]; [`Code::BadRequest`] for a
    /// trigger or target that does not exist, a pattern that is none, or a probation out of its bounds; [`Code::UnknownBot`] if there is none to run beside.
    pub async fn install(&self, name: BotName, spec: BotSpec, change: Change) -> Result<BotInfo> {
        let installed = self.install_checked(name, spec, change).await?;
        if change != Change::Beside {
            self.0.bots.not_installed().remove(&installed.name);
        }
        Ok(installed)
    }

    /// Notes that a bot that the configuration names could not be installed: the host is degraded and says why, until the
    /// bot is installed in another way. It is lost with the host, which tries again when it starts.
    pub fn not_installed(&self, name: BotName, why: &str) {
        self.0.bots.not_installed().insert(name, told(why));
    }

    /// What could not be installed and why, by name.
    pub(crate) fn missing_bots(&self) -> Vec<(BotName, String)> {
        self.0.bots.not_installed().iter().map(|(name, why)| (name.clone(), why.clone())).collect()
    }

    async fn install_checked(&self, name: BotName, spec: BotSpec, change: Change) -> Result<BotInfo> {
        self.check_running()?;
        if let Change::Swap { probation } = change {
            check_probation(probation)?;
        }
        let _one = self.0.bots.changing.lock().await;
        // What the index says counts: what is at work may have been put into quarantine or back since it was begun.
        let written: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        if let Some(same) = &written
            && change != Change::Beside
            && same.quarantined.is_none()
            && same.version.spec(&name)? == spec
            && self.0.bots.get(&name).is_some()
        {
            return self.bot(&name).await;
        }
        let plugin = self.check(&name, &spec).await?;
        let version = Version::of(&spec);
        match (change, written) {
            (Change::Beside, None) => Err(unknown(&name)),
            (Change::Beside, Some(_)) => self.set_candidate(&name, Some(version)).await,
            (Change::Swap { probation }, Some(_)) => self.swap(&name, plugin, version, probation).await,
            (Change::Swap { .. }, None) => {
                let (bot, taken) = (name.clone(), Taken::default());
                let write = move |tx: &mut Tx<'_>| write_installed(tx, &bot, version, taken);
                self.0.store.index().write_async(write).await?;
                self.put_to_work_as_written(&name).await?;
                self.bot(&name).await
            }
        }
    }

    /// Removes a bot with its state, its parked events and the times it would be woken at. Jobs that it asked for go on.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub async fn uninstall(&self, name: &BotName) -> Result<()> {
        let _one = self.0.bots.changing.lock().await;
        // What it is at may still write what would then stay behind.
        if let Some(running) = self.0.bots.get(name) {
            self.still(&running).await?;
        }
        let (host, bot) = (self.clone(), name.clone());
        let read = move || {
            let view = host.0.store.index().view();
            let letters = letters::all(&view, &bot)?;
            let state = state::keys(&view, &bot, Part::Own)?;
            Ok::<_, Error>((state, wakes::keys(&view, &bot)?, Kept::of(&view, &bot)?, letters))
        };
        let (state, wakes, kept, letters) = blocking(read).await?;
        let bot = name.clone();
        let remove = move |tx: &mut Tx<'_>| {
            if tx.bytes(Space::Bots, bot.as_str().as_bytes())?.is_none() {
                return Err(unknown(&bot));
            }
            tx.put_bytes(Space::Bots, bot.as_str().as_bytes(), None);
            state.iter().for_each(|key| state::put(tx, &bot, Part::Own, key, None));
            kept.forget(tx, &bot);
            letters.iter().for_each(|letter| letters::remove(tx, &bot, letter.event.seq));
            wakes.iter().try_for_each(|key| Ok(wakes::set(tx, &bot, key, None)?))
        };
        self.0.store.index().write_async(remove).await?;
        self.0.bots.remove(name);
        self.0.bots.stopped().remove(name);
        Ok(())
    }

    /// All installed bots, by name.
    ///
    /// # Errors
    /// An index that can't be read.
    pub async fn bots(&self) -> Result<Vec<BotInfo>> {
        let records: Vec<Record> = self.0.store.index().view().all(Space::Bots, MOST)?;
        let bots = records.iter().map(|record| self.describe(&record.name));
        // One that is removed meanwhile is left out.
        bots.filter(|bot| !matches!(bot, Err(error) if error.code == Code::UnknownBot)).collect()
    }

    /// One installed bot.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub async fn bot(&self, name: &BotName) -> Result<BotInfo> {
        self.describe(name)
    }

    /// What a bot that does not carry out all of its decisions has decided lately, oldest first.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub fn decisions(&self, name: &BotName) -> Result<Vec<Decision>> {
        let running = self.0.bots.get(name).ok_or_else(|| unknown(name))?;
        let decisions = running.live().decisions.iter().cloned().collect();
        Ok(decisions)
    }

    /// One value of a bot's state, for people who look into it.
    ///
    /// # Errors
    /// An index that can't be read.
    pub fn bot_state(&self, name: &BotName, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(state::get(&self.0.store.index().view(), name, Part::Own, key)?)
    }

    fn describe(&self, name: &BotName) -> Result<BotInfo> {
        let running = self.0.bots.get(name);
        // Before the record is read: who sees the cursor at the end sees all that was written on the way.
        let cursor = running.as_ref().map(|bot| bot.live().cursor);
        let found: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        let record = found.ok_or_else(|| unknown(name))?;
        let cursor = cursor.unwrap_or(record.cursor);
        let head = self.0.store.index().last();
        let candidate = running.as_ref().and_then(|bot| bot.candidate.as_ref()).map(Candidate::comparison);
        let candidate = match (&record.candidate, candidate) {
            (Some(version), comparison) => Some((version.spec(&record.name)?, comparison.unwrap_or_default())),
            (None, _) => None,
        };
        let previous = record.previous.as_ref().map(|it| (it.version.plugin, it.left));
        let rolled_back = record.rolled_back.as_ref();
        let rolled_back = rolled_back.map(|it| Ok::<_, Error>((it.version.spec(&record.name)?, it.why.clone())));
        let rolled_back = rolled_back.transpose()?;
        let live = running.as_ref().map(|bot| bot.live());
        Ok(BotInfo {
            name: record.name.clone(),
            spec: record.version.spec(&record.name)?,
            quarantined: record.quarantined.clone(),
            stopped: self.0.bots.stopped().get(&record.name).cloned(),
            parked: record.parked.filter(|_| record.quarantined.is_some()),
            previous,
            rolled_back,
            candidate,
            metrics: record.metrics.clone(),
            state_bytes: record.state_bytes,
            cursor,
            lag: head.saturating_sub(cursor),
            ledger: live.as_ref().map(|live| live.ledger.clone()).unwrap_or_default(),
            last_fault: live.as_ref().and_then(|live| live.last_fault.clone()).or_else(|| record.put_back.clone()),
            log: live.as_ref().map(|live| live.log.iter().cloned().collect()).unwrap_or_default(),
        })
    }
}

fn handler(name: &BotName, version: &Version, plugin: Plugin) -> Handler {
    let who = Who { name: name.clone(), grants: version.grants.clone(), mode: version.mode };
    Handler { who: Arc::new(who), plugin, settings: version.settings.as_str().into() }
}

/// The cursor of the bot that is furthest behind; none if there is no bot.
pub(crate) fn slowest_cursor(view: &View) -> Result<Option<Seq>> {
    Ok(view.all::<Record>(Space::Bots, MOST)?.into_iter().map(|record| record.cursor).min())
}

/// A new bot begins with the event of its own installation; a changed one goes on from its cursor.
pub(super) fn write_installed(tx: &mut Tx<'_>, name: &BotName, version: Version, taken: Taken) -> Result<()> {
    let key = name.as_str().as_bytes().to_vec();
    let before: Option<Record> = tx.get(Space::Bots, &key)?;
    if before.is_none() && tx.count(Space::Bots, MOST)? >= MOST {
        return Err(Error::new(Code::TooMany, format!("{MOST} bots are installed: remove one")));
    }
    let started = EventKind::BotStarted { bot: name.clone(), plugin: version.plugin };
    let installed = tx.append(started)?;
    let record = match before {
        None => Record::new(name.clone(), version, installed),
        Some(mut record) => {
            let old = std::mem::replace(&mut record.version, version);
            (record.installed, record.quarantined, record.candidate) = (installed, None, None);
            record.put_back = None;
            // Whoever installs the same again wants it tried again.
            record.rolled_back = record.rolled_back.filter(|it| it.version != record.version);
            taken.write(tx, &mut record, old)?;
            record
        }
    };
    Ok(tx.put(Space::Bots, &key, &record)?)
}
