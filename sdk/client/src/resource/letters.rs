use hyper::Method;
use tidegate_api::{Bot, Letter, Page, Replay};

use crate::{Client, Error, transport::Call};

impl Client {
    /// The events that a bot could not handle.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot.
    pub async fn letters(&self, bot: &str) -> Result<Page<Letter>, Error> {
        self.ask(Call::get(&["v1", "bots", bot, "letters"])).await
    }

    /// Lets a quarantined bot go past the event that it stands at, which stays parked.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot, `TG0024` when it is not in quarantine.
    pub async fn skip_event(&self, bot: &str) -> Result<Bot, Error> {
        self.ask(Call::post(&["v1", "bots", bot, "skip"])).await
    }

    /// Has a parked event handed to the bot again, once it is at work.
    ///
    /// # Errors
    /// `TG0034` when it is not parked, `TG0040` when the bot stands at it.
    pub async fn replay_letter(&self, bot: &str, event: u64) -> Result<Replay, Error> {
        self.ask(Call::post(&["v1", "bots", bot, "letters", &event.to_string(), "replay"])).await
    }

    /// Throws a parked event away.
    ///
    /// # Errors
    /// `TG0034` when it is not parked, `TG0040` when the bot stands at it.
    pub async fn drop_letter(&self, bot: &str, event: u64) -> Result<(), Error> {
        self.tell(Call::new(Method::DELETE, &["v1", "bots", bot, "letters", &event.to_string()])).await
    }
}
