//! Bots: each goes along the journal from its own cursor, in a task of its own, and asks for effects.

mod calls;
mod dispatch;
mod group;
mod install;
mod plugins;
mod record;
mod registry;
mod wakes;

use serde_json::Value;
use tidegate_core::{BotName, Digest, Grants, PluginManifest, Seq, Triggers};

pub(crate) use install::slowest_cursor;
pub(crate) use registry::Bots;
pub(crate) use wakes::run as wake;

/// What an operator wants of a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotSpec {
    /// The digest of an uploaded component.
    pub plugin: Digest,
    /// Its settings.
    pub settings: Value,
    /// What it may do.
    pub grants: Grants,
    /// What wakes it.
    pub triggers: Triggers,
}

/// An installed bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotInfo {
    /// Its name.
    pub name: BotName,
    /// What it is.
    pub spec: BotSpec,
    /// Why it stands still, if it does.
    pub quarantined: Option<String>,
    /// The last event that it has dealt with.
    pub cursor: Seq,
    /// Events that wait for it.
    pub lag: u64,
    /// Events handled since the host started.
    pub handled: u64,
    /// Effects accepted since the host started.
    pub effects: u64,
    /// Faults since the host started.
    pub faults: u64,
    /// The last fault.
    pub last_fault: Option<String>,
    /// Its last lines of log.
    pub log: Vec<String>,
}

/// An uploaded component.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginInfo {
    /// BLAKE3 of its bytes.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
    /// What it says of itself, if it says anything.
    pub manifest: Option<PluginManifest>,
}
