//! What people do about a bot's versions.

use tidegate_core::{BotName, Code, Grants, Lack};
use tidegate_sandbox::{About, Plugin};
use tidegate_store::{Space, Tx};

use super::{
    BotInfo,
    candidate::Candidate,
    check::check_probation,
    install::{unknown, write_installed},
    record::{Record, Version},
    swap,
};
use crate::{Error, Host, Result, error::blocking};

/// How a promotion went.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// The bot, with the version that was beside it at work.
    pub bot: BotInfo,
    /// What an operator should know of that version, in words.
    pub warnings: Vec<String>,
}

/// What a plugin also works without, had while the version before it was at work, and is granted no more: it gets `denied`.
/// What it can't do without it was granted, or it would not be installed.
fn lost(about: &About, before: &Grants, now: &Grants) -> Vec<String> {
    let lacking = |grants| about.manifest.iter().flat_map(move |it| it.ungranted_optional(grants));
    let before: Vec<Lack<'_>> = lacking(before).collect();
    let lost = lacking(now).filter(|lack| !before.contains(lack));
    lost.map(|lack| format!("it wants {lack}, which the version before it was granted and it is not")).collect()
}

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

    /// Lets the version that was compared take over. One that has failed does only if that is forced.
    ///
    /// # Errors
    /// [`Code::NoCandidate`], [`Code::CandidateFailed`], and those of [`Host::install`].
    pub async fn promote(&self, name: &BotName, probation: u64, force: bool) -> Result<Promotion> {
        self.check_running()?;
        check_probation(probation)?;
        let _one = self.0.bots.changing.lock().await;
        let (at_work, candidate) = self.candidate_of(name)?;
        let running = self.0.bots.get(name);
        let comparison = running.as_ref().and_then(|bot| bot.candidate.as_ref()).map(Candidate::comparison);
        let comparison = comparison.unwrap_or_default();
        let failure = comparison.failure();
        if let Some(failure) = failure.as_ref().filter(|_| !force) {
            return Err(Error::new(Code::CandidateFailed, format!("the version beside bot {name}: {failure}")));
        }
        let plugin = self.check(name, &candidate.spec(name)?).await?;
        let mut warnings: Vec<String> = failure.into_iter().collect();
        if comparison.events() == 0 {
            let unknown = "it was given no event since the comparison began, or the host was started: nothing is known of \
                           how it decides";
            warnings.push(unknown.into());
        }
        warnings.extend(lost(plugin.about(), &at_work.grants, &candidate.grants));
        let bot = self.swap(name, plugin, candidate, probation).await?;
        Ok(Promotion { bot, warnings })
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

    /// The version at work, and the one beside it.
    fn candidate_of(&self, name: &BotName) -> Result<(Version, Version)> {
        let record: Option<Record> = self.0.store.index().view().get(Space::Bots, name.as_str().as_bytes())?;
        let none = || Error::new(Code::NoCandidate, format!("no other version runs beside bot {name}"));
        let Record { version, candidate, .. } = record.ok_or_else(|| unknown(name))?;
        Ok((version, candidate.ok_or_else(none)?))
    }

    /// Puts the version before this one back, while this one has not proven itself. It is woken as it was to be when this one
    /// took over.
    ///
    /// # Errors
    /// [`Code::UnknownBot`]; [`Code::NoCandidate`] if there is nothing to go back to any more; what keeps that version's
    /// component from being put to work. This version then stays at work.
    pub async fn roll_back(&self, name: &BotName) -> Result<BotInfo> {
        let _one = self.0.bots.changing.lock().await;
        let (host, bot) = (self.clone(), name.clone());
        if let Some(lost) = blocking(move || host.no_way_back(&bot)).await? {
            return Err(lost);
        }
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
        self.0.bots.wakes_changed.notify_one();
        self.put_to_work_as_written(name).await?;
        back?;
        self.bot(name).await
    }
}
