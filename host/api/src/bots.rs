use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An uploaded component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    /// BLAKE3 of the component, 64 hexadecimal digits.
    pub digest: String,
    /// Bytes of the component.
    pub bytes: u64,
    /// What it says of itself, as it stands in it: name, version, what it wants and what for, a schema of its settings.
    pub manifest: Option<Value>,
}

/// Installs or changes a bot: `PUT /v1/bots/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BotSpec {
    /// The digest of an uploaded component.
    pub plugin: String,
    /// The bot's settings; what is valid the component's `configure` decides.
    #[serde(default)]
    pub settings: Value,
    /// What it may do; nothing by default. See `host/core`'s `Grants`: `read`, `replicate`, `prune`, `pin` are lists of
    /// run globs, `targets` names targets, `tiers` tiers.
    #[serde(default)]
    pub grants: Value,
    /// What wakes it: `events` is a list of event kinds, `runs` of run globs.
    #[serde(default)]
    pub triggers: Value,
}

/// An installed bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bot {
    /// Its name.
    pub name: String,
    /// The component it runs.
    pub plugin: String,
    /// Its settings.
    pub settings: Value,
    /// What it may do.
    pub grants: Value,
    /// What wakes it.
    pub triggers: Value,
    /// `running` or `quarantined`.
    pub state: String,
    /// The last event that it has dealt with.
    pub cursor: u64,
    /// Events that wait for it.
    pub lag: u64,
    /// Events handled since the host started.
    pub handled: u64,
    /// Effects accepted since the host started.
    pub effects: u64,
    /// Faults since the host started.
    pub faults: u64,
    /// The last fault, if there was one.
    pub last_fault: Option<String>,
    /// Its last lines of log.
    pub log: Vec<String>,
}
