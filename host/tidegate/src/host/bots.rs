//! The bots that the configuration names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use tidegate_core::{BotName, Code};
use tidegate_engine::{BotSpec, Change, Host};

use crate::config::{BotConfig, BotsSection};

/// What becomes of a bot that is installed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It becomes what the configuration says.
    Replace,
    /// It keeps its settings, grants and triggers, and gets the new component.
    Keep,
}

/// Installs them. Answers the names of those that are there, and a note for each that could not be. Where the configuration
/// is a file that asks for them, the host is degraded until those are installed; a host for a laptop takes what it finds.
pub(crate) async fn install(host: &Host, bots: &BotsSection, existing: Existing) -> (Vec<BotName>, Vec<String>) {
    let (mut installed, mut notes) = (Vec::new(), Vec::new());
    for (name, bot) in &bots.install {
        match install_one(host, bots.plugins.as_deref(), name, bot, existing).await {
            Ok(note) => {
                installed.push(name.clone());
                notes.extend(note);
            }
            Err(error) => {
                if existing == Existing::Replace {
                    host.not_installed(name.clone(), &format!("{error:#}"));
                }
                notes.push(format!("bot {name} is not installed: {error:#}"));
            }
        }
    }
    (installed, notes)
}

/// A note if the bot is there, but not as the configuration says.
async fn install_one(
    host: &Host,
    plugins: Option<&Path>,
    name: &BotName,
    bot: &BotConfig,
    existing: Existing,
) -> Result<Option<String>> {
    let path = locate(plugins, &bot.plugin)?;
    let component = tokio::fs::read(&path).await.with_context(|| format!("can't read {}", path.display()))?;
    let plugin = host.add_plugin(component.into()).await.with_context(|| path.display().to_string())?.digest;
    let (known, rolled_back) = match host.bot(name).await {
        Ok(known) => (Some(known.spec), known.rolled_back),
        Err(error) if error.code == Code::UnknownBot => (None, None),
        Err(error) => return Err(error.into()),
    };
    let wanted = match (&known, existing) {
        (Some(known), Existing::Keep) => BotSpec { plugin, ..known.clone() },
        _ => BotSpec {
            plugin,
            settings: bot.settings.clone(),
            grants: bot.grants.clone(),
            triggers: bot.triggers.clone(),
            mode: bot.mode,
        },
    };
    if known.as_ref() == Some(&wanted) {
        return Ok(None);
    }
    // It would fail again, and again at each start.
    if let (Some(known), Some((_, why))) = (&known, rolled_back.filter(|(failed, _)| *failed == wanted)) {
        return Ok(Some(format!(
            "bot {name} stays with component {}: what the configuration names, component {plugin}, was put back at {why}; \
             change the configuration, or try it again with `tidegate bots install`",
            known.plugin
        )));
    }
    host.install(name.clone(), wanted, Change::default()).await?;
    Ok(None)
}

fn locate(plugins: Option<&Path>, plugin: &Path) -> Result<PathBuf> {
    if plugin.is_absolute() {
        return Ok(plugin.to_owned());
    }
    let missing = || {
        anyhow!(
            "no directory of components was found: `cargo xtask plugins` builds the first-party ones; \
             name it with --plugins or `bots.plugins`"
        )
    };
    Ok(plugins.ok_or_else(missing)?.join(plugin))
}
