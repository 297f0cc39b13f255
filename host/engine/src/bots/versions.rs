//! What people do about a bot's versions.

use tidegate_core::{BotName, Code};
use tidegate_sandbox::Plugin;
use tidegate_store::{Space, Tx};

use super::{
    BotInfo, Change,
    install::{unknown, write_installed},
    record::{Record, Version},
    swap,
};
use crate::{Error, Host, Result, error::blocking};

impl Host {
    /// Lets a version take over. Whatever happens, one of the two is at work when this returns.
    pub(super) async fn swap(
        &self,
        name: &BotName,
        plugin: Plugin,
        version: Version,
        probation: u64,
    ) -> Result<BotInfo> {
        let swapped = async {
            let old = self.stand_still(name).await?;
            // A version that stands still in quarantine is none to go back to.
            let probation = if old.quarantined.is_some() { 0 } else { probation };
            let taken = self.take_over(name, &plugin, &version, &old.version, probation).await?;
            let bot = name.clone();
            let write = move |tx: &mut Tx<'_>| write_installed(tx, &bot, version, taken);
            self.0.store.index().write_async(write).await
        };
        let swapped = swapped.await;
        self.put_to_work_as_written(name).await?;
        swapped?;
        self.bot(name).await
    }

    /// Stops what is at work of a bot, and returns its record, which then changes no more.
    async fn stand_still(&self, name: &BotName) -> Result<Record> {
        if let Some(running) = self.0.bots.get(name) {
            self.still(&running).await?;
        }
        let written: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        written.ok_or_else(|| unknown(name))
    }

    /// Starts or ends a comparison.
    pub(super) async fn set_candidate(&self, name: &BotName, candidate: Option<Version>) -> Result<BotInfo> {
        let still = self.stand_still(name).await;
        if let Err(error) = still {
            self.put_to_work_as_written(name).await?;
            return Err(error);
        }
        let bot = name.clone();
        let set = move |tx: &mut Tx<'_>| {
            let found: Option<Record> = tx.get(Space::Bots, bot.as_str().as_bytes())?;
            let mut record = found.ok_or_else(|| unknown(&bot))?;
            record.candidate = candidate;
            Ok::<_, Error>(tx.put(Space::Bots, bot.as_str().as_bytes(), &record)?)
        };
        let set = self.0.store.index().write_async(set).await;
        self.put_to_work_as_written(name).await?;
        set?;
        self.bot(name).await
    }

    /// Lets the version that was compared take over.
    ///
    /// # Errors
    /// [`Code::NoCandidate`], and those of [`Host::install`].
    pub async fn promote(&self, name: &BotName, probation: u64) -> Result<BotInfo> {
        let spec = self.candidate_of(name)?.spec(name)?;
        self.install(name.clone(), spec, Change::Swap { probation }).await
    }

    /// Ends a comparison: the version at work stays.
    ///
    /// # Errors
    /// [`Code::UnknownBot`], [`Code::NoCandidate`].
    pub async fn abandon(&self, name: &BotName) -> Result<BotInfo> {
        let _one = self.0.bots.changing.lock().await;
        self.candidate_of(name)?;
        self.set_candidate(name, None).await
    }

    fn candidate_of(&self, name: &BotName) -> Result<Version> {
        let record: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        let none = || Error::new(Code::NoCandidate, format!("no other version runs beside bot {name}"));
        record.ok_or_else(|| unknown(name))?.candidate.ok_or_else(none)
    }

    /// Puts the version before this one back, while this one has not proven itself.
    ///
    /// # Errors
    /// [`Code::UnknownBot`]; [`Code::NoCandidate`] if there is nothing to go back to any more.
    pub async fn roll_back(&self, name: &BotName) -> Result<BotInfo> {
        let _one = self.0.bots.changing.lock().await;
        let known: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        known.ok_or_else(|| unknown(name))?;
        let still = self.stand_still(name).await.map(drop);
        let (host, bot) = (self.clone(), name.clone());
        let back = blocking(move || {
            still?;
            let way = host.way_back(&bot)?;
            let write = move |tx: &mut Tx<'_>| {
                let found: Option<Record> = tx.get(Space::Bots, bot.as_str().as_bytes())?;
                let mut record = found.ok_or_else(|| unknown(&bot))?;
                let at = record.cursor;
                swap::go_back(tx, &mut record, at, "the operator wanted it".into(), way)
            };
            host.0.store.index().write(write)
        });
        let back = back.await;
        self.put_to_work_as_written(name).await?;
        back?;
        self.bot(name).await
    }
}
