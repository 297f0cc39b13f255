//! What people do about events that a bot could not handle.

use tidegate_core::{BotName, Code, EventKind, Seq};
use tidegate_store::{Space, Tx};

use super::{BotInfo, Standing, install::unknown, letters, letters::Letter, record::Record, wakes};
use crate::{Error, Host, Result, error::blocking};

impl Host {
    /// Lets a bot in quarantine try the event again that it stands at; puts one to work that could not be.
    ///
    /// # Errors
    /// [`Code::UnknownBot`]; [`Code::Ended`] if it is not in quarantine.
    pub async fn resume(&self, name: &BotName) -> Result<BotInfo> {
        if self.0.bots.stopped().contains_key(name) {
            let _one = self.0.bots.changing.lock().await;
            self.put_to_work_as_written(name).await?;
            return self.bot(name).await;
        }
        self.release(name, false).await
    }

    /// Lets a bot in quarantine go past the event that it stands at. The event stays parked.
    ///
    /// # Errors
    /// As [`Host::resume`]; [`Code::TooMany`] if too many events of it are parked.
    pub async fn skip(&self, name: &BotName) -> Result<BotInfo> {
        self.release(name, true).await
    }

    async fn release(&self, name: &BotName, skip: bool) -> Result<BotInfo> {
        let _one = self.0.bots.changing.lock().await;
        let (host, bot) = (self.clone(), name.clone());
        let parked = blocking(move || Ok::<_, Error>(letters::all(&host.0.store.index().view(), &bot)?.len())).await?;
        let bot = name.clone();
        let release = move |tx: &mut Tx<'_>| {
            let found: Option<Record> = tx.get(Space::Bots, bot.as_str().as_bytes())?;
            let mut record = found.ok_or_else(|| unknown(&bot))?;
            if record.quarantined.take().is_none() {
                return Err(Error::new(Code::Ended, format!("bot {bot} is not in quarantine")));
            }
            if skip {
                if parked >= letters::MOST {
                    let detail = format!("{parked} events of bot {bot} are parked: replay or drop some");
                    return Err(Error::new(Code::TooMany, detail));
                }
                // A quarantine of an older version of the host has parked nothing: the next event is the one.
                let event = record.parked.take().unwrap_or(record.cursor + 1);
                if let Ok(letter) = letters::get(tx, &bot, event)
                    && let EventKind::BotWoken { key, due, .. } = &letter.event.kind
                {
                    wakes::came(tx, &bot, key, *due)?;
                }
                record.cursor = record.cursor.max(event);
            }
            Ok(tx.put(Space::Bots, bot.as_str().as_bytes(), &record)?)
        };
        self.0.store.index().write_async(release).await?;
        self.put_to_work_as_written(name).await?;
        self.bot(name).await
    }

    /// The bots that handle no events, with the word for how they stand, and how many bots there are in all.
    pub(crate) fn standing_still(&self) -> Result<(Vec<(BotName, &'static str)>, usize)> {
        let records: Vec<Record> = self.0.store.index().view().all(Space::Bots, usize::MAX)?;
        let (stopped, all) = (self.0.bots.stopped(), records.len());
        let standing = |record: &Record| Standing::of(record.quarantined.is_some(), stopped.contains_key(&record.name));
        let still = records.into_iter().map(|record| (standing(&record), record.name));
        let still = still.filter(|(standing, _)| *standing != Standing::Running);
        Ok((still.map(|(standing, name)| (name, standing.name())).collect(), all))
    }

    /// The events that a bot could not handle, in their order.
    ///
    /// # Errors
    /// [`Code::UnknownBot`].
    pub async fn letters(&self, name: &BotName) -> Result<Vec<Letter>> {
        let (host, name) = (self.clone(), name.clone());
        blocking(move || {
            let view = host.0.store.index().view();
            let known = view.bytes(Space::Bots, name.as_str().as_bytes())?;
            known.ok_or_else(|| unknown(&name)).and_then(|_| letters::all(&view, &name))
        })
        .await
    }

    /// Has a parked event handed to the bot again, whatever its cursor: soon if it is at work, else once it is resumed. Returns
    /// the letter, and how the bot stands. If it goes well it is no longer parked; its
    /// effects have the ids that they would have had. The event that a bot in quarantine stands at is tried with
    /// [`Host::resume`].
    ///
    /// # Errors
    /// [`Code::UnknownBot`]; [`Code::UnknownEvent`] if it is not parked; [`Code::StandsAt`] if the bot stands at it.
    pub async fn replay(&self, name: &BotName, event: Seq) -> Result<(Letter, Standing)> {
        let bot = name.clone();
        let again = move |tx: &mut Tx<'_>| {
            let quarantined = check_skipped(tx, &bot, event)?.quarantined.is_some();
            let mut letter = letters::get(tx, &bot, event)?;
            letter.replay = true;
            letters::put(tx, &bot, &letter)?;
            Ok::<_, Error>((letter, quarantined))
        };
        let (letter, quarantined) = self.0.store.index().write_async(again).await?;
        if let Some(running) = self.0.bots.get(name) {
            running.replays.notify_one();
        }
        Ok((letter, Standing::of(quarantined, self.0.bots.stopped().contains_key(name))))
    }

    /// Throws a parked event away.
    ///
    /// # Errors
    /// As [`Host::replay`].
    pub async fn drop_letter(&self, name: &BotName, event: Seq) -> Result<()> {
        let bot = name.clone();
        let drop = move |tx: &mut Tx<'_>| {
            check_skipped(tx, &bot, event)?;
            letters::get(tx, &bot, event)?;
            letters::remove(tx, &bot, event);
            Ok::<_, Error>(())
        };
        self.0.store.index().write_async(drop).await
    }
}

/// The bot as it is written: it is there, and does not stand at this event.
fn check_skipped(tx: &Tx<'_>, bot: &BotName, event: Seq) -> Result<Record> {
    let found: Option<Record> = tx.get(Space::Bots, bot.as_str().as_bytes())?;
    let record = found.ok_or_else(|| unknown(bot))?;
    if record.parked == Some(event) {
        let detail = format!("bot {bot} stands at event {event}: resume it, or skip the event first");
        return Err(Error::new(Code::StandsAt, detail));
    }
    Ok(record)
}
