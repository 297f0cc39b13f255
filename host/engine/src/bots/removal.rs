//! A component goes when nothing needs it any more.
//!
//! In this order, while no bot is installed or changed: it is looked whether anything needs it; the code that was compiled
//! of it goes; then its file, whose directory is synced before it is answered. A crash after the second step leaves a
//! component that is compiled again when it is needed, one after the third leaves nothing, or the file once more if the
//! directory was not synced: then the same request removes it. No bot is ever left without what it runs.

use std::fs::{self, File};

use tidegate_core::{BotName, Code, Digest};
use tidegate_store::{Space, View};

use super::{install::MOST, letters, plugins, record::Record};
use crate::{Error, Host, Result, error::blocking};

/// Who is named at most.
const NAMED: usize = 8;

impl Host {
    /// Removes an uploaded component, and the code that was compiled of it. Durable when this returns.
    ///
    /// # Errors
    /// [`Code::UnknownPlugin`]; [`Code::PluginInUse`] while a bot runs it, may go back to it or is compared with it, or an
    /// event is parked with it; the detail says which.
    pub async fn remove_plugin(&self, digest: Digest) -> Result<()> {
        let _one = self.0.bots.changing.lock().await;
        let host = self.clone();
        blocking(move || host.remove_plugin_now(digest)).await
    }

    fn remove_plugin_now(&self, digest: Digest) -> Result<()> {
        let dir = &self.0.options.plugins;
        let path = plugins::path_of(dir, digest);
        if !path.is_file() {
            return Err(plugins::unknown(digest));
        }
        let who = who_needs(&self.0.store.index().view(), digest)?;
        if !who.is_empty() {
            let more = who.len().saturating_sub(NAMED);
            let named = who.into_iter().take(NAMED).collect::<Vec<_>>().join("; ");
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(Error::new(Code::PluginInUse, format!("component {digest} is needed: {named}{more}")));
        }
        self.0.bots.forget(digest);
        self.0.sandbox.forget(digest);
        fs::remove_file(&path).map_err(|e| plugins::failed("remove", &path, &e))?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| plugins::failed("sync", dir, &e))
    }
}

/// Who needs a component, in words.
fn who_needs(view: &View, digest: Digest) -> Result<Vec<String>> {
    let mut who = Vec::new();
    for record in view.all::<Record>(Space::Bots, MOST)? {
        let name = &record.name;
        if record.version.plugin == digest {
            who.push(format!("bot {name} runs it"));
        }
        if record.previous.as_ref().is_some_and(|it| it.version.plugin == digest) {
            who.push(format!("bot {name} may go back to it"));
        }
        if record.candidate.as_ref().is_some_and(|it| it.plugin == digest) {
            who.push(format!("it runs beside bot {name}"));
        }
        let parked = parked_with(view, name, digest)?;
        if parked > 0 {
            who.push(format!("events that bot {name} has parked with it: {parked}"));
        }
    }
    Ok(who)
}

fn parked_with(view: &View, bot: &BotName, digest: Digest) -> Result<usize> {
    Ok(letters::all(view, bot)?.iter().filter(|letter| letter.plugin == digest).count())
}
