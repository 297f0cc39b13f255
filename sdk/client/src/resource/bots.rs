use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use tidegate_api::{Bot, BotSpec, Decision, Page, Plugin, Promote, Promoted, Trial, TrialRequest};

use crate::{Client, Error, transport::Call};

/// For a component to be sent, checked and compiled.
const COMPILE: Duration = Duration::from_secs(300);

impl Client {
    /// Uploads a component, at most 64 MiB; it can then be installed under its digest.
    ///
    /// # Errors
    /// `TG0021` when it is no component of the policy world.
    pub async fn add_plugin(&self, component: Bytes) -> Result<Plugin, Error> {
        self.ask(Call::post(&["v1", "plugins"]).wasm(component).timeout(COMPILE)).await
    }

    /// The uploaded components.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn plugins(&self) -> Result<Page<Plugin>, Error> {
        self.ask(Call::get(&["v1", "plugins"])).await
    }

    /// Removes an uploaded component that nothing needs any more.
    ///
    /// # Errors
    /// `TG0020` when it is not there, `TG0039` while a bot or a parked event needs it.
    pub async fn remove_plugin(&self, digest: &str) -> Result<(), Error> {
        self.tell(Call::new(Method::DELETE, &["v1", "plugins", digest])).await
    }

    /// Installs a bot, or changes it.
    ///
    /// # Errors
    /// `TG0020` when the component is not uploaded, `TG0022` when the bot refuses its settings.
    pub async fn install_bot(&self, name: &str, spec: &BotSpec) -> Result<Bot, Error> {
        self.ask(Call::new(Method::PUT, &["v1", "bots", name]).json(spec)?.timeout(COMPILE)).await
    }

    /// The installed bots.
    ///
    /// # Errors
    /// The host can't be reached.
    pub async fn bots(&self) -> Result<Page<Bot>, Error> {
        self.ask(Call::get(&["v1", "bots"])).await
    }

    /// One bot.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot.
    pub async fn bot(&self, name: &str) -> Result<Bot, Error> {
        self.ask(Call::get(&["v1", "bots", name])).await
    }

    /// Removes a bot with its state.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot.
    pub async fn remove_bot(&self, name: &str) -> Result<(), Error> {
        self.tell(Call::new(Method::DELETE, &["v1", "bots", name])).await
    }

    /// Lets a quarantined bot try again.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot.
    pub async fn resume_bot(&self, name: &str) -> Result<Bot, Error> {
        self.ask(Call::post(&["v1", "bots", name, "resume"])).await
    }

    /// Lets the version that runs beside a bot take over; see `BotSpec` for the probation.
    ///
    /// # Errors
    /// `TG0036` when there is none, `TG0039` when it has failed and is not forced, and those of [`Client::install_bot`].
    pub async fn promote_bot(&self, name: &str, probation: Option<u64>, force: bool) -> Result<Promoted, Error> {
        let asked = Promote { probation, force };
        self.ask(Call::post(&["v1", "bots", name, "promote"]).json(&asked)?.timeout(COMPILE)).await
    }

    /// Ends the comparison with the version that runs beside a bot.
    ///
    /// # Errors
    /// `TG0036` when there is none.
    pub async fn abandon_candidate(&self, name: &str) -> Result<Bot, Error> {
        self.ask(Call::post(&["v1", "bots", name, "abandon"])).await
    }

    /// Puts the version before this one back.
    ///
    /// # Errors
    /// `TG0036` when there is none to go back to.
    pub async fn roll_back_bot(&self, name: &str) -> Result<Bot, Error> {
        self.ask(Call::post(&["v1", "bots", name, "rollback"])).await
    }

    /// What a bot in shadow or canary has decided lately.
    ///
    /// # Errors
    /// `TG0019` when there is no such bot.
    pub async fn decisions(&self, name: &str) -> Result<Page<Decision>, Error> {
        self.ask(Call::get(&["v1", "bots", name, "decisions"])).await
    }

    /// What a bot would have decided about recorded facts. Nothing is done.
    ///
    /// # Errors
    /// As [`Client::install_bot`].
    pub async fn try_out(&self, asked: &TrialRequest) -> Result<Trial, Error> {
        self.ask(Call::post(&["v1", "trials"]).json(asked)?.timeout(COMPILE)).await
    }
}
